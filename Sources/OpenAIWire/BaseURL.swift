public import ProviderAPI

/// Where a provider's API begins.
///
/// A URL without a path gets the provider's own (`http://127.0.0.1:11434` becomes `…/v1`); one with a path is taken as it
/// stands. A slash or `/chat/completions` at the end is no part of it, a query is kept for every request.
public struct BaseURL: Sendable, Equatable {
  private let path: String
  private let query: String
  /// Scheme, host and port: `https://api.moonshot.ai`
  public let origin: String

  /// - Parameter defaultPath: for a URL without one: `/v1`.
  /// - Throws: `.invalidArgument` for what is no http or https URL, or carries a password.
  public init(_ text: String, defaultPath: String) throws(ProviderError) {
    guard let separator = Self.endOfScheme(text) else {
      throw ProviderError(.invalidArgument, "base_url must begin with http:// or https://")
    }
    let rest = text[separator...]
    let authority = rest.prefix { !"/?#".contains($0) }
    guard !authority.isEmpty, !authority.hasPrefix(":") else {
      throw ProviderError(.invalidArgument, "base_url names no host")
    }
    guard !authority.contains("@") else {
      throw ProviderError(.invalidArgument, "base_url must not carry a user or password; the key belongs to api_key")
    }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !text.contains("#") else {
      throw ProviderError(.invalidArgument, "base_url must be printable ASCII without spaces and #")
    }
    origin = String(text[..<authority.endIndex])
    var path = rest[authority.endIndex...].prefix { $0 != "?" }
    query = String(rest[path.endIndex...])
    path = Self.trimmed(path)
    if path.hasSuffix("/chat/completions") { path = Self.trimmed(path.dropLast("/chat/completions".count)) }
    self.path = path.isEmpty ? defaultPath : String(path)
  }

  /// The URL of an operation: `/chat/completions`.
  public func url(_ operation: String) -> String { origin + path + operation + query }

  private static func endOfScheme(_ text: String) -> String.Index? {
    for scheme in ["http://", "https://"] where text.lowercased().hasPrefix(scheme) {
      return text.index(text.startIndex, offsetBy: scheme.count)
    }
    return nil
  }

  private static func trimmed(_ path: Substring) -> Substring {
    var path = path
    while path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
