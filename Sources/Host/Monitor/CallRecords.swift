import Decisions

/// The records of one loop: those of its last calls that ended, in a ring. What falls out of it is used again.
///
/// Thread: the loop's.
struct CallRecords {
  /// Calls that ended and are still known, on each loop.
  static let kept = 200
  private static let sparesLimit = 64

  /// The oldest stands at `next` once it is full.
  private var ring: [CallRecord] = []
  private var next = 0
  private var spares: [CallRecord] = []
  /// By provider's number, the last call that failed there or was cut short: what a flood of refusals or of other calls
  /// must not wash away.
  private var failures: [Int: CallSummary] = [:]
  /// Calls that ended since the start: tells whether `ended` has changed.
  private(set) var endedCount: UInt64 = 0

  /// A record for a call that begins.
  mutating func begin(receivedAt: Instant) -> CallRecord {
    let record = spares.popLast() ?? CallRecord()
    record.begin(receivedAt: receivedAt)
    return record
  }

  /// The call has ended; nobody but this holds its record from now on.
  mutating func end(_ record: CallRecord, _ summary: consuming CallSummary) {
    if summary.isFailure { failures[summary.model.provider] = copy summary }
    record.close(summary)
    endedCount &+= 1
    guard ring.count == Self.kept else { return ring.append(record) }
    if spares.count < Self.sparesLimit { spares.append(ring[next]) }
    ring[next] = record
    next = (next + 1) % Self.kept
  }

  /// Those that ended last, newest first.
  func ended(_ count: Int) -> [CallSummary] { newestFirst.lazy.prefix(count).compactMap(\.summary) }

  /// The last failure of each provider.
  var lastFailures: [CallSummary] { Array(failures.values) }

  /// The newest for which `isIt` holds.
  func timeline(where isIt: (CallSummary) -> Bool) -> CallTimeline? {
    for record in newestFirst {
      guard let summary = record.summary, isIt(summary) else { continue }
      return CallTimeline(summary: summary, entries: record.entries, gaps: record.lastGaps)
    }
    return nil
  }

  private var newestFirst: [CallRecord] { (ring[next...] + ring[..<next]).reversed() }
}
