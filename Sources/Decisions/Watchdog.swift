/// When a supervisor is told that the host lives: four times as often as it demands, and only while every loop turns.
package struct Watchdog: Equatable, Sendable {
  /// The longest time between two signs of life that the supervisor allows; greater than 0.
  package let intervalNanoseconds: UInt64
  private var last: Instant?

  package init(intervalNanoseconds: UInt64) { self.intervalNanoseconds = max(1, intervalNanoseconds) }

  /// How often to look.
  package var lookNanoseconds: UInt64 { max(1, intervalNanoseconds / 4) }

  /// A loop that has not answered for longer does not turn. Half of the interval: what merely was slow is forgiven
  /// before the supervisor acts.
  package var patienceNanoseconds: UInt64 { intervalNanoseconds / 2 }

  /// Whether to give the sign now.
  ///
  /// - Parameter standstillNanoseconds: for how long the slowest loop has not answered; 0: all have.
  package mutating func look(standstillNanoseconds: UInt64, now: Instant) -> Bool {
    guard standstillNanoseconds <= patienceNanoseconds else { return false }
    if let last, now.nanoseconds(since: last) < lookNanoseconds { return false }
    last = now
    return true
  }
}
