public import Bytes

/// Writes a whole response (RFC 9112 §4).
public enum HTTPResponse {
  /// - Parameter headers: without Content-Length and Connection, which are written here.
  public static func append(
    status: Int, headers: [(String, String)], body: UnsafeRawBufferPointer, keepsAlive: Bool,
    to buffer: inout ByteBuffer
  ) {
    buffer.append("HTTP/1.1 \(status) \(reasonPhrase(status))\r\n")
    for (name, value) in headers { buffer.append("\(name): \(value)\r\n") }
    if status != 204 { buffer.append("Content-Length: \(body.count)\r\n") }
    buffer.append(keepsAlive ? "\r\n" as StaticString : "Connection: close\r\n\r\n")
    buffer.append(body)
  }

  static func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 101: "Switching Protocols"
    case 200: "OK"
    case 204: "No Content"
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 426: "Upgrade Required"
    case 431: "Request Header Fields Too Large"
    case 501: "Not Implemented"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    default: "Status"
    }
  }
}

/// A response without its body.
public struct HTTPResponseHead: Equatable, Sendable {
  public var status: Int
  public var headers: HTTPHeaders
}

/// Bytes to a response's head, for a client.
public struct HTTPResponseParser: ~Copyable {
  private let reader: HTTPHeadReader

  public init(limits: HTTPLimits = HTTPLimits()) { reader = HTTPHeadReader(limits: limits) }

  /// Takes the head out of `input`; nil: more bytes are needed.
  public mutating func nextHead(_ input: inout ByteBuffer) throws(HTTPError) -> HTTPResponseHead? {
    let bytes = input.readable
    guard let length = try reader.length(of: bytes) else { return nil }
    let lines = reader.lines(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
    let parts = (lines.first ?? bytes[0..<0]).split(separator: 0x20, maxSplits: 2)
    guard parts.count >= 2, String(decoding: parts[0], as: UTF8.self).hasPrefix("HTTP/1."),
      let status = Int(String(decoding: parts[1], as: UTF8.self)), (100...599).contains(status)
    else { throw HTTPError(status: 502, reason: "the first line is not HTTP/1.1 and a status") }
    let head = HTTPResponseHead(status: status, headers: try reader.headers(lines.dropFirst()))
    input.consume(length)
    return head
  }
}
