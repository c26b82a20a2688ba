import Testing

@testable import Decisions

private let minute: UInt64 = 60_000_000_000
private func second(_ number: UInt64) -> Instant { Instant(nanoseconds: number * 1_000_000_000) }
private func address(_ number: UInt64) -> Census.Address { Census.Address(high: 0, low: number) }

struct AttemptGuardTests {
  @Test func `so many attempts are let through in a window, and one more when it is over`() {
    var attempts = AttemptGuard(limit: 3, windowNanoseconds: minute)
    for number in 10..<13 { #expect(attempts.take(address(1), now: second(UInt64(number))) == nil) }
    #expect(attempts.take(address(1), now: second(20)) == 50_000_000_000)
    #expect(attempts.take(address(1), now: Instant(nanoseconds: second(70).nanoseconds - 1)) == 1)
    #expect(attempts.take(address(1), now: second(70)) == nil)
    #expect(attempts.take(address(1), now: second(71)) == nil)
  }

  @Test func `addresses do not take each other's attempts, and those without one share theirs`() {
    var attempts = AttemptGuard(limit: 1, windowNanoseconds: minute)
    #expect(attempts.take(address(1), now: second(0)) == nil)
    #expect(attempts.take(address(2), now: second(0)) == nil)
    #expect(attempts.take(nil, now: second(0)) == nil)
    #expect(attempts.take(address(1), now: second(1)) != nil)
    #expect(attempts.take(nil, now: second(1)) != nil)
  }

  @Test func `who succeeds begins anew`() {
    var attempts = AttemptGuard(limit: 2, windowNanoseconds: minute)
    for _ in 0..<5 {
      #expect(attempts.take(address(1), now: second(0)) == nil)
      attempts.succeeded(address(1))
    }
    #expect(attempts.take(address(1), now: second(0)) == nil)
    #expect(attempts.take(address(1), now: second(0)) == nil)
    #expect(attempts.take(address(1), now: second(0)) != nil)
  }

  @Test func `a full table turns newcomers away until windows end, and nobody else`() {
    var attempts = AttemptGuard(limit: 2, windowNanoseconds: minute)
    for number in 0..<UInt64(AttemptGuard.addressesLimit) {
      #expect(attempts.take(address(number), now: second(0)) == nil)
    }
    #expect(attempts.take(address(5_000), now: second(1)) == minute)
    #expect(attempts.take(address(0), now: second(1)) == nil)
    #expect(attempts.take(address(5_000), now: second(60)) == nil)
  }
}
