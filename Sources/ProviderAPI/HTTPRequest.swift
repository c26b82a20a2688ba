/// A request to the upstream. The host sends it: TLS, proxies, pooling, limits and the key are its business.
///
/// It reaches only the origin of the provider's base URL and what the operator allowed; redirects are not followed.
public struct HTTPRequest: Sendable {
  /// How the host adds this instance's key, which the provider never sees.
  public enum Auth: Sendable, Equatable {
    case none
    case apiKey(Scheme)
  }

  public enum Scheme: Sendable, Equatable {
    /// `Authorization: Bearer KEY`
    case bearer
    /// The raw key in the header of this name.
    case header(String)
  }

  /// What is made of the answer.
  public enum Mode: Sendable {
    /// Bytes as they come: `nextChunk`, `collectBody`.
    case body
    /// A 2xx answer of type text/event-stream is parsed into events (`nextEvent`), any other comes as bytes.
    case sse
  }

  /// What is not set is what the operator configured for the call.
  public struct Limits: Sendable {
    /// Of the whole answer; beyond, the exchange fails with `.limit`.
    public var responseBytes: UInt64?
    /// Received but not yet read by the provider; beyond, the exchange fails with `.limit`.
    public var unreadBytes: Int
    public var connect: Duration?
    public var firstByte: Duration?
    public var idle: Duration?
    public var total: Duration?

    public init(
      responseBytes: UInt64? = nil, unreadBytes: Int = 8 << 20, connect: Duration? = nil, firstByte: Duration? = nil,
      idle: Duration? = nil, total: Duration? = nil
    ) {
      self.responseBytes = responseBytes
      self.unreadBytes = unreadBytes
      self.connect = connect
      self.firstByte = firstByte
      self.idle = idle
      self.total = total
    }
  }

  /// GET, POST, PUT, DELETE or HEAD.
  public var method: String
  /// Absolute, http or https.
  public var url: String
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]
  public var auth: Auth
  public var mode: Mode
  public var limits: Limits

  public init(
    method: String, url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
    auth: Auth = .apiKey(.bearer), mode: Mode = .body, limits: Limits = Limits()
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.auth = auth
    self.mode = mode
    self.limits = limits
  }
}

/// The header fields of an answer, in their order.
public struct HTTPHeaders: Sendable {
  public let fields: [(name: String, value: String)]

  public init(_ fields: [(name: String, value: String)]) { self.fields = fields }

  /// The first field of this name, whatever its case.
  public subscript(_ name: String) -> String? {
    let name = name.lowercased()
    return fields.first { $0.name.lowercased() == name }?.value
  }
}
