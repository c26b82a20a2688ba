public import JSON

/// What the operator configured for this provider: read in `Provider.init`, keep what you need.
///
/// The key is never among it; requests name it (`HTTPRequest.auth`) and the host adds it.
public struct ProviderSettings: Sendable {
  /// The whole object.
  public let json: JSONValue

  public init(json: JSONValue) { self.json = json }

  /// The configured base URL, or the descriptor's default; nil when there is neither.
  public var baseURL: String? { json["base_url"]?.string.flatMap { $0.isEmpty ? nil : $0 } }

  /// Whether the host holds a key for this provider.
  public var hasKey: Bool { json["has_key"]?.bool ?? false }

  /// The ids of the models that the operator listed; empty: all.
  public var models: [String] {
    (json["models"]?.array ?? []).compactMap { $0.string ?? $0["id"]?.string }
  }

  /// A setting of the provider's own; nil when absent.
  public subscript(_ name: String) -> JSONValue? { json[name] }

  /// A whole number within bounds; `fallback` when the setting is absent.
  public func integer(_ name: String, in range: ClosedRange<Int64>, default fallback: Int64) throws(ProviderError)
    -> Int64
  {
    guard let value = json[name] else { return fallback }
    guard let number = value.integer, range.contains(number) else {
      throw ProviderError(
        .invalidArgument,
        "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound), got \(value.text)")
    }
    return number
  }

  /// A text; `fallback` when the setting is absent.
  public func string(_ name: String, default fallback: String) throws(ProviderError) -> String {
    guard let value = json[name] else { return fallback }
    guard let text = value.string else {
      throw ProviderError(.invalidArgument, "\(name) must be a string, got \(value.text)")
    }
    return text
  }
}

extension ProviderSettings {
  init(parsing text: UnsafeRawBufferPointer) throws(ProviderError) {
    guard !text.isEmpty else {
      self.init(json: .object([]))
      return
    }
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue(parsing: text)
    } catch {
      throw ProviderError(
        .invalidArgument, "the provider's settings are not JSON: \(error.reason) at byte \(error.offset)")
    }
    guard json.members != nil else {
      throw ProviderError(.invalidArgument, "the provider's settings must be an object")
    }
    self.init(json: json)
  }
}
