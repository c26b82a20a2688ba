import Testing

@testable import Decisions

private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }
private func lease(_ index: UInt32) -> Leases.ID { Leases.ID(index: index, generation: 1) }
private let failure = Verdict.failure(retryAfterNanoseconds: 0)

/// Opens after 3 failures, for 100.
private func breaker() -> Breaker { Breaker(policy: Breaker.Policy(failures: 3, openNanoseconds: 100)) }

private func openBreaker(at instant: UInt64 = 0) -> Breaker {
  var breaker = breaker()
  for _ in 0..<3 { _ = breaker.ended(lease(0), failure, now: at(instant)) }
  return breaker
}

private func halfOpenBreaker() -> Breaker {
  var breaker = openBreaker()
  breaker.began(probe: lease(7))
  return breaker
}

struct BreakerTests {
  @Test func `it opens at its number of failures in a row, not one before`() {
    var breaker = breaker()
    #expect(breaker.ended(lease(0), failure, now: at(1)) == nil)
    #expect(breaker.ended(lease(1), failure, now: at(2)) == nil)
    #expect(breaker.passage(now: at(2)) == .pass)
    #expect(breaker.ended(lease(2), failure, now: at(3)) == .opened)
    #expect(breaker.state == .open(until: at(103)))
  }

  @Test(arguments: [Verdict.success, .neutral, .crowded])
  func `only a success between failures begins the count anew`(between: Verdict) {
    var breaker = breaker()
    for _ in 0..<2 { _ = breaker.ended(lease(0), failure, now: at(1)) }
    #expect(breaker.ended(lease(0), between, now: at(1)) == nil)
    #expect(breaker.ended(lease(0), failure, now: at(1)) == (between == .success ? nil : .opened))
  }

  @Test func `it refuses until its time, tells how long, and then asks for a probe`() {
    let breaker = openBreaker(at: 5)
    #expect(breaker.passage(now: at(5)) == .refused(retryAfterNanoseconds: 100))
    #expect(breaker.passage(now: at(104)) == .refused(retryAfterNanoseconds: 1))
    #expect(breaker.passage(now: at(105)) == .probe)
  }

  @Test func `while a probe runs the others are refused, and their ends say nothing`() {
    var breaker = halfOpenBreaker()
    #expect(breaker.passage(now: at(1_000)) == .refused(retryAfterNanoseconds: Breaker.probeWaitNanoseconds))
    #expect(breaker.ended(lease(1), .success, now: at(1_000)) == nil)
    #expect(breaker.ended(lease(1), failure, now: at(1_000)) == nil)
    #expect(breaker.state == .halfOpen(probe: lease(7)))
  }

  @Test(arguments: [Verdict.success, .crowded])
  func `a probe that reaches a provider that is well closes it`(verdict: Verdict) {
    var breaker = halfOpenBreaker()
    #expect(breaker.ended(lease(7), verdict, now: at(500)) == .closed)
    #expect(breaker.state == .closed(failures: 0))
  }

  @Test func `a probe that fails opens it again, and one that says nothing lets the next call probe`() {
    var failed = halfOpenBreaker()
    #expect(failed.ended(lease(7), failure, now: at(500)) == .opened)
    #expect(failed.state == .open(until: at(600)))
    var silent = halfOpenBreaker()
    #expect(silent.ended(lease(7), .neutral, now: at(500)) == nil)
    #expect(silent.passage(now: at(500)) == .probe)
  }

  @Test func `a provider's own time is kept: longer than ours after failures, as it is when it is used up`() {
    var slow = breaker()
    for _ in 0..<3 { _ = slow.ended(lease(0), .failure(retryAfterNanoseconds: 900), now: at(1)) }
    #expect(slow.state == .open(until: at(901)))
    var hasty = breaker()
    for _ in 0..<3 { _ = hasty.ended(lease(0), .failure(retryAfterNanoseconds: 9), now: at(1)) }
    #expect(hasty.state == .open(until: at(101)))
    var usedUp = breaker()
    #expect(usedUp.ended(lease(0), .exhausted(retryAfterNanoseconds: 20), now: at(1)) == .opened, "at once")
    #expect(usedUp.state == .open(until: at(21)))
    var unsaid = breaker()
    #expect(unsaid.ended(lease(0), .exhausted(retryAfterNanoseconds: 0), now: at(1)) == .opened)
    #expect(unsaid.state == .open(until: at(101)))
  }

  @Test func `one that never opens lets everybody pass, also when it was open before`() {
    var breaker = openBreaker()
    breaker.policy.failures = 0
    #expect(breaker.passage(now: at(1)) == .pass)
    for _ in 0..<10 { #expect(breaker.ended(lease(0), failure, now: at(1)) == nil) }
    #expect(breaker.ended(lease(0), .exhausted(retryAfterNanoseconds: 9), now: at(1)) == nil)
    #expect(breaker.state == .closed(failures: 0))
  }

  @Test func `a time that is farther than a day is not believed`() {
    var breaker = breaker()
    #expect(breaker.ended(lease(0), .exhausted(retryAfterNanoseconds: .max), now: at(1)) == .opened)
    #expect(breaker.state == .open(until: at(Breaker.longestOpenNanoseconds + 1)))
  }

  @Test(arguments: [Verdict.success, .neutral, .crowded, .failure(retryAfterNanoseconds: 900)])
  func `how calls end that were under way when it opened changes nothing`(verdict: Verdict) {
    var breaker = openBreaker()
    #expect(breaker.ended(lease(1), verdict, now: at(50)) == nil)
    #expect(breaker.state == .open(until: at(100)))
  }
}
