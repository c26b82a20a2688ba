import Decisions

/// What is told of one call beside its answer: each moment is counted for the metrics and marked for the timeline.
///
/// Without a meter nothing is counted; after `end` nothing is marked. Thread: the loop's.
struct CallTrace {
  /// What happened so far; nil: the call has ended.
  private(set) var record: CallRecord?

  private let meter: LoopMeter?
  private let receivedAt: Instant
  private let isTool: Bool
  /// Whether it had to wait for a permit.
  private var hasWaited = false
  /// Until each try's opening had returned.
  private var openingNanoseconds: UInt64 = 0

  init(_ record: CallRecord, meter: LoopMeter?, receivedAt: Instant, isTool: Bool) {
    self.record = record
    self.meter = meter
    self.receivedAt = receivedAt
    self.isTool = isTool
  }

  private func cells(_ model: ModelEntry) -> RequestCells? { meter?.requests(of: model, isTool: isTool) }

  /// A moment that no metric asks for.
  func mark(_ mark: CallRecord.Mark, _ detail: String = "", now: Instant) { record?.mark(mark, detail, now: now) }

  // MARK: - Before the provider

  mutating func queued(for model: ModelEntry, now: Instant) {
    hasWaited = true
    mark(.queued, model.providerID, now: now)
  }

  /// It has a permit, at once or after a wait.
  func admitted(_ model: ModelEntry, now: Instant) {
    mark(.admitted, now: now)
    if hasWaited { return countWait(model, until: now) }
    meter?.observe(.admit, now.nanoseconds(since: receivedAt))
  }

  private func countWait(_ model: ModelEntry, until now: Instant) {
    cells(model)?.waited(nanoseconds: now.nanoseconds(since: receivedAt))
  }

  // MARK: - Tries

  /// The opening of a try has returned.
  mutating func opened(since began: Instant) {
    guard let meter else { return }
    let nanoseconds = Instant.now().nanoseconds(since: began)
    openingNanoseconds &+= nanoseconds
    meter.observe(.plugin, nanoseconds)
  }

  /// A try has failed and another begins.
  func retried(_ model: ModelEntry, attempt: Int, usage: TokenUsage?, now: Instant) {
    count(usage, model)
    mark(.retry, "try \(attempt), \(model.providerID)", now: now)
  }

  /// A piece of the answer has come. The first is timed by the clock, the others by their turns.
  func piece(_ model: ModelEntry, now: Instant) {
    guard let record else { return }
    let cells = cells(model)
    if record.chunks == 0 {
      let first = Instant.now()
      cells?.firstToken(nanoseconds: first.nanoseconds(since: receivedAt))
      record.chunk(now: first)
    } else {
      cells?.gap(nanoseconds: now.nanoseconds(since: record.lastChunkAt))
      record.chunk(now: max(now, record.lastChunkAt))
    }
  }

  /// What its provider said of tokens, of one try.
  private func count(_ usage: TokenUsage?, _ model: ModelEntry) {
    if let usage { cells(model)?.count(usage, isChat: !isTool) }
  }

  // MARK: - The end

  /// A running try was stopped: the exchanges are closed by jobs of this turn that stand before this one.
  func stopped(_ model: ModelEntry, on loop: EventLoop) {
    guard let cells = cells(model) else { return }
    let seen = loop.now
    loop.enqueue(.work { cells.cancelled(nanoseconds: Instant.now().nanoseconds(since: seen)) })
  }

  /// How a call has ended, for its counts.
  struct End {
    var ending: CallEnding
    /// It never got a permit.
    var isRefused: Bool
    var attempts: Int
    var usage: TokenUsage?
    var upstreamNanoseconds: UInt64
    var now: Instant
  }

  /// Counts the call, and gives up its record.
  mutating func end(_ end: End, _ model: ModelEntry) -> CallRecord? {
    count(end, model)
    return record.take()
  }

  private func count(_ end: End, _ model: ModelEntry) {
    guard let meter, let cells = cells(model) else { return }
    let ending = end.ending
    if end.attempts == 0, hasWaited { countWait(model, until: end.now) }
    if end.isRefused { return cells.count(.refused, ending.error?.code) }
    cells.ended(
      RequestOutcome(ending.outcome), ending.error?.code, nanoseconds: end.now.nanoseconds(since: receivedAt))
    count(end.usage, model)
    guard end.attempts > 0 else { return }
    meter.observe(.upstream, end.upstreamNanoseconds &- min(openingNanoseconds, end.upstreamNanoseconds))
    if ending.outcome == .complete, !isTool, let first = record?.firstTokenAt, first != .never,
      let tokens = end.usage?.outputTokens, tokens > 1
    {
      cells.perToken(nanoseconds: end.now.nanoseconds(since: first) / (tokens - 1))
    }
  }
}
