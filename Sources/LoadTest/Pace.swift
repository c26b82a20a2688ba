/// When the next call may begin: at once, or so many a second, evenly spaced over all connections.
package struct Pace: Sendable {
  private let intervalNanoseconds: UInt64
  private var next: UInt64

  /// - Parameters:
  ///   - perSecond: calls a second, more than 0; nil: as fast as connections come free.
  ///   - now: nanoseconds of the clock that `take` is asked with.
  package init(perSecond: Double?, now: UInt64) {
    precondition(perSecond.map { $0 > 0 } ?? true, "a pace is more than 0 calls a second")
    intervalNanoseconds = perSecond.map { UInt64(1_000_000_000 / $0) } ?? 0
    next = now
  }

  /// When `take` will say yes; in the past if it does now.
  package var nextNanoseconds: UInt64 { next }

  /// Whether a call may begin now. A turn that nobody could take is lost: a stalled host gets no burst afterwards.
  package mutating func take(now: UInt64) -> Bool {
    guard intervalNanoseconds > 0 else { return true }
    guard now >= next else { return false }
    next += intervalNanoseconds
    if next <= now { next = now + intervalNanoseconds }
    return true
  }
}
