import Decisions
import Testing

@testable import Host

private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: 0).advanced(milliseconds: milliseconds) }

struct PeerLifeTests {
  @Test func `a silent peer is asked after 30 s, and dead when it says nothing in 20 s more`() {
    var life = PeerLife(now: at(0))
    #expect(life.due(now: at(29_998), hasBacklog: false) == .wait(milliseconds: 2))
    #expect(life.due(now: at(30_000), hasBacklog: false) == .ping(thenWaitMilliseconds: 20_000))
    #expect(life.due(now: at(50_000), hasBacklog: false) == .dead)
  }

  @Test func `any byte is a sign of life, before and after the question`() {
    var life = PeerLife(now: at(0))
    life.heard(now: at(10_000))
    #expect(life.due(now: at(30_000), hasBacklog: false) == .wait(milliseconds: 10_000))
    #expect(life.due(now: at(40_000), hasBacklog: false) == .ping(thenWaitMilliseconds: 20_000))
    life.heard(now: at(59_999))
    #expect(life.due(now: at(60_000), hasBacklog: false) == .wait(milliseconds: 29_999))
  }

  @Test func `a peer that still has bytes to take is not asked, and not dead for its silence`() {
    var life = PeerLife(now: at(0))
    #expect(life.due(now: at(30_000), hasBacklog: true) == .wait(milliseconds: 30_000))
    #expect(life.due(now: at(60_000), hasBacklog: false) == .ping(thenWaitMilliseconds: 20_000))
    #expect(life.due(now: at(80_000), hasBacklog: true) == .wait(milliseconds: 30_000))
    #expect(life.due(now: at(110_000), hasBacklog: false) == .ping(thenWaitMilliseconds: 20_000))
    #expect(life.due(now: at(130_000), hasBacklog: false) == .dead)
  }
}
