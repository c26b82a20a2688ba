import Decisions
import Testing

@testable import Host

private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

/// So that an expectation may ask it.
private final class Rates {
  var rates = LogRates()
  func admit(_ message: String, now: Instant) -> Bool { rates.admit(message, now: now) }
  func ended(now: Instant) -> [LogRates.LeftOut] { rates.ended(now: now) }
  func isLookDue(now: Instant) -> Bool { rates.isLookDue(now: now) }
  var leftOutTotal: UInt64 { rates.leftOutTotal }
}

struct LogRatesTests {
  @Test func `a message has so many lines in a window, and then a count of the rest`() {
    let rates = Rates()
    for number in 1...(LogRates.linesLimit + 2) {
      #expect(rates.admit("a", now: at(5)) == (number <= LogRates.linesLimit), "\(number)")
    }
    #expect(rates.admit("b", now: at(5)), "another message has its own")
    #expect(rates.ended(now: at(10_004)).isEmpty)
    #expect(!rates.admit("a", now: at(10_004)))
    #expect(rates.ended(now: at(10_005)) == [.init(message: "a", count: 3)])
    #expect(rates.ended(now: at(10_005)).isEmpty, "it is told once")
    #expect(rates.admit("a", now: at(10_005)))
    #expect(rates.leftOutTotal == 3)
  }

  @Test func `nothing is told of a window that held everything`() {
    let rates = Rates()
    for _ in 0..<LogRates.linesLimit { _ = rates.admit("a", now: at(0)) }
    #expect(rates.ended(now: at(20_000)).isEmpty)
  }

  @Test func `messages are told apart up to a bound, and share an allowance beyond`() {
    let rates = Rates()
    for number in 0..<LogRates.messagesLimit { #expect(rates.admit("m\(number)", now: at(0))) }
    for number in 0..<(LogRates.linesLimit + 1) {
      #expect(rates.admit("new\(number)", now: at(0)) == (number < LogRates.linesLimit))
    }
    #expect(rates.admit("m0", now: at(0)), "one that is known keeps its own")
    #expect(rates.ended(now: at(10_000)) == [.init(message: "other messages", count: 1)])
    #expect(rates.admit("new0", now: at(10_000)))
  }

  @Test func `a look is due once a second`() {
    let rates = Rates()
    #expect(rates.isLookDue(now: at(0)))
    _ = rates.ended(now: at(0))
    #expect(!rates.isLookDue(now: at(999)))
    #expect(rates.isLookDue(now: at(1_000)))
  }
}
