public import Bytes

/// A response without its body.
public struct HTTPResponseHead: Equatable, Sendable {
  public var status: Int
  /// 0 or 1, of HTTP/1.
  public var minorVersion: Int
  public var headers: HTTPHeaders

  /// How the answer to a request of `method` ends (RFC 9112 §6.3).
  public func bodyLength(method: String) throws(HTTPError) -> HTTPBodyLength {
    if method == "HEAD" || status < 200 || status == 204 || status == 304 { return .none }
    return try HTTPBodyLength(headers, minorVersion: minorVersion) ?? .untilClose
  }
}

/// Bytes to a response's head, for a client. The errors' status is 502: the other side's fault.
public struct HTTPResponseParser: ~Copyable {
  private var reader: HTTPHeadReader

  public init(limits: HTTPLimits = HTTPLimits()) { reader = HTTPHeadReader(limits: limits, firstLineStatus: 502) }

  /// Takes the head out of `input`; nil: more bytes are needed. The body stays in `input` for an `HTTPBodyDecoder`.
  ///
  /// A status below 200 other than 101 is not the answer yet: ask again.
  public mutating func nextHead(_ input: inout ByteBuffer) throws(HTTPError) -> HTTPResponseHead? {
    let bytes = input.readable
    guard let length = try reader.length(of: bytes) else { return nil }
    let lines = reader.lines(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
    let parts = (lines.first ?? bytes[0..<0]).split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
    // Also what nobody reads, the reason phrase, holds no control character (RFC 9112 §4): a bare CR ends a line for some.
    guard parts.count >= 2, let minorVersion = Self.minorVersion(parts[0]), let status = Self.status(parts[1]),
      parts.last?.allSatisfy(HTTPText.isFieldContent) ?? true
    else {
      throw HTTPError(status: 502, reason: "the first line is not HTTP/1.1 and a status")
    }
    let head = HTTPResponseHead(
      status: status, minorVersion: minorVersion, headers: try reader.headers(lines.dropFirst()))
    input.consume(length)
    return head
  }

  private static func minorVersion(_ text: Slice<UnsafeRawBufferPointer>) -> Int? {
    if text.elementsEqual("HTTP/1.1".utf8) { return 1 }
    return text.elementsEqual("HTTP/1.0".utf8) ? 0 : nil
  }

  private static func status(_ text: Slice<UnsafeRawBufferPointer>) -> Int? {
    guard text.count == 3, text.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    let status = text.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    return (100...599).contains(status) ? status : nil
  }
}
