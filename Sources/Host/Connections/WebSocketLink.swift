import Bytes
import Decisions
package import Wire

/// The WebSocket side of an upgraded connection: frames to messages, pings, the close handshake (RFC 6455).
///
/// | state   | message        | close frame          | timer                                  |
/// |---------|----------------|----------------------|----------------------------------------|
/// | open    | to the handler | echoed, then finish  | silent: ping; still silent: abort      |
/// |         |                |                      | a message does not go on: 1008, finish |
/// | closing | dropped        | finish               | 5 s after our close frame: finish      |
/// | closed  | dropped        | –                    | –                                      |
///
/// Thread: the loop's.
package final class WebSocketLink: ConnectionHandler, TimerTarget {
  private enum State { case open, closing, closed }

  let connection: Connection
  private var decoder: WebSocketDecoder
  /// nil: messages are sent as they are.
  private let deflate: MessageDeflate?
  private var handler: (any MessageHandler)?
  private var state = State.open
  private var timer: TimerID?
  private var life: PeerLife
  private var flood = FloodGuard()
  /// How the message goes on whose beginning has come; nil: none has, or nothing is read.
  private var messagePace: Pace?
  private var messageTimer: TimerID?
  /// Of what was read, bytes that belong to no whole frame.
  private var restBytes = 0

  /// - Parameters:
  ///   - messageBytesLimit: of one message of the peer; more is refused with 1009.
  ///   - takesBinary: false: a binary frame is refused with 1003.
  ///   - deflate: what was agreed on for compression; nil: nothing.
  init(
    connection: Connection, messageBytesLimit: Int, takesBinary: Bool = false, deflate: MessageDeflate? = nil
  ) {
    self.connection = connection
    self.deflate = deflate
    decoder = WebSocketDecoder(
      role: .server, messageBytesLimit: messageBytesLimit, acceptsBinary: takesBinary, deflate: deflate)
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
    if let deflate {
      deflate.endMessage(mark, opcode: .text, in: &connection.outbound)
    } else {
      WebSocketEncoder.endMessage(mark, opcode: .text, in: &connection.outbound)
    }
    connection.outboundChanged()
  }

  /// Sends one message whose bytes there are already: its length is known, and nothing is moved.
  package func send(_ kind: WebSocketMessageKind, _ payload: UnsafeRawBufferPointer) {
    guard state == .open else { return }
    if let deflate {
      deflate.append(kind.opcode, payload, to: &connection.outbound)
    } else {
      WebSocketEncoder.append(kind.opcode, payload, to: &connection.outbound)
    }
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
    messagePace?.move(buffer.count - restBytes)
    var left = connection.messagesPerTurn
    do {
      while state != .closed, !connection.isCongested, left > 0, let event = try decoder.next(&buffer) {
        // A control frame costs little, and `FloodGuard` bounds them: who floods with them is told so at once, instead of
        // in one small share after the other.
        if !event.isControl { left -= 1 }
        take(event)
      }
    } catch {
      fail(error)
      buffer.removeAll()
    }
    restBytes = buffer.count
    watchMessage()
    if left == 0, connection.isOpen, !connection.isCongested { connection.postpone() }
  }

  /// A message that has begun must go on, or its beginning could be kept here for ever.
  private func watchMessage() {
    guard state == .open, !connection.isCongested, restBytes > 0 || decoder.isInsideMessage else {
      messagePace = nil
      return
    }
    if messagePace == nil { messagePace = Pace(now: loop.now) }
    if messageTimer == nil { armMessageTimer(at: loop.now.advanced(nanoseconds: messageNanoseconds)) }
  }

  private var messageNanoseconds: UInt64 { loop.configuration.timeouts.messageMilliseconds * 1_000_000 }

  private func take(_ event: WebSocketEvent) {
    if !event.isControl { messagePace = nil }
    switch event {
    case .text(let message):
      if state == .open { handler?.received(message) }
    case .binary(let message):
      if state == .open { handler?.receivedBinary(message) }
    case .ping(let payload):
      guard state == .open, countUseless() else { return }
      WebSocketEncoder.append(.pong, payload, to: &connection.outbound)
      connection.outboundChanged()
    case .pong: _ = countUseless()
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

  /// Counts something that asks for nothing (`FloodGuard`). false: it was one too many, and the link is closed.
  @discardableResult
  func countUseless() -> Bool {
    if flood.take(now: loop.now) { return true }
    let rate = FloodGuard.rate
    fail(
      WebSocketError(
        closeCode: 1008,
        reason: "more than \(rate.burst) pings, pongs and refused messages at once, or \(rate.perSecond) a second"))
    return false
  }

  /// The peer broke the protocol: it is told with what, and not listened to any longer.
  private func fail(_ error: WebSocketError, isKnown: Bool = false) {
    if state == .open {
      if !isKnown { logClose(error) }
      WebSocketEncoder.appendClose(code: error.closeCode, reason: error.reason, to: &connection.outbound)
      connection.outboundChanged()
    }
    finish()
  }

  private func logClose(_ error: WebSocketError) {
    loop.warn(
      "Closed a WebSocket", kind: "\(error.closeCode)",
      [("code", "\(error.closeCode)"), ("reason", error.reason), ("peer", "\(connection.peer)")])
  }

  func backlogCleared() { handler?.backlogCleared() }
  var heldBytes: Int { decoder.heldBytes + (deflate?.heldBytes ?? 0) }

  /// What the connection held has been logged.
  func shed(_ reason: String) {
    decoder = WebSocketDecoder(role: .server, messageBytesLimit: 0)
    fail(WebSocketError(closeCode: 1008, reason: reason), isKnown: true)
  }

  func drain(isOver: Bool) { handler?.drain(isOver: isOver) }
  func sweep() { if state == .open { handler?.sweep() } }

  // MARK: - Time

  private static let messageTag: UInt32 = 1

  package func timerFired(_ tag: UInt32) {
    if tag == Self.messageTag { return messageTimerFired() }
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
      connection.abort(.silent)
    }
  }

  private func messageTimerFired() {
    messageTimer = nil
    guard state == .open, var pace = messagePace else { return }
    switch pace.judge(windowNanoseconds: messageNanoseconds, now: loop.now) {
    case .goesOn(let askAt):
      messagePace = pace
      armMessageTimer(at: askAt)
    case .tooSlow:
      let seconds = CallError.seconds(messageNanoseconds)
      fail(
        WebSocketError(closeCode: 1008, reason: "timeouts.message_seconds: the message did not go on for \(seconds) s"))
    }
  }

  /// It is not taken back when the message ends: most end soon, and it finds nothing then.
  private func armMessageTimer(at instant: Instant) {
    messageTimer = loop.eventLoop.schedule(at: instant, self, tag: Self.messageTag)
  }

  private func arm(milliseconds: UInt64) {
    disarm()
    timer = loop.eventLoop.schedule(at: loop.now.advanced(milliseconds: milliseconds), self, tag: 0)
  }

  private func disarm() {
    if let timer { _ = loop.eventLoop.cancel(timer) }
    timer = nil
  }

  private func disarmMessageTimer() {
    if let messageTimer { _ = loop.eventLoop.cancel(messageTimer) }
    messageTimer = nil
  }

  // MARK: - The end

  private func finish() {
    state = .closed
    disarm()
    disarmMessageTimer()
    endHandler()
    connection.finish()
  }

  func connectionClosed() {
    state = .closed
    disarm()
    disarmMessageTimer()
    endHandler()
  }

  private func endHandler() {
    let handler = self.handler
    self.handler = nil
    handler?.linkClosed()
  }
}
