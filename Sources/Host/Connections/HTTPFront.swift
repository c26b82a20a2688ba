import Bytes
import Decisions
import Wire

/// HTTP/1.1 on a connection (RFC 9112): requests in their order, one at a time, each answered by the listener's
/// responder, until one of them closes the connection or leads out of HTTP.
///
/// What the bytes say is `HTTPRequestStream`'s to decide, and what may take how long `HTTPClocks`'s; this class has the
/// socket and the timer. While an answer is made or waits to be sent, the next request is not read, so that a client
/// which sends without reading has one answer and 64 KiB of its own bytes here. Thread: the loop's.
final class HTTPFront: ConnectionHandler, TimerTarget {
  /// Then the connection is closed, so that a proxy's connections are spread anew now and then.
  static let requestsPerConnection = 1_000

  let connection: Connection
  private let responder: any HTTPResponder
  private var stream = HTTPRequestStream()
  private var clocks: HTTPClocks
  private var timer: (id: TimerID, due: Instant)?
  /// Of the request that is being answered.
  private var answer: HTTPAnswer?
  private var handler: (any HTTPRequestHandler)?
  private var requests = 0
  /// Whether the client waits for a 100. Whether it sends its body after another answer is its own choice, so that where
  /// its next request begins would be anyone's guess (RFC 9110 §10.1.1).
  private var owesContinue = false
  /// Whether nothing more is read here.
  private var isDone = false

  init(connection: Connection, responder: any HTTPResponder) {
    self.connection = connection
    self.responder = responder
    let timeouts = connection.loop.configuration.timeouts
    clocks = HTTPClocks(
      HTTPClocks.Limits(
        requestNanoseconds: timeouts.requestMilliseconds * 1_000_000,
        idleNanoseconds: timeouts.keepAliveMilliseconds * 1_000_000), now: connection.loop.now)
    arm()
  }

  private var loop: HostLoop { connection.loop }

  // MARK: - Reading

  func received(_ buffer: inout ByteBuffer, on connection: Connection) {
    guard !isDone else { return buffer.removeAll() }
    do throws(HTTPError) {
      // A client that does not wait for the 101 has sent its first frames behind the request.
      if let next = try read(&buffer) { return next.received(&buffer, on: connection) }
    } catch {
      fail(error)
    }
    guard !isDone else { return buffer.removeAll() }
    settle(hasRest: !buffer.isEmpty)
    if buffer.count >= ConnectionLimits.readBytes { connection.hold() }
  }

  /// Returns who goes on with the connection when it leaves HTTP.
  private func read(_ buffer: inout ByteBuffer) throws(HTTPError) -> (any ConnectionHandler)? {
    while !isDone, !mustWait, let event = try stream.next(&buffer) {
      switch event {
      case .head(let head):
        if let next = try begin(head, hasMore: !buffer.isEmpty) { return next }
      case .body(let piece):
        clocks.bodyReceived(piece.count)
        handler?.received(piece)
      case .end:
        clocks.bodyEnded()
        handler?.bodyEnded()
      }
    }
    return nil
  }

  /// The next request waits until the answer before it was sent.
  private var mustWait: Bool { stream.isBetweenRequests && !connection.outbound.isEmpty }

  private func begin(_ head: HTTPRequestHead, hasMore: Bool) throws(HTTPError) -> (any ConnectionHandler)? {
    requests += 1
    clocks.bodyBegan(now: loop.now)
    let answer = HTTPAnswer(head, front: self)
    self.answer = answer
    guard head.expectation != .unknown else {
      throw HTTPError(status: 417, reason: "the only expectation that is met is 100-continue")
    }
    owesContinue = head.expectation == .continue && head.bodyLength != .none
    switch responder.decide(head) {
    case .reply(let reply):
      if let reason = reply.refusal { logRefusal(reply.status, reason, answer) }
      answer.send(reply)
    case .handle(let handler, let bodyBytesLimit):
      try stream.takeBody(upTo: bodyBytesLimit)
      self.handler = handler
      handler.began(answer)
      if owesContinue, answer.isAwaited, !hasMore {
        HTTPResponse.appendContinue(to: &connection.outbound)
        connection.outboundChanged()
      }
      owesContinue = false
    case .upgrade(let leave):
      self.answer = nil
      answer.cutOff()
      end()
      return leave(connection)
    }
    return nil
  }

  /// After bytes were read: which clock runs now.
  private func settle(hasRest: Bool) {
    if stream.isBetweenRequests, answer == nil {
      clocks.answered(now: loop.now)
      if hasRest, connection.outbound.isEmpty { clocks.headBegan(now: loop.now) }
    }
    arm()
  }

  // MARK: - Answering

  /// Whether the connection may go on after the answer that is about to be said.
  ///
  /// - Parameter isWhole: the answer ends at once, so that what is left of the request's body is dropped.
  func mayGoOn(after head: HTTPRequestHead, isWhole: Bool) -> Bool {
    guard head.keepsAlive, !owesContinue, requests < Self.requestsPerConnection, !loop.isDraining else {
      return false
    }
    return !isWhole || stream.dropBody()
  }

  /// The answer is complete.
  func answered(keepsAlive: Bool) {
    answer = nil
    handler = nil
    connection.outboundChanged()
    guard keepsAlive, stream.dropBody() else { return close() }
    stream.answered()
    settle(hasRest: false)
    connection.proceed()
  }

  /// What came is no request, or none that came in time: the client is told, if no other answer was begun.
  private func fail(_ error: HTTPError) {
    let (answer, handler) = (self.answer, self.handler)
    self.handler = nil
    logRefusal(error.status, error.reason, answer)
    if let answer, answer.isAwaited {
      var reply = HTTPReply.error(error.status, error.reason)
      reply.closes = true
      answer.send(reply)
    } else if answer == nil, stream.isBetweenRequests {
      HTTPAnswer.append(.error(error.status, error.reason), to: &connection.outbound)
      connection.outboundChanged()
      close()
    } else {
      // An answer that is cut off is seen to be: its last chunk is missing.
      answer?.cutOff()
      close()
    }
    handler?.clientLeft()
  }

  private func logRefusal(_ status: Int, _ reason: String, _ answer: HTTPAnswer?) {
    loop.warn(
      "Refused an HTTP request", kind: "\(status)",
      [("status", "\(status)"), ("reason", reason), ("peer", "\(connection.peer)")] + (answer?.names ?? []))
  }

  // MARK: - Time

  func timerFired(_ tag: UInt32) {
    timer = nil
    switch clocks.due(now: loop.now) {
    case .rest: break
    case .wait: arm()
    case .refuse: fail(HTTPError(status: 408, reason: "no complete HTTP request came in time"))
    // Who has not taken the last answer yet is judged by that (`client_stall_seconds`).
    case .close where !connection.outbound.isEmpty || connection.unreadBytes > 0:
      clocks.stillSending(now: loop.now)
      arm()
    case .close: close()
    }
  }

  /// A deadline that has moved on is looked at when the timer fires; only an earlier one needs another timer.
  private func arm() {
    guard !isDone, clocks.deadline != .never else { return }
    if let timer {
      guard clocks.deadline < timer.due else { return }
      _ = loop.eventLoop.cancel(timer.id)
    }
    timer = (loop.eventLoop.schedule(at: clocks.deadline, self, tag: 0), clocks.deadline)
  }

  // MARK: - The end

  private func end() {
    isDone = true
    if let timer { _ = loop.eventLoop.cancel(timer.id) }
    timer = nil
  }

  private func close() {
    end()
    connection.finish()
  }

  func backlogCleared() { handler?.backlogCleared() }
  var heldBytes: Int { handler?.heldBytes ?? 0 }
  func shed(_ reason: String) { if !isDone { fail(HTTPError(status: 503, reason: reason)) } }

  func sweep() {}

  func drain(isOver: Bool) {
    guard !isDone else { return }
    if let handler { return handler.drain(isOver: isOver) }
    if clocks.isIdle || stream.isInBody { return close() }
    HTTPAnswer.append(.error(503, "the host is shutting down"), to: &connection.outbound)
    connection.outboundChanged()
    close()
  }

  func connectionClosed() {
    end()
    let handler = self.handler
    self.handler = nil
    answer?.cutOff()
    answer = nil
    handler?.clientLeft()
  }
}
