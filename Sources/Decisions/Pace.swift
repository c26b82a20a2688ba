/// Whether a transfer goes on: in each window it must end, or move at least `floorBytes`.
///
/// A rule of one byte in each window would let a peer keep a message or a queue in memory for ever at no cost of its
/// own; a rule about the whole transfer would cut off whoever has a slow line and much to say. Times are handed in.
package struct Pace: Equatable, Sendable {
  /// Bytes that a window must move: slower than the slowest line that is in use, whatever the window.
  package static let floorBytes = 16 << 10

  package enum Verdict: Equatable, Sendable {
    /// Ask again then.
    case goesOn(askAt: Instant)
    case tooSlow
  }

  private var windowStart: Instant
  private var moved = 0

  /// The transfer begins.
  package init(now: Instant) { windowStart = now }

  package mutating func move(_ bytes: Int) { moved = min(moved + bytes, Self.floorBytes) }

  /// When the window ends.
  package func due(windowNanoseconds: UInt64) -> Instant { windowStart.advanced(nanoseconds: windowNanoseconds) }

  /// What to do about a transfer that has not ended.
  package mutating func judge(windowNanoseconds: UInt64, now: Instant) -> Verdict {
    let due = due(windowNanoseconds: windowNanoseconds)
    guard due <= now else { return .goesOn(askAt: due) }
    guard moved >= Self.floorBytes else { return .tooSlow }
    self = Pace(now: now)
    return .goesOn(askAt: self.due(windowNanoseconds: windowNanoseconds))
  }
}
