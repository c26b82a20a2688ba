import Bytes
import CLinux
import Glibc
internal import Host
import JSON
import Wire

/// The host cannot be reached, or does not answer as a host would.
struct ClientError: Error, CustomStringConvertible {
  var description: String
  /// Nothing answered at all.
  var isUnreachable = false
}

/// A blocking WebSocket client for the commands that ask a running host.
final class ClientConnection {
  private let descriptor: Int32
  /// nil: the connection is not encrypted.
  private var tls: TLSClient?
  private var input = ByteBuffer()
  private var output = ByteBuffer()
  private var decoder = WebSocketDecoder(role: .client, messageBytesLimit: 64 << 20, acceptsBinary: false)

  /// Seconds without a byte after which the host is given up; it sends a heartbeat more often.
  private static let silenceSeconds = 60

  /// Connects, upgrades and says hello. `authorities`: a PEM file with those who may have signed the host's certificate;
  /// nil: whom the system trusts.
  init(url: String, token: String?, authorities: String? = nil) throws {
    let address = try WebSocketAddress(url)
    descriptor = try address.connect(silenceSeconds: Self.silenceSeconds)
    if address.isSecure { try secure(address.host, authorities) }
    try upgrade(address)
    var hello = ByteBuffer()
    Self.appendHello(token: token, to: &hello)
    try send(hello.readable)
    let answer = try receive()
    guard answer["ok"]?.bool == true else {
      throw ClientError(description: "\(url) refused the hello: \(answer["error"]?.string ?? answer.text)")
    }
  }

  deinit {
    tls?.close()
    close(descriptor)
  }

  private func secure(_ host: String, _ authorities: String?) throws {
    do {
      tls = try TLSClient(descriptor: descriptor, host: host, authorities: authorities)
    } catch {
      throw ClientError(description: error.description)
    }
  }

  /// The first message of every client.
  static func appendHello(token: String?, to buffer: inout ByteBuffer) {
    buffer.append("{\"op\":\"hello\",\"client_name\":\"patchbay\"")
    if let token {
      buffer.append(",\"token\":")
      buffer.appendJSON(string: token)
    }
    buffer.append("}")
  }

  func send(_ message: UnsafeRawBufferPointer) throws {
    var key: UInt32 = 0
    _ = withUnsafeMutableBytes(of: &key) { getrandom($0.baseAddress, $0.count, 0) }
    WebSocketEncoder.appendMasked(.text, message, key: key, to: &output)
    try flush()
  }

  /// The next message; pings are answered on the way.
  func receive() throws -> JSONValue {
    while true {
      do {
        while let event = try decoder.next(&input) {
          switch event {
          case .text(let text): return try JSONValue(parsing: text)
          case .ping(let payload):
            WebSocketEncoder.appendMasked(.pong, payload, key: 0x5A5A_5A5A, to: &output)
            try flush()
          case .close(let code, let reason):
            let text = String(decoding: reason, as: UTF8.self)
            throw ClientError(
              description: "the host closed the connection: \(code.map { "\($0) " } ?? "")\(text)")
          case .binary, .pong: break
          }
        }
      } catch let error as WebSocketError {
        throw ClientError(description: "the host broke the WebSocket protocol: \(error.reason)")
      } catch let error as JSONError {
        throw ClientError(description: "the host sent what is not JSON: \(error.reason)")
      }
      try fill()
    }
  }

  private func upgrade(_ address: WebSocketAddress) throws {
    var nonce = [UInt8](repeating: 0, count: 16)
    _ = nonce.withUnsafeMutableBytes { getrandom($0.baseAddress, $0.count, 0) }
    let key = nonce.withUnsafeBytes { Base64.encode($0) }
    WebSocketHandshake.appendRequest(host: address.authority, path: address.path, key: key, to: &output)
    try flush()
    var parser = HTTPResponseParser()
    while true {
      do {
        if let head = try parser.nextHead(&input) {
          guard head.status == 101 else {
            throw ClientError(
              description: "\(address.authority) answered HTTP \(head.status) instead of a WebSocket upgrade")
          }
          if let fault = WebSocketHandshake.verify(head, key: key) {
            throw ClientError(description: "\(address.authority) answered the upgrade wrongly: \(fault)")
          }
          return
        }
      } catch let error as HTTPError {
        throw ClientError(description: "\(address.authority) is no HTTP server: \(error.reason)")
      }
      try fill()
    }
  }

  private func flush() throws {
    while !output.isEmpty {
      let bytes = output.readable
      let count =
        tls?.write(bytes) ?? Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw ClientError(description: "the connection broke: \(Self.reason(errno))") }
      output.consume(count)
    }
  }

  private func fill() throws {
    let room = input.writable(64 << 10)
    while true {
      let count = tls?.read(into: room) ?? recv(descriptor, room.baseAddress, room.count, 0)
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN {
        throw ClientError(description: "the host sent nothing for \(Self.silenceSeconds) s")
      }
      guard count >= 0 else { throw ClientError(description: "the connection broke: \(Self.reason(errno))") }
      guard count > 0 else { throw ClientError(description: "the host closed the connection without a reason") }
      input.commit(count)
      return
    }
  }

  private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
