/// How often, and how long, one call is tried; the one budget there is, for all models it may go to.
package struct RetryPolicy: Equatable, Sendable {
  /// Tries in all, the first included; at least 1.
  package var attempts: Int
  /// From the first try to the last, in nanoseconds.
  package var budgetNanoseconds: UInt64
  /// Before the second try, in nanoseconds; doubled before each further one.
  package var backoffNanoseconds: UInt64

  package init(attempts: Int, budgetNanoseconds: UInt64, backoffNanoseconds: UInt64) {
    self.attempts = attempts
    self.budgetNanoseconds = budgetNanoseconds
    self.backoffNanoseconds = backoffNanoseconds
  }

  /// How long to wait after `failed` tries: what the provider asked for, or the back-off spread by a fifth either way.
  func delay(afterAttempts failed: Int, _ failure: AttemptFailure, random: UInt64) -> UInt64 {
    let doubled = backoffNanoseconds << UInt64(min(max(failed - 1, 0), 16))
    let spread = doubled / 1000 * (800 + random % 401)
    return max(spread, failure.retryAfterNanoseconds)
  }
}
