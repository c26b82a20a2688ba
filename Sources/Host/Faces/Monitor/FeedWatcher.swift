import Bytes
import Decisions

/// One who watches the host: an answer without end at `/events`.
///
/// | state     | event                                  | then                                              |
/// |-----------|----------------------------------------|---------------------------------------------------|
/// | fresh     | the request                            | greeted: `hello` is said, or over: no seat is left |
/// | greeted   | a frame                                | following: all of it is said                      |
/// | following | a frame, and the last one was taken    | following: what is new is said                    |
/// | following | a frame, and the last one waits        | behind: nothing is said                           |
/// | behind    | a frame, and nothing waits             | following: all of it is said                      |
/// | any       | it may not watch any more, or the stop | over: `bye`, and the connection ends              |
/// | any       | the client leaves                      | over                                              |
///
/// So no more than one frame ever waits for a client. Thread: the loop's.
final class FeedWatcher: HTTPRequestHandler {
  private enum State { case fresh, greeted, following, behind, over }

  private let loop: HostLoop
  private let caller: Caller
  private var answer: HTTPAnswer?
  private var state = State.fresh

  init(_ caller: Caller, _ loop: HostLoop) {
    self.caller = caller
    self.loop = loop
  }

  private var services: HostServices { loop.services }

  // MARK: - The request

  func began(_ answer: HTTPAnswer) {
    guard services.monitor.seats.take() else {
      let reason = "\(WatcherSeats.limit) watch already, which is all that may"
      return answer.send(.error(503, reason, headers: [("Retry-After", "10")]))
    }
    self.answer = answer
    answer.begin(
      status: 200, contentType: "text/event-stream",
      headers: [("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")],
      closes: true)
    state = .greeted
    guard answer.head.method != "HEAD" else { return end() }
    write(FeedEvent.text("hello", writeHello))
    loop.feed.join(self)
  }

  private func writeHello(to buffer: inout ByteBuffer) {
    let clock = WallClock()
    buffer.append("{\"protocol\":1,\"version\":")
    buffer.appendJSON(string: services.version)
    buffer.append(",\"instance\":\"")
    buffer.append(services.monitor.instance)
    buffer.append("\",\"started_at\":")
    buffer.appendDecimal(clock.milliseconds(of: services.startedAt))
    buffer.append(",\"now\":")
    buffer.appendDecimal(clock.present)
    buffer.append(",\"interval_ms\":")
    buffer.appendDecimal(FeedGatherer.intervalMilliseconds)
    buffer.append(",\"role\":\"")
    buffer.append(caller.role)
    buffer.append("\",\"principal\":")
    if let name = caller.principal?.name { buffer.appendJSON(string: name) } else { buffer.append("null") }
    buffer.append(",\"csrf\":")
    if caller.mayOperate { buffer.appendJSON(string: caller.formToken(services)) } else { buffer.append("null") }
    buffer.append("}")
  }

  func received(_ piece: UnsafeRawBufferPointer) {}
  func bodyEnded() {}
  func backlogCleared() {}
  var heldBytes: Int { 0 }

  // MARK: - Frames

  /// All that is known, right after the greeting.
  func begin(_ frame: FeedFrame) {
    guard state == .greeted else { return }
    state = .following
    write(frame.whole)
  }

  func take(_ frame: FeedFrame) {
    guard caller.isStillWelcome(services) else { return end("what let you in no longer does; log in again") }
    switch state {
    case .fresh, .over: break
    case .greeted: begin(frame)
    case .following, .behind:
      guard let answer, !answer.hasBacklog else { return state = .behind }
      write(state == .following ? frame.changes : frame.whole)
      state = .following
    }
  }

  /// A sign of life for whoever is between.
  func comment() {
    guard let answer, !answer.hasBacklog else { return }
    write(Array(":\n\n".utf8))
  }

  private func write(_ text: [UInt8]) { _ = text.withUnsafeBytes { answer?.write($0) } }

  // MARK: - The end

  func drain(isOver: Bool) { if isOver { end("the host has stopped") } }

  func clientLeft() { leave() }

  private func end(_ reason: String? = nil) {
    guard let answer else { return }
    if let reason {
      write(
        FeedEvent.text("bye") { buffer in
          buffer.append("{\"reason\":")
          buffer.appendJSON(string: reason)
          buffer.append("}")
        })
    }
    leave()
    answer.end()
  }

  private func leave() {
    guard state != .fresh, state != .over else { return }
    state = .over
    answer = nil
    services.monitor.seats.leave()
    loop.feed.leave(self)
  }
}
