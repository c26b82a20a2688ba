import Bytes
import Decisions
import Wire

/// Who makes sense of a link's messages.
protocol MessageHandler: AnyObject {
  /// One whole text message; borrowed.
  func received(_ message: UnsafeRawBufferPointer)
  func backlogCleared()
  func drain(isOver: Bool)
  /// A look for what has been idle for too long.
  func sweep()
  /// The last function for this link.
  func linkClosed()
}

/// The WebSocket side of an upgraded connection: frames to messages, pings, the close handshake (RFC 6455).
///
/// | state   | message        | close frame          | timer                                  |
/// |---------|----------------|----------------------|----------------------------------------|
/// | open    | to the handler | echoed, then finish  | silent: ping; still silent: abort      |
/// | closing | dropped        | finish               | 5 s after our close frame: finish      |
/// | closed  | dropped        | –                    | –                                      |
///
/// Thread: the loop's.
final class WebSocketLink: ConnectionHandler, TimerTarget {
  private enum State { case open, closing, closed }

  let connection: Connection
  private var decoder: WebSocketDecoder
  private var handler: (any MessageHandler)?
  private var state = State.open
  private var timer: TimerID?
  private var life: PeerLife

  init(connection: Connection, messageBytesLimit: Int) {
    self.connection = connection
    decoder = WebSocketDecoder(role: .server, messageBytesLimit: messageBytesLimit, acceptsBinary: false)
    life = PeerLife(now: connection.loop.now)
  }

  private var loop: HostLoop { connection.loop }
  var isOpen: Bool { state == .open }

  func start(_ handler: any MessageHandler) {
    self.handler = handler
    arm(milliseconds: ConnectionLimits.pingMilliseconds)
  }

  // MARK: - Sending

  /// Sends one text message, written in place by `write`; nothing when the link is closing.
  @inline(__always)
  func send(_ write: (inout ByteBuffer) -> Void) {
    guard state == .open else { return }
    // One block for what a turn usually says, instead of growing to it; it goes back when it is sent.
    if connection.outbound.allocatedBytes == 0 { connection.borrowBlock() }
    let mark = WebSocketEncoder.beginMessage(in: &connection.outbound)
    write(&connection.outbound)
    WebSocketEncoder.endMessage(mark, opcode: .text, in: &connection.outbound)
    connection.outboundChanged()
  }

  /// Begins the close handshake: nothing is sent after, and what comes is dropped.
  func close(code: UInt16, reason: String) {
    guard state == .open else { return }
    state = .closing
    WebSocketEncoder.appendClose(code: code, reason: reason, to: &connection.outbound)
    connection.outboundChanged()
    arm(milliseconds: ConnectionLimits.closeHandshakeMilliseconds)
    endHandler()
  }

  // MARK: - Receiving

  func received(_ buffer: inout ByteBuffer, on connection: Connection) {
    life.heard(now: loop.now)
    do {
      while state != .closed, !connection.isCongested, let event = try decoder.next(&buffer) { take(event) }
    } catch {
      fail(error)
      buffer.removeAll()
    }
  }

  private func take(_ event: WebSocketEvent) {
    switch event {
    case .text(let message):
      if state == .open { handler?.received(message) }
    case .binary:
      close(code: 1003, reason: "text frames only")
    case .ping(let payload):
      guard state == .open else { return }
      WebSocketEncoder.append(.pong, payload, to: &connection.outbound)
      connection.outboundChanged()
    case .pong: break
    case .close(let code, _): peerCloses(code)
    }
  }

  private func peerCloses(_ code: UInt16?) {
    if state == .open {
      WebSocketEncoder.appendClose(code: code, reason: "", to: &connection.outbound)
      connection.outboundChanged()
    }
    finish()
  }

  /// The peer broke the protocol: it is told with what, and not listened to any longer.
  private func fail(_ error: WebSocketError) {
    if state == .open {
      WebSocketEncoder.appendClose(code: error.closeCode, reason: error.reason, to: &connection.outbound)
      connection.outboundChanged()
    }
    finish()
  }

  func backlogCleared() { handler?.backlogCleared() }
  func drain(isOver: Bool) { handler?.drain(isOver: isOver) }
  func sweep() { if state == .open { handler?.sweep() } }

  // MARK: - Time

  func timerFired(_ tag: UInt32) {
    timer = nil
    switch state {
    case .open: checkLife()
    case .closing: finish()
    case .closed: break
    }
  }

  private func checkLife() {
    switch life.due(now: loop.now, hasBacklog: !connection.outbound.isEmpty) {
    case .wait(let milliseconds): arm(milliseconds: milliseconds)
    case .ping(let milliseconds):
      WebSocketEncoder.append(.ping, UnsafeRawBufferPointer(start: nil, count: 0), to: &connection.outbound)
      connection.outboundChanged()
      arm(milliseconds: milliseconds)
    case .dead:
      state = .closed
      connection.abort()
    }
  }

  private func arm(milliseconds: UInt64) {
    disarm()
    timer = loop.eventLoop.schedule(at: loop.now.advanced(milliseconds: milliseconds), self, tag: 0)
  }

  private func disarm() {
    if let timer { _ = loop.eventLoop.cancel(timer) }
    timer = nil
  }

  // MARK: - The end

  private func finish() {
    state = .closed
    disarm()
    endHandler()
    connection.finish()
  }

  func connectionClosed() {
    state = .closed
    disarm()
    endHandler()
  }

  private func endHandler() {
    let handler = self.handler
    self.handler = nil
    handler?.linkClosed()
  }
}
