public import Bytes

/// A request without its body.
public struct HTTPRequestHead: Equatable, Sendable {
  /// What the client expects before it sends the body (RFC 9110 §10.1.1).
  public enum Expectation: Equatable, Sendable { case none, `continue`, unknown }

  public var method: String
  /// As it was written.
  public var target: String
  /// The target up to its `?`; without scheme and authority. `*` for the whole server.
  public var path: String
  public var query: String?
  /// 0 or 1, of HTTP/1.
  public var minorVersion: Int
  public var headers: HTTPHeaders
  public var bodyLength: HTTPBodyLength
  /// Whether the client would send another request on this connection (RFC 9112 §9.3).
  public var keepsAlive: Bool
  public var expectation = Expectation.none
}

/// Bytes to request heads (RFC 9112), strict where leniency has let requests be smuggled: CRLF only, no space before a
/// colon, no folding, one length, one target.
public struct HTTPRequestParser: ~Copyable {
  private var reader: HTTPHeadReader
  /// Whether an empty line came before the request line, which one may (RFC 9112 §2.2).
  private var hasSkippedLine = false

  public init(limits: HTTPLimits = HTTPLimits()) { reader = HTTPHeadReader(limits: limits, firstLineStatus: 414) }

  /// Takes the next head out of `input`; nil: more bytes are needed, to be appended and nothing else done to `input`.
  ///
  /// The body, if any, stays in `input` for an `HTTPBodyDecoder`.
  public mutating func next(_ input: inout ByteBuffer) throws(HTTPError) -> HTTPRequestHead? {
    guard try skipEmptyLine(&input) else { return nil }
    let bytes = input.readable
    try rejectEarly(bytes)
    guard let length = try reader.length(of: bytes) else { return nil }
    let lines = reader.lines(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
    guard let first = lines.first else { throw HTTPError(status: 400, reason: "the request line is empty") }
    let line = try HTTPRequestLine(first)
    let head = try head(line, try reader.headers(lines.dropFirst()))
    input.consume(length)
    hasSkippedLine = false
    return head
  }

  /// false: more bytes are needed to know.
  private mutating func skipEmptyLine(_ input: inout ByteBuffer) throws(HTTPError) -> Bool {
    guard !hasSkippedLine, let first = input.readable.first, first == 0x0D else { return true }
    guard input.count > 1 else { return false }
    guard input.readable[1] == 0x0A else { throw HTTPError(status: 400, reason: "a line ends without CRLF") }
    input.consume(2)
    hasSkippedLine = true
    return true
  }

  /// What cannot become a request is refused at its first byte, not when the head's limit is reached.
  private func rejectEarly(_ bytes: UnsafeRawBufferPointer) throws(HTTPError) {
    guard let first = bytes.first else { return }
    guard first >= 0x41, first <= 0x5A else {
      throw HTTPError(
        status: 400,
        reason: first == 0x16 ? "this is TLS; the address speaks plain HTTP" : "a request begins with a method")
    }
  }

  private func head(_ line: HTTPRequestLine, _ headers: HTTPHeaders) throws(HTTPError) -> HTTPRequestHead {
    let hosts = headers.all("host")
    guard hosts.count == 1 || (line.minorVersion == 0 && hosts.isEmpty) else {
      throw HTTPError(status: 400, reason: "exactly one Host header is needed, found \(hosts.count)")
    }
    guard hosts.allSatisfy(HostAuthority.isWellFormed) else {
      throw HTTPError(status: 400, reason: "the Host header is not a host and a port")
    }
    // Two names for one request are two requests to two readers (RFC 9112 §3.2.2 would have the target win).
    if let authority = line.authority, hosts.first.map({ HTTPText.equalsWithoutCase($0, authority) }) != true {
      throw HTTPError(status: 400, reason: "the target names another host than the Host header")
    }
    return HTTPRequestHead(
      method: line.method, target: line.target, path: line.path, query: line.query, minorVersion: line.minorVersion,
      headers: headers, bodyLength: try HTTPBodyLength(headers, minorVersion: line.minorVersion) ?? .none,
      keepsAlive: Self.keepsAlive(headers, line.minorVersion), expectation: Self.expectation(headers, line.minorVersion)
    )
  }

  /// RFC 9112 §9.3.
  private static func keepsAlive(_ headers: HTTPHeaders, _ minorVersion: Int) -> Bool {
    if headers.contains("connection", token: "close") { return false }
    return minorVersion >= 1 || headers.contains("connection", token: "keep-alive")
  }

  /// RFC 9110 §10.1.1: in HTTP/1.0 it means nothing.
  private static func expectation(_ headers: HTTPHeaders, _ minorVersion: Int) -> HTTPRequestHead.Expectation {
    let values = headers.all("expect")
    guard !values.isEmpty, minorVersion >= 1 else { return .none }
    return values.allSatisfy { HTTPText.equalsWithoutCase($0, "100-continue") } ? .continue : .unknown
  }
}
