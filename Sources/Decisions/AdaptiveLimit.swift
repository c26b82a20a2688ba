/// How many calls a provider takes at once, learned from its own refusals: additive increase, multiplicative decrease,
/// never beyond what the operator configured.
///
/// Half of it goes when the provider says that too many calls are in flight, once for all calls that were under way
/// together. One comes back after as many successes under full load as the limit is.
package struct AdaptiveLimit: Equatable, Sendable {
  /// The configured limit.
  package private(set) var maximum: Int
  package private(set) var current: Int
  private var successes = 0
  private var lastDecrease: Instant?

  package init(maximum: Int) {
    self.maximum = maximum
    current = maximum
  }

  /// The operator set another limit: it bounds what was learned.
  mutating func setMaximum(_ maximum: Int) {
    self.maximum = maximum
    current = min(current, maximum)
  }

  /// A call succeeded; `isFull`: the limit was reached while it ran.
  mutating func succeeded(isFull: Bool) {
    guard isFull, current < maximum else { return }
    successes += 1
    guard successes >= current else { return }
    successes = 0
    current += 1
  }

  /// The provider refused a call that began at `since` because too many are in flight.
  mutating func refused(since: Instant, now: Instant) {
    if let lastDecrease, since <= lastDecrease { return }
    lastDecrease = now
    successes = 0
    current = max(1, current / 2)
  }
}
