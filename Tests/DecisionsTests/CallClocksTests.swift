import Testing

@testable import Decisions

private let start = Instant(nanoseconds: 1_000)

private func at(_ nanoseconds: UInt64) -> Instant { start.advanced(nanoseconds: nanoseconds) }

/// first_token 100, progress 50, total 1000, heartbeat 30, begun and opened at `start`.
private func clocks(firstToken: UInt64 = 100, progress: UInt64 = 50, total: UInt64 = 1_000, heartbeat: UInt64 = 10_000)
  -> CallClocks
{
  var clocks = CallClocks(
    limits: CallClocks.Limits(firstToken: firstToken, progress: progress, total: total, heartbeat: heartbeat),
    now: start)
  clocks.opened(now: start)
  return clocks
}

struct CallClocksTests {
  @Test func `first_token runs out at its limit, not before`() {
    var clocks = clocks()
    #expect(clocks.next == at(100))
    #expect(clocks.due(now: at(99)) == nil)
    #expect(clocks.due(now: at(100)) == .expired(.firstToken, nanoseconds: 100))
    #expect(clocks.due(now: at(101)) == .expired(.firstToken, nanoseconds: 100))
  }

  @Test func `progress runs from each piece to the next`() {
    var clocks = clocks()
    clocks.semanticEvent(now: at(90))
    #expect(clocks.next == at(140))
    #expect(clocks.due(now: at(139)) == nil)
    clocks.semanticEvent(now: at(139))
    #expect(clocks.due(now: at(188)) == nil)
    #expect(clocks.due(now: at(189)) == .expired(.progress, nanoseconds: 50))
  }

  @Test func `total runs out whatever comes, also in a pause`() {
    var clocks = clocks(total: 120)
    for time in [40, 80, 119] as [UInt64] { clocks.semanticEvent(now: at(time)) }
    clocks.paused(now: at(119))
    #expect(clocks.next == at(120))
    #expect(clocks.due(now: at(119)) == nil)
    #expect(clocks.due(now: at(120)) == .expired(.total, nanoseconds: 120))
  }

  @Test func `total comes before the others when all are due`() {
    var clocks = clocks(firstToken: 100, total: 100, heartbeat: 100)
    #expect(clocks.due(now: at(100)) == .expired(.total, nanoseconds: 100))
  }

  @Test func `the wait for a permit counts to total alone`() {
    var clocks = CallClocks(
      limits: CallClocks.Limits(firstToken: 100, progress: 50, total: 1_000, heartbeat: 30), now: start)
    clocks.opened(now: at(900))
    #expect(clocks.deadline == at(1_000))
    #expect(clocks.due(now: at(929)) == nil)
    #expect(clocks.due(now: at(930)) == .heartbeat)
    #expect(clocks.due(now: at(999)) == .heartbeat)
    #expect(clocks.due(now: at(1_000)) == .expired(.total, nanoseconds: 1_000))
  }

  @Test func `a pause stops first_token, and it goes on with what was left`() {
    var clocks = clocks()
    clocks.paused(now: at(60))
    #expect(clocks.next == at(1_000))
    #expect(clocks.due(now: at(500)) == nil)
    clocks.resumed(now: at(500))
    #expect(clocks.next == at(540))
    #expect(clocks.due(now: at(539)) == nil)
    #expect(clocks.due(now: at(540)) == .expired(.firstToken, nanoseconds: 100))
  }

  @Test func `a pause stops progress, also from a piece that comes in the pause`() {
    var clocks = clocks()
    clocks.semanticEvent(now: at(10))
    clocks.paused(now: at(10))
    clocks.semanticEvent(now: at(200))
    clocks.resumed(now: at(300))
    #expect(clocks.due(now: at(349)) == nil)
    #expect(clocks.due(now: at(350)) == .expired(.progress, nanoseconds: 50))
  }

  @Test func `a second pause or resume changes nothing`() {
    var clocks = clocks()
    clocks.paused(now: at(20))
    clocks.paused(now: at(40))
    clocks.resumed(now: at(60))
    clocks.resumed(now: at(90))
    #expect(clocks.next == at(140))
  }

  @Test func `heartbeats come in their time, and those that were missed are not made up for`() {
    var clocks = clocks(firstToken: 10_000, heartbeat: 30)
    #expect(clocks.due(now: at(29)) == nil)
    #expect(clocks.due(now: at(30)) == .heartbeat)
    #expect(clocks.due(now: at(30)) == nil)
    #expect(clocks.next == at(60))
    #expect(clocks.due(now: at(200)) == .heartbeat)
    #expect(clocks.due(now: at(200)) == nil)
    #expect(clocks.next == at(230))
  }

  @Test func `limits near the end of time do not overflow`() {
    var clocks = clocks(firstToken: .max, progress: .max, total: .max, heartbeat: .max)
    clocks.semanticEvent(now: Instant(nanoseconds: .max - 1))
    clocks.paused(now: Instant(nanoseconds: .max - 1))
    clocks.resumed(now: .never)
    #expect(clocks.next == .never)
    #expect(clocks.due(now: Instant(nanoseconds: .max - 1)) == nil)
  }
}
