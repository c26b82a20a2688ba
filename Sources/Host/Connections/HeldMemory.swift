import Synchronization

/// What the connections of a host hold in memory: messages that come, answers that wait to be sent, the state of their
/// compression. All together hold `limits.buffered_bytes`; beyond it whoever holds the most is closed.
///
/// Each loop tells what the heaviest of its connections holds, so that the heaviest of all is found without asking.
/// Thread: any. Of another loop one may see what was true a moment ago: then a connection is closed that was the
/// heaviest a moment ago.
final class HeldMemory: Sendable {
  private final class Share: Sendable {
    let heaviest = Atomic<Int>(0)
    /// It was told that it has the heaviest, and has not looked yet.
    let isAsked = Atomic<Bool>(false)
  }

  private let limit: Atomic<Int>
  private let total = Atomic<Int>(0)
  /// The most that was held since `isDownFromPeak` said so.
  private let peak = Atomic<Int>(0)
  /// How often connections were looked through because too much was held.
  private let reliefs = Atomic<Int>(0)
  private let shares: [Share]

  /// - Parameters:
  ///   - limit: bytes.
  ///   - loops: how many loops there are; they are numbered from 0.
  init(limit: Int, loops: Int) {
    self.limit = Atomic(limit)
    shares = (0..<loops).map { _ in Share() }
  }

  var limitBytes: Int { limit.load(ordering: .relaxed) }
  var heldBytes: Int { total.load(ordering: .relaxed) }
  var isOver: Bool { heldBytes > limitBytes }

  func setLimit(_ bytes: Int) { limit.store(bytes, ordering: .relaxed) }

  /// A connection holds more by `change`, or less.
  func add(_ change: Int) {
    let now = total.add(change, ordering: .relaxed).newValue
    if now > peak.load(ordering: .relaxed) { peak.store(now, ordering: .relaxed) }
  }

  /// Of a peak that is worth it to give memory back to the system.
  static let notedPeakBytes = 16 << 20

  /// Whether much was held and little of it still is; says so once for each such peak. Thread: one.
  func isDownFromPeak() -> Bool {
    let now = heldBytes
    guard peak.load(ordering: .relaxed) >= max(Self.notedPeakBytes, 4 * now) else { return false }
    peak.store(now, ordering: .relaxed)
    return true
  }

  /// What the heaviest connection of a loop holds. Thread: that loop's.
  func setHeaviest(_ bytes: Int, ofLoop loop: Int) { shares[loop].heaviest.store(bytes, ordering: .relaxed) }
  func heaviest(ofLoop loop: Int) -> Int { shares[loop].heaviest.load(ordering: .relaxed) }

  /// The loop with the heaviest connection of all; among equals `own`, then the first.
  func loopOfHeaviest(own: Int) -> Int {
    var (found, most) = (own, heaviest(ofLoop: own))
    for loop in shares.indices where heaviest(ofLoop: loop) > most { (found, most) = (loop, heaviest(ofLoop: loop)) }
    return found
  }

  /// Whether a loop has to be told that it has the heaviest; false: it was told and has not looked yet.
  func asks(loop: Int) -> Bool { !shares[loop].isAsked.exchange(true, ordering: .relaxed) }
  func looks(loop: Int) {
    shares[loop].isAsked.store(false, ordering: .relaxed)
    reliefs.add(1, ordering: .relaxed)
  }

  var reliefCount: UInt64 { UInt64(reliefs.load(ordering: .relaxed)) }
}
