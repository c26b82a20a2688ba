import Decisions
import Testing

/// When a worker that ended is started again, and when no more.
@Suite struct WorkerSupervisionTests {
  private static let second: UInt64 = 1_000_000_000

  private func at(_ seconds: UInt64, less nanoseconds: UInt64 = 0) -> Instant {
    Instant(nanoseconds: seconds * Self.second - nanoseconds)
  }

  @Test func `the first end is answered at once`() {
    var supervision = WorkerSupervision()
    #expect(supervision.ended(now: at(1)) == .restart(afterNanoseconds: 0))
  }

  @Test func `the second waits, the third within five minutes is the last`() {
    var supervision = WorkerSupervision()
    _ = supervision.ended(now: at(1))
    #expect(supervision.ended(now: at(2)) == .restart(afterNanoseconds: 100_000_000))
    #expect(supervision.ended(now: at(3)) == .quarantine)
  }

  @Test func `an end counts for five minutes, to the nanosecond`() {
    var within = WorkerSupervision()
    _ = within.ended(now: at(1))
    _ = within.ended(now: at(200))
    #expect(within.ended(now: at(301, less: 1)) == .quarantine)
    var beyond = WorkerSupervision()
    _ = beyond.ended(now: at(1))
    _ = beyond.ended(now: at(200))
    #expect(beyond.ended(now: at(301)) == .restart(afterNanoseconds: 200_000_000))
  }

  @Test func `the wait doubles up to ten seconds while it never ran well`() {
    var supervision = WorkerSupervision()
    var waits: [UInt64] = []
    for turn in 0..<20 as Range<UInt64> {
      guard case .restart(let wait) = supervision.ended(now: at(1 + turn * 151)) else { break }
      waits.append(wait / 1_000_000)
    }
    #expect(waits.prefix(9) == [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000])
    #expect(waits.count == 20)
    #expect(waits.dropFirst(8).allSatisfy { $0 == 10_000 })
  }

  @Test func `five good minutes forgive`() {
    var supervision = WorkerSupervision()
    _ = supervision.ended(now: at(1))
    _ = supervision.ended(now: at(2))
    #expect(supervision.ended(now: at(302)) == .restart(afterNanoseconds: 0))
    var short = WorkerSupervision()
    _ = short.ended(now: at(1))
    #expect(short.ended(now: at(301, less: 1)) == .restart(afterNanoseconds: 100_000_000))
  }
}
