public import Bytes

/// Writes responses (RFC 9112 §4): whole, or in pieces when their length is not known yet.
///
/// A CR, LF or NUL in a header becomes a space (RFC 9110 §5.5), so that no value can add a header or a response.
public enum HTTPResponse {
  /// What is said about the connection after the response.
  public enum Persistence: Equatable, Sendable {
    /// It stays, as HTTP/1.1 does when nothing is said.
    case stays
    /// It stays, which a client of HTTP/1.0 must be told.
    case staysAsSaid
    case closes
  }

  /// How the body of a response ends whose length is not known.
  public enum Framing: Equatable, Sendable {
    /// In chunks; for a peer of HTTP/1.1.
    case chunked
    /// With the connection.
    case untilClose
  }

  /// - Parameters:
  ///   - headers: without Content-Length, Transfer-Encoding and Connection, which are written here.
  ///   - hasBody: false: only its length is told, in answer to HEAD.
  public static func append(
    status: Int, headers: [(String, String)], body: UnsafeRawBufferPointer, hasBody: Bool = true,
    persistence: Persistence, to buffer: inout ByteBuffer
  ) {
    appendHead(status, headers, to: &buffer)
    if status != 204 { buffer.append("Content-Length: \(body.count)\r\n") }
    appendEnd(persistence, to: &buffer)
    if hasBody, status != 204 { buffer.append(body) }
  }

  /// Begins a response whose pieces follow: with `.chunked` by `appendChunk`, ended by `endChunks`; else as they are.
  public static func begin(
    status: Int, headers: [(String, String)], framing: Framing, persistence: Persistence, to buffer: inout ByteBuffer
  ) {
    appendHead(status, headers, to: &buffer)
    if framing == .chunked { buffer.append("Transfer-Encoding: chunked\r\n") }
    appendEnd(framing == .chunked ? persistence : .closes, to: &buffer)
  }

  /// An empty piece writes nothing: an empty chunk would end the body.
  public static func appendChunk(_ piece: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
    guard !piece.isEmpty else { return }
    buffer.append(String(piece.count, radix: 16))
    buffer.append("\r\n")
    buffer.append(piece)
    buffer.append("\r\n")
  }

  public static func endChunks(to buffer: inout ByteBuffer) { buffer.append("0\r\n\r\n") }

  /// The client may send the body it announced (RFC 9110 §10.1.1).
  public static func appendContinue(to buffer: inout ByteBuffer) { buffer.append("HTTP/1.1 100 Continue\r\n\r\n") }

  private static func appendHead(_ status: Int, _ headers: [(String, String)], to buffer: inout ByteBuffer) {
    buffer.append("HTTP/1.1 \(status) \(reasonPhrase(status))\r\n")
    for (name, value) in headers {
      appendHarmless(name, to: &buffer)
      buffer.append(": ")
      appendHarmless(value, to: &buffer)
      buffer.append("\r\n")
    }
  }

  private static func appendEnd(_ persistence: Persistence, to buffer: inout ByteBuffer) {
    switch persistence {
    case .stays: buffer.append("\r\n")
    case .staysAsSaid: buffer.append("Connection: keep-alive\r\n\r\n")
    case .closes: buffer.append("Connection: close\r\n\r\n")
    }
  }

  private static func appendHarmless(_ text: String, to buffer: inout ByteBuffer) {
    for byte in text.utf8 { buffer.append(byte == 0x0D || byte == 0x0A || byte == 0 ? 0x20 : byte) }
  }

  static func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 101: "Switching Protocols"
    case 200: "OK"
    case 204: "No Content"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 417: "Expectation Failed"
    case 426: "Upgrade Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    default: "Status"
    }
  }
}
