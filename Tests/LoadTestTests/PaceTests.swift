import Testing

@testable import LoadTest

struct PaceTests {
  /// `#expect` cannot call what changes its value.
  private func take(_ pace: inout Pace, _ now: UInt64) -> Bool { pace.take(now: now) }

  @Test func `without a rate every moment will do`() {
    var pace = Pace(perSecond: nil, now: 5)
    var taken = 0
    for _ in 0..<1000 where pace.take(now: 5) { taken += 1 }
    #expect(taken == 1000)
  }

  @Test func `calls are spread evenly`() {
    var pace = Pace(perSecond: 10, now: 0)
    let step: UInt64 = 100_000_000
    #expect(take(&pace, 0))
    #expect(!take(&pace, step - 1))
    #expect(take(&pace, step))
    #expect(!take(&pace, step))
    #expect(pace.nextNanoseconds == 2 * step)
  }

  @Test func `a little late does not slow the pace`() {
    var pace = Pace(perSecond: 10, now: 0)
    var taken = 0
    // A clock that is read every 7 ms.
    for now in stride(from: UInt64(0), to: 10_000_000_000, by: 7_000_000) where pace.take(now: now) { taken += 1 }
    #expect(taken == 100)
  }

  @Test func `turns that nobody took are lost`() {
    var pace = Pace(perSecond: 1, now: 0)
    #expect(take(&pace, 0))
    #expect(take(&pace, 60_000_000_000))
    #expect(!take(&pace, 60_999_999_999))
    #expect(take(&pace, 61_000_000_000))
  }
}
