import Testing

@testable import Decisions

@Suite struct FloodGuardTests {
  private let start = Instant(nanoseconds: 5_000_000_000)

  private func taken(_ flood: inout FloodGuard, of count: Int, at now: Instant) -> Int {
    (0..<count).reduce(0) { sum, _ in sum + (flood.take(now: now) ? 1 : 0) }
  }

  @Test func `a burst is taken, and not one more`() {
    var flood = FloodGuard()
    let count = taken(&flood, of: FloodGuard.rate.burst + 10, at: start)
    #expect(count == FloodGuard.rate.burst)
  }

  @Test func `then as many as flow in`() {
    var flood = FloodGuard()
    _ = taken(&flood, of: FloodGuard.rate.burst, at: start)
    let soon = taken(&flood, of: 10, at: start.advanced(milliseconds: 31))
    #expect(soon == 0)
    let later = taken(&flood, of: 10, at: start.advanced(milliseconds: 157))
    #expect(later == 5)
  }
}
