public import Bytes

/// The opening handshake (RFC 6455 §4), both sides.
public enum WebSocketHandshake {
  public enum Answer: Equatable, Sendable {
    /// All is well; the value of Sec-WebSocket-Accept.
    case upgrade(accept: String)
    /// An ordinary HTTP request.
    case notAnUpgrade
    /// It wants to upgrade, but wrongly.
    case refused(status: Int, reason: String, headers: [Header])
  }

  public struct Header: Equatable, Sendable {
    public var name: String
    public var value: String
  }

  /// Decides about a request (RFC 6455 §4.2.1).
  public static func check(_ request: HTTPRequestHead) -> Answer {
    guard request.headers.contains("upgrade", token: "websocket") else { return .notAnUpgrade }
    guard request.method == "GET" else {
      return .refused(
        status: 405, reason: "a WebSocket upgrade is a GET", headers: [Header(name: "Allow", value: "GET")])
    }
    guard request.minorVersion >= 1 else { return refused("a WebSocket upgrade needs HTTP/1.1") }
    guard request.headers.contains("connection", token: "upgrade") else {
      return refused("the Connection header lacks 'Upgrade'")
    }
    guard request.headers.all("sec-websocket-version") == ["13"] else {
      return .refused(
        status: 426, reason: "only WebSocket version 13 is spoken",
        headers: [Header(name: "Sec-WebSocket-Version", value: "13")])
    }
    let keys = request.headers.all("sec-websocket-key")
    guard keys.count == 1, decoded(keys[0])?.count == 16 else {
      return refused("Sec-WebSocket-Key must be 16 bytes in Base64")
    }
    guard request.bodyLength == .none else { return refused("a WebSocket upgrade has no body") }
    return .upgrade(accept: accept(for: keys[0]))
  }

  private static func refused(_ reason: String) -> Answer { .refused(status: 400, reason: reason, headers: []) }

  private static func decoded(_ key: String) -> [UInt8]? {
    Array(key.utf8).withUnsafeBytes { Base64.decode($0) }
  }

  /// The proof that a key was read (RFC 6455 §4.2.2).
  public static func accept(for key: String) -> String {
    let digest = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8).withUnsafeBytes { SHA1.hash($0) }
    return digest.withUnsafeBytes { Base64.encode($0) }
  }

  /// The server's 101.
  ///
  /// - Parameters:
  ///   - subprotocol: one that the client offered; nil: none is selected.
  ///   - extensions: the value of Sec-WebSocket-Extensions; nil: it has none.
  public static func appendResponse(
    accept: String, subprotocol: String? = nil, extensions: String? = nil, to buffer: inout ByteBuffer
  ) {
    buffer.append(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
    buffer.append(accept)
    if let subprotocol {
      buffer.append("\r\nSec-WebSocket-Protocol: ")
      buffer.append(subprotocol)
    }
    if let extensions {
      buffer.append("\r\nSec-WebSocket-Extensions: ")
      buffer.append(extensions)
    }
    buffer.append("\r\n\r\n")
  }

  /// The client's request; `key` is 16 fresh random bytes in Base64.
  public static func appendRequest(host: String, path: String, key: String, to buffer: inout ByteBuffer) {
    buffer.append("GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    buffer.append("Sec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n\r\n")
  }

  /// What is wrong with the server's 101; nil: nothing (RFC 6455 §4.1).
  public static func verify(_ response: HTTPResponseHead, key: String) -> String? {
    guard response.status == 101 else { return "status \(response.status), not 101" }
    guard response.headers.contains("upgrade", token: "websocket") else { return "no 'Upgrade: websocket'" }
    guard response.headers.contains("connection", token: "upgrade") else { return "no 'Connection: Upgrade'" }
    guard response.headers["sec-websocket-accept"] == accept(for: key) else { return "a wrong Sec-WebSocket-Accept" }
    for name in ["sec-websocket-extensions", "sec-websocket-protocol"] where response.headers[name] != nil {
      return "a \(name) that was not asked for"
    }
    return nil
  }
}
