import Testing

@testable import Decisions

private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

struct WatchdogTests {
  @Test func `a sign is given four times an interval`() {
    var watchdog = Watchdog(intervalNanoseconds: 4_000_000_000)
    #expect(watchdog.look(standstillNanoseconds: 0, now: at(0)) == true)
    #expect(watchdog.look(standstillNanoseconds: 0, now: at(999)) == false)
    #expect(watchdog.look(standstillNanoseconds: 0, now: at(1_000)) == true)
    #expect(watchdog.look(standstillNanoseconds: 0, now: at(2_001)) == true)
  }

  @Test(arguments: [(1_999, true), (2_000, true), (2_001, false)] as [(UInt64, Bool)])
  func `a loop that stands still for over half of an interval withholds it`(milliseconds: UInt64, isGiven: Bool) {
    var watchdog = Watchdog(intervalNanoseconds: 4_000_000_000)
    #expect(watchdog.look(standstillNanoseconds: milliseconds * 1_000_000, now: at(10)) == isGiven)
  }

  @Test func `it is given again once the loop turns`() {
    var watchdog = Watchdog(intervalNanoseconds: 4_000_000_000)
    #expect(watchdog.look(standstillNanoseconds: 3_000_000_000, now: at(10)) == false)
    #expect(watchdog.look(standstillNanoseconds: 0, now: at(11)) == true)
  }

  @Test func `an interval of nothing does not trap`() {
    var watchdog = Watchdog(intervalNanoseconds: 0)
    #expect(watchdog.look(standstillNanoseconds: 0, now: at(1)) == true)
    #expect(watchdog.lookNanoseconds > 0)
  }
}
