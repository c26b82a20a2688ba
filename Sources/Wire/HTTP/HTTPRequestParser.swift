public import Bytes

/// A request without its body.
public struct HTTPRequestHead: Equatable, Sendable {
  public var method: String
  public var target: String
  /// The target up to its `?`.
  public var path: String
  public var query: String?
  /// 0 or 1, of HTTP/1.
  public var minorVersion: Int
  public var headers: HTTPHeaders
  public var bodyLength: HTTPBodyLength
  public var keepsAlive: Bool
}

/// Bytes to request heads (RFC 9112), strict where leniency has let requests be smuggled: CRLF only, no space before a
/// colon, no folding, one length.
public struct HTTPRequestParser: ~Copyable {
  private var reader: HTTPHeadReader

  public init(limits: HTTPLimits = HTTPLimits()) { reader = HTTPHeadReader(limits: limits, firstLineStatus: 414) }

  /// Takes the next head out of `input`; nil: more bytes are needed, to be appended and nothing else done to `input`.
  ///
  /// The body, if any, stays in `input` for an `HTTPBodyDecoder`.
  public mutating func next(_ input: inout ByteBuffer) throws(HTTPError) -> HTTPRequestHead? {
    let bytes = input.readable
    try rejectEarly(bytes)
    guard let length = try reader.length(of: bytes) else { return nil }
    let lines = reader.lines(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
    guard let first = lines.first else { throw HTTPError(status: 400, reason: "the request line is empty") }
    let head = try head(first, try reader.headers(lines.dropFirst()))
    input.consume(length)
    return head
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

  private func head(_ line: Slice<UnsafeRawBufferPointer>, _ headers: HTTPHeaders) throws(HTTPError) -> HTTPRequestHead
  {
    let parts = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(HTTPText.isToken) else {
      throw HTTPError(status: 400, reason: "a request line is METHOD TARGET HTTP/1.1")
    }
    let version = String(decoding: parts[2], as: UTF8.self)
    guard version == "HTTP/1.1" || version == "HTTP/1.0" else {
      let isHTTP = version.hasPrefix("HTTP/")
      throw HTTPError(status: isHTTP ? 505 : 400, reason: "only HTTP/1.1 is spoken here")
    }
    guard parts[1].first == 0x2F || parts[1].elementsEqual([0x2A]), parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { throw HTTPError(status: 400, reason: "the target must be a path") }
    let minor = version == "HTTP/1.1" ? 1 : 0
    let hosts = headers.all("host")
    guard hosts.count == 1 || (minor == 0 && hosts.isEmpty) else {
      throw HTTPError(status: 400, reason: "exactly one Host header is needed, found \(hosts.count)")
    }
    guard hosts.allSatisfy(HostAuthority.isWellFormed) else {
      throw HTTPError(status: 400, reason: "the Host header is not a host and a port")
    }
    let target = String(decoding: parts[1], as: UTF8.self)
    let mark = target.utf8.firstIndex(of: 0x3F)
    let closes = headers.contains("connection", token: "close")
    return HTTPRequestHead(
      method: String(decoding: parts[0], as: UTF8.self), target: target,
      path: mark.map { String(target[..<$0]) } ?? target,
      query: mark.map { String(target[target.utf8.index(after: $0)...]) }, minorVersion: minor, headers: headers,
      bodyLength: try HTTPBodyLength(headers, minorVersion: minor) ?? .none, keepsAlive: minor == 1 && !closes)
  }
}
