import Testing

@testable import Decisions

private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
private let here = Census.Address(high: 0, low: 1)
private let there = Census.Address(high: 0, low: 2)

struct TokenBucketTests {
  private let rate = TokenBucket.Rate(burst: 3, perSecond: 10)

  @Test func `it gives its burst at once, then one for each interval`() {
    var bucket = TokenBucket()
    for _ in 0..<3 { #expect(bucket.take(rate, now: at(1_000)) == nil) }
    #expect(bucket.take(rate, now: at(1_000)) == 100_000_000)
    #expect(bucket.take(rate, now: at(1_099)) == 1_000_000)
    #expect(bucket.take(rate, now: at(1_100)) == nil)
    #expect(bucket.take(rate, now: at(1_100)) == 100_000_000)
  }

  @Test func `it never holds more than its burst`() {
    var bucket = TokenBucket()
    #expect(bucket.take(rate, now: at(1)) == nil)
    for _ in 0..<3 { #expect(bucket.take(rate, now: at(60_000)) == nil) }
    #expect(bucket.take(rate, now: at(60_000)) != nil)
  }

  @Test func `a refunded token can be taken again`() {
    var bucket = TokenBucket()
    for _ in 0..<3 { _ = bucket.take(rate, now: at(1_000)) }
    bucket.refund(rate)
    #expect(bucket.take(rate, now: at(1_000)) == nil)
    #expect(bucket.take(rate, now: at(1_000)) != nil)
  }

  @Test func `the bounds of a rate hold the arithmetic`() {
    var bucket = TokenBucket()
    let slowest = TokenBucket.Rate(burst: 1_000_000, perSecond: 1)
    for _ in 0..<1_000 { #expect(bucket.take(slowest, now: at(0)) == nil) }
    var late = TokenBucket()
    #expect(late.take(TokenBucket.Rate(burst: 1, perSecond: 1_000_000), now: Instant(nanoseconds: .max)) == nil)
  }
}

struct RateLimitsTests {
  /// The rates of the daemon whose clients come here.
  private let old = RateLimits.Policy(
    principal: TokenBucket.Rate(burst: 50, perSecond: 5), address: TokenBucket.Rate(burst: 100, perSecond: 10),
    global: TokenBucket.Rate(burst: 1000, perSecond: 100))

  @Test func `of 51 quick messages of one principal the last is refused, with the time until the next`() {
    var limits = RateLimits(old)
    for _ in 0..<50 { #expect(limits.take(principal: 0, address: here, now: at(1)) == nil) }
    let refusal = limits.take(principal: 0, address: here, now: at(1))
    #expect(refusal?.scope == .principal)
    #expect(refusal?.retryAfterNanoseconds == 200_000_000)
    #expect(limits.take(principal: 1, address: here, now: at(1)) == nil, "another principal has its own")
    #expect(limits.take(principal: 0, address: here, now: at(201)) == nil)
  }

  @Test func `addresses are apart, and a unix peer has none`() {
    var limits = RateLimits(RateLimits.Policy(address: TokenBucket.Rate(burst: 2, perSecond: 1)))
    for _ in 0..<2 { #expect(limits.take(principal: nil, address: here, now: at(1)) == nil) }
    #expect(limits.take(principal: nil, address: here, now: at(1))?.scope == .address)
    #expect(limits.take(principal: nil, address: there, now: at(1)) == nil)
    for _ in 0..<10 { #expect(limits.take(principal: nil, address: nil, now: at(1)) == nil) }
  }

  @Test func `what a later bucket refuses is given back by the earlier ones`() {
    var limits = RateLimits(
      RateLimits.Policy(
        principal: TokenBucket.Rate(burst: 3, perSecond: 1), address: TokenBucket.Rate(burst: 4, perSecond: 1),
        global: TokenBucket.Rate(burst: 2, perSecond: 1)))
    for _ in 0..<2 { #expect(limits.take(principal: 0, address: here, now: at(1)) == nil) }
    for _ in 0..<10 { #expect(limits.take(principal: 0, address: here, now: at(1))?.scope == .global) }
    limits.setPolicy(limits.policy)
    // A second on, all three have one more; had the refusals cost tokens, the address would be the one to refuse.
    #expect(limits.take(principal: 0, address: here, now: at(1_001)) == nil)
    #expect(limits.take(principal: 0, address: here, now: at(1_001))?.scope == .global)
  }

  @Test func `what the principal refuses is given back by the address`() {
    var limits = RateLimits(
      RateLimits.Policy(
        principal: TokenBucket.Rate(burst: 1, perSecond: 1), address: TokenBucket.Rate(burst: 2, perSecond: 1)))
    #expect(limits.take(principal: 0, address: here, now: at(1)) == nil)
    for _ in 0..<5 { #expect(limits.take(principal: 0, address: here, now: at(1))?.scope == .principal) }
    #expect(limits.take(principal: 1, address: here, now: at(1)) == nil)
  }

  @Test func `full buckets are forgotten, so addresses that came once cost nothing for ever`() {
    var limits = RateLimits(RateLimits.Policy(address: TokenBucket.Rate(burst: 2, perSecond: 1)))
    for low in 0..<UInt64(RateLimits.addressLimit) {
      _ = limits.take(principal: nil, address: Census.Address(high: 9, low: low), now: at(1))
    }
    #expect(limits.addressCount == RateLimits.addressLimit)
    let more = Census.Address(high: 10, low: 0)
    #expect(limits.take(principal: nil, address: more, now: at(2)) == nil)
    #expect(limits.addressCount == RateLimits.addressLimit, "none is full yet: the newcomer goes uncounted")
    #expect(limits.take(principal: nil, address: more, now: at(2_000)) == nil)
    #expect(limits.addressCount == 1)
  }

  @Test func `another policy begins with full buckets, the same one keeps them`() {
    var limits = RateLimits(RateLimits.Policy(global: TokenBucket.Rate(burst: 1, perSecond: 1)))
    #expect(limits.take(principal: nil, address: nil, now: at(1)) == nil)
    limits.setPolicy(limits.policy)
    #expect(limits.take(principal: nil, address: nil, now: at(1)) != nil)
    limits.setPolicy(RateLimits.Policy(global: TokenBucket.Rate(burst: 2, perSecond: 1)))
    #expect(limits.take(principal: nil, address: nil, now: at(1)) == nil)
  }
}
