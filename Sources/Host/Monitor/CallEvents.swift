import Bytes
import Decisions

/// Calls that run or wait: the event `requests`.
struct RequestsEvent {
  private let live: [CallSummary]
  private let total: Int
  private let names: [String]
  private let clock: WallClock

  init(_ views: [LoopView], _ names: [String], _ clock: WallClock) {
    live = Array(views.flatMap(\.live).sorted { $0.receivedAt < $1.receivedAt }.prefix(LoopView.rowsLimit))
    total = views.reduce(0) { $0 + $1.liveTotal }
    self.names = names
    self.clock = clock
  }

  func write(to buffer: inout ByteBuffer) {
    buffer.append("{\"at\":")
    buffer.appendDecimal(clock.present)
    buffer.append(",\"total\":")
    buffer.appendDecimal(total)
    buffer.append(",\"live\":[")
    for (index, call) in live.enumerated() {
      if index > 0 { buffer.append(",") }
      buffer.append("{")
      CallWriter(call, names, clock).writeLive(to: &buffer)
      buffer.append("}")
    }
    buffer.append("]}")
  }
}

/// Calls that ended last, and behind them the last failure of each provider if it was longer ago: the event `recent`.
struct RecentEvent {
  private let ended: [CallSummary]
  private let names: [String]
  private let clock: WallClock

  init(_ views: [LoopView], _ names: [String], _ clock: WallClock) {
    let last = views.flatMap { $0.ended ?? [] }.sorted { $0.endedAt > $1.endedAt }.prefix(LoopView.endedLimit)
    var seen = Set(last.lazy.filter(\.isFailure).map(\.model.provider))
    let before = views.flatMap(\.failures).sorted { $0.endedAt > $1.endedAt }.filter {
      seen.insert($0.model.provider).inserted
    }
    ended = last + before
    self.names = names
    self.clock = clock
  }

  func write(to buffer: inout ByteBuffer) {
    buffer.append("[")
    for (index, call) in ended.enumerated() {
      if index > 0 { buffer.append(",") }
      buffer.append("{")
      CallWriter(call, names, clock).writeEnded(to: &buffer)
      buffer.append("}")
    }
    buffer.append("]")
  }
}

extension CallSummary {
  var endedAt: Instant { if case .ended(_, _, let at) = state { at } else { .never } }
}

/// The members of one call's object.
struct CallWriter {
  private let call: CallSummary
  private let names: [String]
  private let clock: WallClock

  /// - Parameter names: of the principals, by number.
  init(_ call: CallSummary, _ names: [String], _ clock: WallClock) {
    self.call = call
    self.names = names
    self.clock = clock
  }

  func writeLive(to buffer: inout ByteBuffer) {
    writeIdentity(to: &buffer)
    if case .live(let phase, let isPaused) = call.state {
      buffer.append(",\"phase\":\"")
      buffer.append(phase)
      buffer.append(isPaused ? "\",\"is_paused\":true" as StaticString : "\",\"is_paused\":false")
    }
    buffer.append(",\"attempt\":")
    buffer.appendDecimal(call.attempts)
    buffer.append(",\"last_chunk_ms_ago\":")
    if call.chunks > 0 { buffer.appendDecimal(clock.age(of: call.lastChunkAt)) } else { buffer.append("null") }
    writeTimes(to: &buffer)
  }

  func writeEnded(to buffer: inout ByteBuffer) {
    writeIdentity(to: &buffer)
    if case .ended(let outcome, let error, let at) = call.state {
      buffer.append(",\"outcome\":\"")
      buffer.append(outcome)
      buffer.append("\",\"code\":")
      if let error { buffer.appendJSON(string: error.code.rawValue) } else { buffer.append("null") }
      buffer.append(",\"message\":")
      if let error { buffer.appendJSON(string: error.message) } else { buffer.append("null") }
      buffer.append(",\"duration_ms\":")
      buffer.appendMilliseconds(nanoseconds: at.nanoseconds(since: call.receivedAt))
    }
    buffer.append(",\"attempts\":")
    buffer.appendDecimal(call.attempts)
    writeTimes(to: &buffer)
  }

  private func writeIdentity(to buffer: inout ByteBuffer) {
    buffer.append("\"id\":")
    buffer.append(call.id)
    buffer.append(",\"key\":\"")
    buffer.append(call.ticket.key)
    buffer.append("\",\"session\":")
    buffer.appendDecimal(call.session)
    buffer.append(",\"principal\":")
    if let number = call.principal, names.indices.contains(number) {
      buffer.appendJSON(string: names[number])
    } else {
      buffer.append("null")
    }
    buffer.append(",\"provider\":")
    buffer.appendJSON(string: call.model.providerID)
    buffer.append(",\"model\":")
    buffer.appendJSON(string: call.model.id)
    buffer.append(",\"tool\":")
    buffer.appendJSON(string: call.tool)
  }

  private func writeTimes(to buffer: inout ByteBuffer) {
    buffer.append(",\"started_at\":")
    buffer.appendDecimal(clock.milliseconds(of: call.receivedAt))
    buffer.append(",\"queued_ms\":")
    buffer.appendMilliseconds(nanoseconds: queuedNanoseconds)
    buffer.append(",\"first_token_ms\":")
    if call.chunks > 0 {
      buffer.appendMilliseconds(nanoseconds: call.firstTokenAt.nanoseconds(since: call.receivedAt))
    } else {
      buffer.append("null")
    }
    buffer.append(",\"chunks\":")
    buffer.appendDecimal(call.chunks)
    buffer.append(",\"max_gap_ms\":")
    buffer.appendMilliseconds(nanoseconds: UInt64(call.maxGapMicroseconds) * 1000)
  }

  /// Of one that waits, what it has waited by now.
  private var queuedNanoseconds: UInt64 {
    guard case .live("queued", _) = call.state else { return call.queuedNanoseconds }
    return clock.age(of: call.receivedAt) * 1_000_000
  }
}

extension Ticket {
  /// How the feed names a call uniquely: `0-17`.
  var key: String { "\(loop)-\(call)" }
}
