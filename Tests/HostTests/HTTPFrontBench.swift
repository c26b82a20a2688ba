import Bytes
import CLinux
import Glibc
import Testing
import Wire

@testable import Host

/// Answers with what it was asked: `/echo` whole, `/stream` in pieces as they come, `/early` before the body, `/later`
/// when the test says, `/reply` and `/big` without asking for the body, `/upgrade` by echoing raw bytes.
final class EchoResponder: HTTPResponder {
  static let bodyBytesLimit = 200_000
  static let bigBytes = 150_000
  /// Every function of a handler, in order.
  var words: [String] = []
  fileprivate(set) var handlers: [EchoHandler] = []

  func decide(_ head: HTTPRequestHead) -> HTTPDecision {
    words.append("\(head.method) \(head.path)")
    switch head.path {
    case "/reply": return .reply(HTTPReply(status: 200, contentType: "text/plain", body: "replied"))
    case "/big": return .reply(HTTPReply(status: 200, body: String(repeating: "b", count: Self.bigBytes)))
    case "/refuse": return .reply(.refused(403, "no"))
    case "/upgrade":
      return .upgrade { connection in
        connection.outbound.append("HTTP/1.1 101 Switching Protocols\r\n\r\n")
        connection.outboundChanged()
        let raw = RawEcho()
        connection.hand(to: raw)
        return raw
      }
    default:
      let handler = EchoHandler(self, head.path)
      handlers.append(handler)
      return .handle(handler, bodyBytesLimit: Self.bodyBytesLimit)
    }
  }
}

final class EchoHandler: HTTPRequestHandler {
  private let responder: EchoResponder
  private let path: String
  private(set) var answer: HTTPAnswer?
  private var body = ByteBuffer()

  fileprivate init(_ responder: EchoResponder, _ path: String) {
    self.responder = responder
    self.path = path
  }

  func began(_ answer: HTTPAnswer) {
    self.answer = answer
    switch path {
    case "/stream": answer.begin(status: 200, contentType: "text/plain")
    case "/early": answer.send(HTTPReply(status: 200, contentType: "text/plain", body: "early"))
    default: break
    }
  }

  func received(_ piece: UnsafeRawBufferPointer) {
    if path == "/stream" { answer?.write(piece) } else { body.append(piece) }
  }

  func bodyEnded() {
    responder.words.append("end")
    switch path {
    case "/stream": answer?.end()
    case "/later", "/early": break
    default: answer?.send(HTTPReply(status: 200, contentType: "text/plain", body: body.string()))
    }
  }

  func backlogCleared() { responder.words.append("cleared") }
  var heldBytes: Int { body.allocatedBytes }
  func drain(isOver: Bool) { responder.words.append("drain \(isOver)") }

  func clientLeft() {
    responder.words.append("left")
    answer = nil
  }
}

private final class RawEcho: ConnectionHandler {
  func received(_ buffer: inout ByteBuffer, on connection: Connection) {
    connection.outbound.append(buffer.readable)
    connection.outboundChanged()
    buffer.removeAll()
  }
  func backlogCleared() {}
  var heldBytes: Int { 0 }
  func shed(_ reason: String) {}
  func drain(isOver: Bool) {}
  func sweep() {}
  func connectionClosed() {}
}

/// A connection that speaks HTTP with an `EchoResponder` behind it, and the far end of its socket.
final class HTTPFrontBench {
  let host: HostBench
  let responder = EchoResponder()
  let connection: Connection
  private var far: Int32

  init(_ change: (inout Configuration) -> Void = { _ in }) throws {
    host = try HostBench(change)
    var pair: [Int32] = [0, 0]
    try #require(
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
    far = pair[1]
    connection = Connection(descriptor: pair[0], address: nil, loop: host.loop)
    _ = host.core.connectionOpened(from: nil)
    let (connection, responder) = (connection, responder)
    host.run {
      let front = HTTPFront(connection: connection, responder: responder)
      do { try connection.start(front) } catch { Issue.record(error) }
    }
  }

  deinit {
    hangUp()
    host.run { [connection] in connection.abort(.shutdown) }
  }

  /// Sends all of it, however little the socket takes at once.
  func send(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty, far >= 0 {
      let count = rest.withUnsafeBytes { Glibc.send(far, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count > 0 { rest = rest.dropFirst(count) } else if errno != EAGAIN { return }
      host.run()
    }
    host.run()
    host.run()
  }

  /// Sends what the socket takes at once.
  func sendSome(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.send(far, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    host.run()
  }

  /// What the host said by now, dates and made ids left out, and whether it closed its side.
  func received() -> (text: String, hasEnded: Bool) {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var idleTurns = 0
    // What the host has not read yet it takes in pieces, unless it does not read at all.
    while idleTurns < (unreadBytes > 0 ? 300 : 3) {
      host.run()
      let count = recv(far, &buffer, buffer.count, 0)
      if count == 0 { return (Self.plain(bytes), true) }
      guard count > 0 else {
        idleTurns += 1
        continue
      }
      bytes += buffer[..<count]
      idleTurns = 0
    }
    return (Self.plain(bytes), false)
  }

  /// Of what was sent.
  private var unreadBytes: Int32 {
    var count: Int32 = 0
    return ioctl(far, UInt(TIOCOUTQ), &count) == 0 ? count : 0
  }

  private static func plain(_ bytes: [UInt8]) -> String {
    String(decoding: bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
      .filter { !$0.hasPrefix("Date: ") && !$0.hasPrefix("X-Request-Id: ") }.joined(separator: "\r\n")
  }

  /// The answers to `text`.
  func ask(_ text: String) -> String {
    send(text)
    return received().text
  }

  func hangUp() {
    guard far >= 0 else { return }
    shutdown(far, Int32(SHUT_RDWR))
    close(far)
    far = -1
    host.run()
    host.run()
  }
}
