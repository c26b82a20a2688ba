import Bytes
import Decisions
import Glibc
import Wire

/// Stands behind a connection until its TLS handshake is over, then makes room for who speaks HTTP.
///
/// | the handshake        | then                                                                   |
/// |----------------------|------------------------------------------------------------------------|
/// | is done              | `next` takes the connection over                                       |
/// | fails, runs out of time | one line in the log, if not too many; the connection ends           |
/// | is plain HTTP        | 400 in plain text, the same line                                       |
/// | has no byte          | the connection ends without a word                                     |
///
/// Thread: the loop's.
final class TLSGreeting: ConnectionHandler, TimerTarget {
  private unowned let connection: Connection
  private let next: () -> any ConnectionHandler
  private var timer: TimerID?
  /// An estimate: OpenSSL's object and its buffers, once the first byte has come.
  private(set) var heldBytes = 0
  private static let handshakeBytes = 48 << 10

  /// `next` makes who takes over.
  init(connection: Connection, next: @escaping () -> any ConnectionHandler) {
    self.connection = connection
    self.next = next
    let loop = connection.loop
    timer = loop.eventLoop.schedule(
      at: loop.now.advanced(milliseconds: loop.configuration.timeouts.helloMilliseconds), self, tag: 0)
  }

  /// The handshake went on as far as it could.
  func handshake(_ result: TLSConnection.Handshake) {
    switch result {
    case .waits: heldBytes = Self.handshakeBytes
    case .done:
      disarm()
      connection.hand(to: next())
    case .nothing:
      connection.abort(.peer)
    case .plainText:
      tell("the peer speaks plain HTTP")
      disarm()
      connection.finish(inPlainText: Self.plainAnswer)
    case .failed(let reason):
      tell(reason)
      disarm()
      connection.finish(inPlainText: [])
    }
  }

  /// What a client that forgot the `s` of its scheme can show.
  private static let plainAnswer: [UInt8] = {
    var answer = ByteBuffer()
    let body = Array("this port speaks TLS; use https:// or wss://\n".utf8)
    body.withUnsafeBytes { body in
      HTTPResponse.append(
        status: 400, headers: [("Content-Type", "text/plain; charset=utf-8")], body: body, persistence: .closes,
        to: &answer)
    }
    return answer.copy()
  }()

  func timerFired(_ tag: UInt32) {
    timer = nil
    let seconds = CallError.seconds(connection.loop.configuration.timeouts.helloMilliseconds * 1_000_000)
    tell("not done within timeouts.hello_seconds = \(seconds)")
    connection.abort(.silent)
  }

  private func tell(_ reason: String) {
    connection.loop.warn("A TLS handshake failed", [("reason", reason), ("peer", "\(connection.peer)")])
  }

  private func disarm() {
    if let timer { _ = connection.loop.eventLoop.cancel(timer) }
    timer = nil
  }

  /// Nothing comes before the handshake is done.
  func received(_ buffer: inout ByteBuffer, on connection: Connection) { buffer.removeAll() }
  func backlogCleared() {}
  func sweep() {}
  func shed(_ reason: String) { connection.abort(.memory) }
  func drain(isOver: Bool) { connection.abort(.shutdown) }
  func connectionClosed() { disarm() }
}
