internal import Decisions
internal import Glibc
internal import Synchronization

/// The past of the chosen figures: sampled on a thread of its own, kept on another, so that neither a loop nor a sample
/// ever waits for the disk.
///
/// Thread: any; `start` and `stop` once each, the control thread's.
final class History: StorageStatus, Sendable {
  let sampleMilliseconds: UInt64
  let keepDays: Int
  private let path: String
  private let maxBytes: Int64
  private let log: Log
  private let waiting = HistoryQueue()
  private let shared: Mutex<Shared>
  private let stopping = Latch<Void>()
  private let clockEnded = Latch<Void>()
  private let ended = Latch<Void>()

  private struct Shared: Sendable {
    var status: HistoryStatus
    var bytes: Int64 = 0
    var written: UInt64 = 0
    var isRunning = false
  }

  struct Figures: Equatable, Sendable {
    /// Samples that wait to be written.
    var queued: Int
    /// Samples that were written.
    var written: UInt64
    /// Samples that were lost.
    var dropped: UInt64
    /// Of the file.
    var bytes: Int64
  }

  /// How long `stop` waits for the disk.
  private static let stopMilliseconds: UInt64 = 2_000

  /// nil: the settings say that nothing is kept.
  init?(_ settings: Configuration.Storage, _ log: Log) {
    guard settings.kind == .sqlite else { return nil }
    path = settings.path
    sampleMilliseconds = settings.sampleMilliseconds
    keepDays = settings.keepDays
    maxBytes = Int64(settings.maxBytes)
    self.log = log
    shared = Mutex(Shared(status: HistoryStatus(path: settings.path)))
  }

  var state: (isHealthy: Bool, message: String, remedy: String) { shared.withLock { $0.status }.report }

  var queue: (used: Int, limit: Int)? { (waiting.count, HistoryQueue.samplesLimit) }

  var figures: Figures {
    let (written, bytes) = shared.withLock { ($0.written, $0.bytes) }
    return Figures(queued: waiting.count, written: written, dropped: waiting.dropped, bytes: bytes)
  }

  /// Begins to sample and to keep. `snapshot` is called on the sampling thread.
  func start(_ snapshot: @escaping @Sendable () -> MetricSnapshot) {
    shared.withLock { $0.isRunning = true }
    let keeps = ControlJob.run(named: "history") { [self] in keep() }
    let samples = keeps && ControlJob.run(named: "history-clock") { [self] in sample(snapshot) }
    if !keeps { ended.put(()) }
    if !samples {
      clockEnded.put(())
      log.warning("History is not kept", ("path", path), ("reason", "the system has no thread for it"))
    }
  }

  /// Writes what waits, as far as the disk takes it in time, and closes the file.
  func stop() {
    guard shared.withLock({ $0.isRunning }) else { return }
    stopping.put(())
    waiting.close()
    let isDone = ended.wait(milliseconds: Self.stopMilliseconds) != nil
    if !isDone { log.warning("History was not closed: the disk does not answer", ("path", path)) }
    _ = clockEnded.wait(milliseconds: Self.stopMilliseconds)
  }

  /// Asks for the past; `reply` is called on the history's thread. false: too many ask at once, or nothing runs.
  func ask(_ query: HistoryQuery, _ reply: @escaping HistoryQueue.Reply) -> Bool {
    guard shared.withLock({ $0.isRunning }) else { return false }
    return waiting.ask(query, reply)
  }

  // MARK: - The threads

  /// One sample each interval; what was missed is not made up for.
  private func sample(_ snapshot: @Sendable () -> MetricSnapshot) {
    var sampler = HistorySampler()
    var due = Instant.now()
    while true {
      let now = Instant.now()
      waiting.offer(sampler.take(snapshot(), at: Self.wallMilliseconds(), now: now))
      due = max(due.advanced(milliseconds: sampleMilliseconds), now)
      let wait = due.nanoseconds(since: .now()) / 1_000_000
      if stopping.wait(milliseconds: wait) != nil { return clockEnded.put(()) }
    }
  }

  private func keep() {
    let tiers = HistoryTiers(
      sample: Int64(sampleMilliseconds), keep: Int64(keepDays) * HistoryTiers.day)
    let writer = HistoryWriter(path: path, tiers: tiers, maxBytes: maxBytes, log: log)
    writer.open(now: .now())
    publish(writer)
    while step(writer) {}
    writer.close()
    ended.put(())
  }

  /// false: it is over.
  private func step(_ writer: HistoryWriter) -> Bool {
    let mayWrite = writer.retryAt <= .now()
    switch waiting.next(takesSamples: mayWrite, until: mayWrite ? .never : writer.retryAt) {
    case .closed: return false
    case .timeout: break
    case .question(let query, let reply):
      let answer = writer.answer(query, now: .now())
      publish(writer)
      reply(answer)
    case .sample(let sample):
      if writer.write(sample, now: .now()) {
        shared.withLock { $0.written &+= 1 }
      } else {
        waiting.giveBack(sample)
      }
      publish(writer)
    }
    return true
  }

  private func publish(_ writer: HistoryWriter) {
    let (status, bytes) = (writer.status, writer.bytes)
    shared.withLock {
      $0.status = status
      $0.bytes = bytes
    }
  }

  /// Milliseconds since 1970.
  static func wallMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec / 1_000_000)
  }
}
