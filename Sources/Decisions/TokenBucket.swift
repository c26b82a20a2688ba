/// How often something may happen: `burst` at once, then `per_second`.
///
/// The bucket is one instant, the time when it will be full again (the generic cell rate algorithm), so it needs no
/// timer to fill. A bucket that is full is equal to none.
package struct TokenBucket: Equatable, Sendable {
  package struct Rate: Equatable, Sendable {
    package var burst: Int
    package var perSecond: Int

    /// Both at least 1 and at most 1,000,000.
    package init(burst: Int, perSecond: Int) {
      precondition((1...1_000_000).contains(burst) && (1...1_000_000).contains(perSecond), "a rate out of range")
      self.burst = burst
      self.perSecond = perSecond
    }

    /// Nanoseconds that one token takes to flow in.
    var interval: UInt64 { 1_000_000_000 / UInt64(perSecond) }
  }

  private(set) var fullAt = Instant(nanoseconds: 0)

  func isFull(now: Instant) -> Bool { fullAt <= now }

  /// Takes one token. Otherwise the nanoseconds until there is one.
  mutating func take(_ rate: Rate, now: Instant) -> UInt64? {
    let emptiest = now.advanced(nanoseconds: rate.interval * UInt64(rate.burst - 1))
    guard fullAt <= emptiest else { return fullAt.nanoseconds(since: emptiest) }
    fullAt = max(fullAt, now).advanced(nanoseconds: rate.interval)
    return nil
  }

  /// Puts back a token that was taken in vain.
  mutating func refund(_ rate: Rate) {
    fullAt = Instant(nanoseconds: fullAt.nanoseconds > rate.interval ? fullAt.nanoseconds - rate.interval : 0)
  }
}
