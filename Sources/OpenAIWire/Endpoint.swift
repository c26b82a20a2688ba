import JSON
public import ProviderAPI

/// Where a provider's requests go, and how the host signs them.
public struct Endpoint: Sendable {
  public var base: BaseURL
  public var auth: HTTPRequest.Auth

  /// - Throws: `.invalidArgument` when there is no base URL, or it is none.
  public init(_ settings: ProviderSettings, defaultBase: String = "", defaultPath: String) throws(ProviderError) {
    guard let text = settings.baseURL ?? (defaultBase.isEmpty ? nil : defaultBase) else {
      throw ProviderError(.invalidArgument, "base_url is missing: where does the provider answer?")
    }
    base = try BaseURL(text, defaultPath: defaultPath)
    auth = settings.hasKey ? .apiKey(.bearer) : .none
  }

  func post(_ operation: String, _ body: [UInt8]) -> HTTPRequest {
    HTTPRequest(
      method: "POST", url: base.url(operation),
      headers: [("Content-Type", "application/json"), ("Accept", "text/event-stream, application/json")], body: body,
      auth: auth, mode: .sse)
  }

  func get(_ operation: String) -> HTTPRequest {
    HTTPRequest(method: "GET", url: base.url(operation), headers: [("Accept", "application/json")], auth: auth)
  }
}
