/// What becomes of a worker process that ended without being asked to.
///
/// The first end is answered at once; from the second on a growing time is waited; the third within `window` means that
/// the plugin's file itself is at fault. A worker that ran well for as long as the window begins anew.
package struct WorkerSupervision: Equatable, Sendable {
  package enum Decision: Equatable, Sendable {
    /// Start another after this many nanoseconds.
    case restart(afterNanoseconds: UInt64)
    /// Start none until the file has changed or an operator says so.
    case quarantine
  }

  /// Nanoseconds: five minutes.
  package static let window: UInt64 = 300_000_000_000
  /// Ends within the window that are too many.
  package static let endsLimit = 3
  /// Nanoseconds before the first restart that waits; doubled for each one after it.
  package static let firstWait: UInt64 = 100_000_000
  package static let longestWait: UInt64 = 10_000_000_000

  /// When it ended, as far as that is within the window; the oldest first.
  private var ends: [Instant] = []
  /// Ends since it last ran well.
  private var run: UInt64 = 0

  package init() {}

  /// The worker has ended, whatever the reason.
  package mutating func ended(now: Instant) -> Decision {
    if let last = ends.last, now.nanoseconds(since: last) >= Self.window { run = 0 }
    ends.removeAll { now.nanoseconds(since: $0) >= Self.window }
    ends.append(now)
    if ends.count >= Self.endsLimit { return .quarantine }
    run += 1
    guard run > 1 else { return .restart(afterNanoseconds: 0) }
    let doublings = min(run - 2, 16)
    return .restart(afterNanoseconds: min(Self.firstWait << doublings, Self.longestWait))
  }
}
