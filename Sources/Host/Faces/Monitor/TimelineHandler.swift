import Bytes
import Decisions

/// Answers `/requests/ID` with all that is known of one call, whichever loop has or had it.
///
/// Thread: the loop's.
final class TimelineHandler: HTTPRequestHandler {
  private let loop: HostLoop
  private let name: String
  private var answer: HTTPAnswer?
  private var outstanding = 0
  private var found: [CallTimeline] = []

  /// - Parameter name: a call's key, or its client's id.
  init(_ name: String, _ loop: HostLoop) {
    self.name = name
    self.loop = loop
  }

  func began(_ answer: HTTPAnswer) {
    self.answer = answer
    let (home, name) = (loop, name)
    let loops = loop.peers.all
    outstanding = loops.count
    for other in loops {
      other.post {
        let timeline = other.timeline(named: name)
        home.post { [self] in take(timeline) }
      }
    }
  }

  private func take(_ timeline: CallTimeline?) {
    if let timeline { found.append(timeline) }
    outstanding -= 1
    guard outstanding == 0, let answer else { return }
    self.answer = nil
    let best =
      found.first { $0.summary.ticket.key == name } ?? found.max { $0.summary.receivedAt < $1.summary.receivedAt }
    guard let best else {
      return answer.send(
        .error(
          404,
          "no call \(CallError.shortened(name)) runs or is among the last \(CallRecords.kept) that ended on each loop"
        ))
    }
    var body = ByteBuffer()
    TimelineWriter(best, loop.services.principals.names).write(to: &body)
    body.append("\n")
    answer.send(HTTPReply(status: 200, body: body.string(), headers: [("Cache-Control", "no-store")]))
  }

  func received(_ piece: UnsafeRawBufferPointer) {}
  func bodyEnded() {}
  func backlogCleared() {}
  var heldBytes: Int { 0 }

  func drain(isOver: Bool) {
    guard isOver, let answer else { return }
    self.answer = nil
    answer.send(.error(503, "the host is shutting down"))
  }

  func clientLeft() { answer = nil }
}

/// The JSON of one call: what the lists say of it, then what happened.
private struct TimelineWriter {
  private let timeline: CallTimeline
  private let writer: CallWriter

  init(_ timeline: CallTimeline, _ names: [String]) {
    self.timeline = timeline
    writer = CallWriter(timeline.summary, names, WallClock())
  }

  func write(to buffer: inout ByteBuffer) {
    buffer.append("{")
    switch timeline.summary.state {
    case .live: writer.writeLive(to: &buffer)
    case .ended: writer.writeEnded(to: &buffer)
    }
    buffer.append(",\"events\":[{\"at_ms\":0,\"what\":\"received\",\"detail\":\"\"}")
    for entry in timeline.entries { event(entry.microseconds, entry.mark.rawValue, entry.detail, to: &buffer) }
    if case .ended(let outcome, let error, let at) = timeline.summary.state {
      let microseconds = UInt32(clamping: at.nanoseconds(since: timeline.summary.receivedAt) / 1000)
      event(
        max(microseconds, timeline.entries.last?.microseconds ?? 0), outcome,
        error.map { "\($0.code.rawValue): \($0.message)" } ?? "", to: &buffer)
    }
    buffer.append("],\"gaps\":[")
    for (index, gap) in timeline.gaps.enumerated() {
      buffer.append(index == 0 ? "[" as StaticString : ",[")
      buffer.appendMilliseconds(nanoseconds: UInt64(gap.atMicroseconds) * 1000)
      buffer.append(",")
      buffer.appendMilliseconds(nanoseconds: UInt64(gap.microseconds) * 1000)
      buffer.append("]")
    }
    buffer.append("]}")
  }

  private func event(_ microseconds: UInt32, _ what: String, _ detail: String, to buffer: inout ByteBuffer) {
    buffer.append(",{\"at_ms\":")
    buffer.appendMilliseconds(nanoseconds: UInt64(microseconds) * 1000)
    buffer.append(",\"what\":\"")
    buffer.append(what)
    buffer.append("\",\"detail\":")
    buffer.appendJSON(string: detail)
    buffer.append("}")
  }
}
