import Testing

@testable import Decisions

@Suite struct PaceTests {
  private let second: UInt64 = 1_000_000_000
  private let start = Instant(nanoseconds: 5_000_000_000)

  private func after(_ nanoseconds: UInt64) -> Instant { start.advanced(nanoseconds: nanoseconds) }

  @Test func `within its window a transfer may stand still`() {
    var pace = Pace(now: start)
    #expect(pace.due(windowNanoseconds: second) == after(second))
    let verdict = pace.judge(windowNanoseconds: second, now: after(second - 1))
    #expect(verdict == .goesOn(askAt: after(second)))
  }

  @Test(arguments: [(Pace.floorBytes - 1, false), (Pace.floorBytes, true), (Pace.floorBytes + 1, true)])
  func `a window that has ended must have moved the floor`(bytes: Int, goesOn: Bool) {
    var pace = Pace(now: start)
    for _ in 0..<(bytes / 1_024) { pace.move(1_024) }
    pace.move(bytes % 1_024)
    let verdict = pace.judge(windowNanoseconds: second, now: after(second))
    #expect(verdict == (goesOn ? .goesOn(askAt: after(2 * second)) : .tooSlow))
  }

  @Test func `what one window moved does not count in the next`() {
    var pace = Pace(now: start)
    pace.move(10 * Pace.floorBytes)
    _ = pace.judge(windowNanoseconds: second, now: after(second))
    pace.move(Pace.floorBytes - 1)
    let verdict = pace.judge(windowNanoseconds: second, now: after(2 * second))
    #expect(verdict == .tooSlow)
  }

  @Test func `no count overflows`() {
    var pace = Pace(now: start)
    for _ in 0..<8 { pace.move(.max / 2) }
    let verdict = pace.judge(windowNanoseconds: 0, now: start)
    #expect(verdict == .goesOn(askAt: start))
    #expect(Pace(now: .never).due(windowNanoseconds: .max) == .never)
  }
}
