import Decisions
import Testing

@testable import Host

struct LogThrottleTests {
  private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

  @Test func `the first line is written, then one an interval, with the number of those held back`() {
    var throttle = LogThrottle(intervalMilliseconds: 1_000)
    let admitted = [0, 1, 999, 1_000, 1_001, 2_000, 9_000].map { throttle.admit(now: at($0)) }
    #expect(admitted == [0, nil, nil, 2, nil, 1, 0])
  }

  @Test func `it begins to count anew after each line`() {
    var throttle = LogThrottle()
    _ = throttle.admit(now: at(5_000))
    for _ in 0..<3 { _ = throttle.admit(now: at(5_001)) }
    let second = throttle.admit(now: at(6_000))
    let third = throttle.admit(now: at(7_000))
    #expect(second == 3)
    #expect(third == 0)
  }
}
