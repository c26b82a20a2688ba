import Testing

@testable import Decisions

private func admission(limits: (Int, Int) = (1, 1), queued: Int = 0, global: Int = 10, failures: Int = 0) -> Admission {
  Admission(
    globalLimit: global, sessionLimit: 10, breaker: Breaker.Policy(failures: failures, openNanoseconds: 1_000_000),
    providers: [limits.0, limits.1].map { Admission.ProviderLimit(inFlight: $0, queued: queued) })
}

private let start = Instant(nanoseconds: 0)

extension Admission {
  fileprivate mutating func ask(_ call: UInt64, provider: Int = 0, lease: UInt64 = 1_000) -> Decision {
    admit(
      Request(
        ticket: Ticket(loop: 0, call: call), provider: provider, session: 0, owner: [], leaseNanoseconds: lease),
      now: start)
  }

  fileprivate mutating func take(_ call: UInt64, provider: Int = 0, lease: UInt64 = 1_000) throws -> Leases.ID {
    guard case .admitted(let id) = ask(call, provider: provider, lease: lease) else { throw NotAdmitted() }
    return id
  }

  fileprivate func counted(_ provider: Int = 0) -> [UInt64] {
    let counters = counters(provider: provider)
    return [counters.acquisitions, counters.releases, counters.exhaustions, counters.breakerOpens]
  }
}

private struct NotAdmitted: Error {}

/// What a scrape says of a provider's permits: each acquisition, release and exhaustion once.
struct ProviderCountersTests {
  @Test func `a permit that is taken and given back counts once each, and a stale release not at all`() throws {
    var admission = admission()
    let lease = try admission.take(1)
    #expect(admission.counted() == [1, 0, 0, 0])
    _ = admission.release(lease, .success, now: start)
    _ = admission.release(lease, .success, now: start)
    #expect(admission.counted() == [1, 1, 0, 0])
    #expect(admission.counted(1) == [0, 0, 0, 0])
  }

  @Test func `a call that finds no permit counts once as exhaustion, whether it waits or is refused`() throws {
    var admission = admission(queued: 1)
    let lease = try admission.take(1)
    #expect(admission.ask(2) == .queued)
    #expect(admission.counted() == [1, 0, 1, 0])
    _ = admission.ask(3)
    #expect(admission.counted() == [1, 0, 2, 0])
    _ = admission.release(lease, .success, now: start)
    #expect(admission.counted() == [2, 1, 2, 0], "the one that waited has its permit")
  }

  @Test func `without a place at the host it is an exhaustion of the provider that was asked`() throws {
    var admission = admission(limits: (5, 5), global: 1)
    _ = try admission.take(1)
    _ = admission.ask(2, provider: 1)
    #expect(admission.counted() == [1, 0, 0, 0])
    #expect(admission.counted(1) == [0, 0, 1, 0])
  }

  @Test func `a session at its limit is no exhaustion of the provider`() throws {
    var admission = Admission(
      globalLimit: 10, sessionLimit: 1, breaker: Breaker.Policy(failures: 0, openNanoseconds: 1),
      providers: [Admission.ProviderLimit(inFlight: 5)])
    _ = try admission.take(1)
    _ = admission.ask(2)
    #expect(admission.counted() == [1, 0, 0, 0])
  }

  @Test func `a permit that moves is released here and acquired there; one that finds no room stays`() throws {
    var admission = admission()
    let lease = try admission.take(1)
    #expect(admission.transfer(lease, to: 1, now: start) != nil)
    #expect(admission.counted() == [1, 1, 0, 0])
    #expect(admission.counted(1) == [1, 0, 0, 0])
    let second = try admission.take(2)
    #expect(admission.transfer(second, to: 1, now: start) == nil)
    #expect(admission.counted() == [2, 1, 0, 0])
    #expect(admission.counted(1) == [1, 0, 1, 0])
    for provider in 0...1 {
      let counters = admission.counters(provider: provider)
      #expect(Int(counters.acquisitions - counters.releases) == admission.inFlight(provider: provider))
    }
  }

  @Test func `a permit that moves to another model of its provider stays where it is`() throws {
    var admission = admission()
    let lease = try admission.take(1)
    #expect(admission.transfer(lease, to: 0, now: start) != nil)
    #expect(Int(admission.counted()[0] - admission.counted()[1]) == admission.inFlight(provider: 0))
  }

  @Test func `a breaker that opens counts at its last failure and not before`() throws {
    var admission = admission(failures: 2)
    for expected: UInt64 in [0, 1] {
      let lease = try admission.take(1)
      _ = admission.release(lease, .failure(retryAfterNanoseconds: 0), now: start)
      #expect(admission.counted()[3] == expected)
    }
  }

  @Test func `overdue leases are told by provider, after their deadline and not at it`() throws {
    var admission = admission()
    _ = try admission.take(1, lease: 1_000)
    _ = try admission.take(2, provider: 1, lease: 2_000)
    for (now, expected) in [(1_000, [0, 0]), (1_001, [1, 0]), (2_000, [1, 0]), (2_001, [1, 1])] {
      #expect(admission.overdueCounts(now: Instant(nanoseconds: UInt64(now))) == expected, "at \(now)")
    }
  }
}
