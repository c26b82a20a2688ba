import Testing

@testable import Decisions

/// Two providers, so that one may be full while the other is not.
private func admission(global: Int = 10, session: Int = 10, first: (Int, Int) = (10, 0), second: (Int, Int) = (10, 0))
  -> Admission
{
  Admission(
    globalLimit: global, sessionLimit: session, breaker: Breaker.Policy(failures: 3, openNanoseconds: 1_000_000),
    providers: [first, second].map { Admission.ProviderLimit(inFlight: $0.0, queued: $0.1) })
}

private func ticket(_ call: UInt64) -> Ticket { Ticket(loop: 0, call: call) }

extension Admission {
  fileprivate mutating func ask(
    _ call: UInt64, provider: Int = 0, session: Int = 0, principal: Int? = nil, at now: UInt64 = 0
  ) -> Decision {
    admit(
      Request(
        ticket: ticket(call), provider: provider, session: session, principal: principal, owner: [],
        leaseNanoseconds: 1_000),
      now: Instant(nanoseconds: now))
  }

  fileprivate mutating func take(_ call: UInt64, provider: Int = 0, session: Int = 0, at now: UInt64 = 0) throws
    -> Leases.ID
  {
    guard case .admitted(let lease) = ask(call, provider: provider, session: session, at: now) else {
      throw NotAdmitted(call: call)
    }
    return lease
  }
}

private struct NotAdmitted: Error { var call: UInt64 }

extension Admission.Decision {
  fileprivate var refusal: Admission.Refusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}

struct AdmissionTests {
  @Test(arguments: [1, 2, 24])
  func `the global limit admits its number and refuses one more, whichever the provider`(limit: Int) throws {
    var admission = admission(global: limit, session: 100, first: (100, 0), second: (100, 0))
    for call in 0..<limit { _ = try admission.take(UInt64(call), provider: call % 2) }
    let decision = admission.ask(99, provider: 1)
    let refusal = try #require(decision.refusal)
    #expect(refusal.scope == .global)
    #expect(refusal.limit == limit)
    #expect(refusal.inFlight == limit)
    #expect(admission.inFlight == limit)
  }

  @Test func `a provider at its limit refuses, and its neighbour does not`() throws {
    var admission = admission(first: (2, 0))
    _ = try admission.take(1)
    _ = try admission.take(2)
    let decision = admission.ask(3)
    let refusal = try #require(decision.refusal)
    #expect(refusal.scope == .provider)
    #expect(refusal.provider == 0)
    #expect(refusal.limit == 2)
    #expect(refusal.inFlight == 2)
    _ = try admission.take(4, provider: 1)
    #expect(admission.inFlight(provider: 0) == 2)
    #expect(admission.inFlight(provider: 1) == 1)
  }

  @Test func `a session at its limit is refused and never queued, and another session is not`() throws {
    var admission = admission(session: 2, first: (10, 5))
    _ = try admission.take(1, session: 7)
    _ = try admission.take(2, session: 7)
    let decision = admission.ask(3, session: 7)
    let refusal = try #require(decision.refusal)
    #expect(refusal.scope == .session)
    #expect(refusal.limit == 2)
    #expect(admission.queuedCount == 0)
    _ = try admission.take(4, session: 3)
    #expect(admission.calls(session: 7) == 2)
    #expect(admission.calls(session: 3) == 1)
  }

  @Test func `a principal's limit counts what runs and waits in all its sessions, and gives each place back`() throws {
    var admission = admission(first: (1, 5))
    admission.setPrincipalLimits([PrincipalLimit(), PrincipalLimit(inFlight: 3)])
    guard case .admitted(let lease) = admission.ask(1, session: 1, principal: 1) else { throw NotAdmitted(call: 1) }
    #expect(admission.ask(2, session: 2, principal: 1) == .queued)
    #expect(admission.ask(3, session: 3, principal: 1) == .queued)
    let refusal = try #require(admission.ask(4, provider: 1, session: 4, principal: 1).refusal)
    #expect(refusal.scope == .principal && refusal.limit == 3 && refusal.inFlight == 3)
    #expect(admission.ask(5, session: 5, principal: 0) == .queued, "another's limit is not met")
    #expect(admission.ask(6, session: 6) == .queued, "and nobody's neither")
    #expect(admission.abandon(ticket(3), provider: 0) != nil)
    #expect(admission.calls(principal: 1) == 2)
    let effects = admission.release(lease, .success, now: Instant(nanoseconds: 1))
    #expect(effects.grants.map(\.ticket) == [ticket(2)])
    #expect(admission.calls(principal: 1) == 1)
    admission.setPrincipalLimits([PrincipalLimit(), PrincipalLimit(inFlight: 1)])
    #expect(
      admission.ask(7, provider: 1, session: 4, principal: 1).refusal?.limit == 1, "a lowered limit holds at once")
    _ = admission.release(effects.grants[0].lease, .success, now: Instant(nanoseconds: 2))
    #expect(admission.calls(principal: 1) == 0)
    guard case .admitted = admission.ask(8, provider: 1, session: 4, principal: 1) else { throw NotAdmitted(call: 8) }
  }

  @Test func `a queue takes its limit and refuses one more; whoever waits holds a place of its session only`() throws {
    var admission = admission(first: (1, 2))
    _ = try admission.take(1)
    #expect(admission.ask(2) == .queued)
    #expect(admission.ask(3) == .queued)
    #expect(admission.ask(4).refusal?.scope == .provider)
    #expect(admission.queuedCount == 2)
    #expect(admission.inFlight == 1)
    #expect(admission.calls(session: 0) == 3)
  }

  @Test func `a release grants to the first that may run, in the order they came`() throws {
    var admission = admission(first: (1, 5))
    let first = try admission.take(1)
    for call in 2...3 { #expect(admission.ask(UInt64(call)) == .queued) }
    let second = admission.release(first, .success, now: Instant(nanoseconds: 5))
    #expect(second.grants.map(\.ticket) == [ticket(2)])
    let third = admission.release(try #require(second.grants.first).lease, .success, now: Instant(nanoseconds: 6))
    #expect(third.grants.map(\.ticket) == [ticket(3)])
    #expect(admission.release(try #require(third.grants.first).lease, .success, now: Instant(nanoseconds: 7)).isEmpty)
    #expect(admission.inFlight == 0)
    #expect(admission.queuedCount == 0)
  }

  @Test func `one whose provider is still full is passed over, not waited for`() throws {
    var admission = admission(global: 2, first: (1, 5), second: (2, 5))
    _ = try admission.take(1, provider: 0)
    let other = try admission.take(2, provider: 1)
    #expect(admission.ask(3, provider: 0) == .queued)
    #expect(admission.ask(4, provider: 1) == .queued)
    #expect(admission.release(other, .success, now: Instant(nanoseconds: 1)).grants.map(\.ticket) == [ticket(4)])
    #expect(admission.queuedCount == 1)
  }

  @Test func `what waits counts to its session's limit, so that no waiter is ever held up by its session`() throws {
    var admission = admission(session: 2, first: (1, 5), second: (5, 0))
    _ = try admission.take(1, provider: 0, session: 1)
    #expect(admission.ask(2, provider: 0, session: 2) == .queued)
    _ = try admission.take(3, provider: 1, session: 2)
    #expect(admission.ask(4, provider: 1, session: 2).refusal?.scope == .session)
    #expect(admission.abandon(ticket(2), provider: 0) != nil)
    _ = try admission.take(4, provider: 1, session: 2)
  }

  @Test func `sessions that wait take turns, whichever of them asked most`() throws {
    var admission = admission(session: 100, first: (1, 50))
    var lease = try admission.take(0)
    for call in 10..<14 as Range<UInt64> { #expect(admission.ask(call, session: 1) == .queued) }
    for call in 20..<22 as Range<UInt64> { #expect(admission.ask(call, session: 2) == .queued) }
    #expect(admission.ask(30, session: 3) == .queued)
    var order: [UInt64] = []
    for _ in 0..<7 {
      let grant = try #require(admission.release(lease, .success, now: Instant(nanoseconds: 1)).grants.first)
      order.append(grant.ticket.call)
      lease = grant.lease
    }
    #expect(order == [10, 20, 30, 11, 21, 12, 13])
    // Nobody pays later for having been served often.
    #expect(admission.ask(40, session: 1) == .queued)
    #expect(admission.ask(50, session: 4) == .queued)
    #expect(admission.release(lease, .success, now: Instant(nanoseconds: 1)).grants.first?.ticket == ticket(40))
  }

  @Test func `when the host's limit was in the way, the provider whose waiter came first is served first`() throws {
    var admission = admission(global: 1, session: 100, first: (5, 5), second: (5, 5))
    let lease = try admission.take(0)
    #expect(admission.ask(1, provider: 1, session: 1) == .queued)
    #expect(admission.ask(2, provider: 0, session: 1) == .queued)
    let first = admission.release(lease, .success, now: Instant(nanoseconds: 1)).grants
    #expect(first.map(\.ticket) == [ticket(1)])
  }

  @Test func `a second release of the same lease does nothing, also when its place is taken again`() throws {
    var admission = admission(first: (1, 0))
    let first = try admission.take(1)
    #expect(admission.release(first, .success, now: Instant(nanoseconds: 1)).isEmpty)
    #expect(admission.release(first, .success, now: Instant(nanoseconds: 1)).isEmpty)
    #expect(admission.inFlight == 0)
    let second = try admission.take(2)
    #expect(second.index == first.index)
    #expect(admission.release(first, .success, now: Instant(nanoseconds: 2)).isEmpty)
    #expect(admission.inFlight == 1)
    #expect(admission.release(Leases.ID(index: 999, generation: 1), .success, now: Instant(nanoseconds: 2)).isEmpty)
  }

  @Test func `abandoning takes a waiter out once, says what it met, and makes room in the queue`() throws {
    var admission = admission(first: (1, 1))
    let lease = try admission.take(1)
    #expect(admission.ask(2) == .queued)
    let met = admission.abandon(ticket(2), provider: 0)
    let refusal = try #require(met)
    #expect(refusal.scope == .provider)
    #expect(refusal.limit == 1)
    #expect(admission.abandon(ticket(2), provider: 0) == nil)
    #expect(admission.ask(3) == .queued)
    #expect(admission.release(lease, .success, now: Instant(nanoseconds: 1)).grants.map(\.ticket) == [ticket(3)])
    #expect(admission.abandon(ticket(3), provider: 0) == nil, "what was granted no longer waits")
  }

  @Test func `a lease is overdue after its deadline, not at it`() throws {
    var admission = admission()
    let lease = try admission.take(1, at: 100)
    #expect(admission.overdueCounts(now: Instant(nanoseconds: 1_099)).reduce(0, +) == 0)
    #expect(admission.overdueCounts(now: Instant(nanoseconds: 1_100)).reduce(0, +) == 0)
    #expect(admission.overdueCounts(now: Instant(nanoseconds: 1_101)).reduce(0, +) == 1)
    _ = admission.release(lease, .success, now: Instant(nanoseconds: 1_102))
    #expect(admission.overdueCounts(now: Instant(nanoseconds: 1_103)).reduce(0, +) == 0)
  }

  @Test func `retry_after follows how long leases are held, between 100 ms and a minute`() throws {
    var quick = admission(first: (1, 0))
    for call in 0..<100 as Range<UInt64> {
      _ = quick.release(try quick.take(call), .success, now: Instant(nanoseconds: 0))
    }
    _ = try quick.take(200)
    #expect(quick.ask(201).refusal?.retryAfterNanoseconds == 100_000_000)

    var slow = admission(first: (1, 0))
    for call in 0..<100 as Range<UInt64> {
      _ = slow.release(try slow.take(call), .success, now: Instant(nanoseconds: .max))
    }
    _ = try slow.take(200)
    #expect(slow.ask(201).refusal?.retryAfterNanoseconds == 60_000_000_000)

    var fresh = admission(first: (2, 1))
    for call in 0..<2 as Range<UInt64> { _ = try fresh.take(call) }
    #expect(fresh.ask(2) == .queued)
    // A second each to begin with, two at a time, one waits already: (1 s / 2) × 2.
    #expect(fresh.ask(3).refusal?.retryAfterNanoseconds == 1_000_000_000)
  }

  // MARK: - Changed limits

  private func change(
    _ admission: inout Admission, global: Int = 10, session: Int = 10, first: Int, second: Int = 10
  ) -> Admission.Effects {
    admission.setLimits(
      global: global, session: session, breaker: Breaker.Policy(failures: 3, openNanoseconds: 1),
      providers: [Admission.ProviderLimit(inFlight: first, queued: 5), Admission.ProviderLimit(inFlight: second)],
      now: Instant(nanoseconds: 9))
  }

  @Test func `a raised limit lets those in who wait, a lowered one takes nothing away`() throws {
    var admission = admission(first: (1, 5))
    let leases = [try admission.take(1)]
    for call in 2...4 as ClosedRange<UInt64> { #expect(admission.ask(call) == .queued) }
    let raised = change(&admission, first: 3)
    #expect(raised.grants.map(\.ticket) == [ticket(2), ticket(3)])
    #expect(change(&admission, first: 1).isEmpty)
    #expect(admission.inFlight(provider: 0) == 3)
    #expect(admission.release(leases[0], .success, now: Instant(nanoseconds: 1)).isEmpty)
    #expect(admission.release(raised.grants[0].lease, .success, now: Instant(nanoseconds: 1)).isEmpty)
    let last = admission.release(raised.grants[1].lease, .success, now: Instant(nanoseconds: 1))
    #expect(last.grants.map(\.ticket) == [ticket(4)])
  }

  // MARK: - Breaker

  private let failure = Verdict.failure(retryAfterNanoseconds: 0)

  private func fail(_ times: Int, _ admission: inout Admission) throws -> Admission.Effects {
    var effects = Admission.Effects()
    for _ in 0..<times {
      effects = admission.release(try admission.take(99), failure, now: Instant(nanoseconds: 1))
    }
    return effects
  }

  @Test func `an open breaker refuses with the time that is left, and sends those away who waited`() throws {
    var admission = admission(first: (2, 5))
    _ = try admission.take(1)
    let last = try admission.take(2)
    #expect(admission.ask(3) == .queued)
    #expect(admission.report(last, failure, now: Instant(nanoseconds: 1)).isEmpty)
    #expect(admission.report(last, failure, now: Instant(nanoseconds: 1)).isEmpty)
    let effects = admission.release(last, failure, now: Instant(nanoseconds: 1))
    #expect(effects.breaker == Admission.BreakerChange(provider: 0, change: .opened, nanoseconds: 1_000_000))
    #expect(effects.evictions == [Admission.Eviction(ticket: ticket(3), retryAfterNanoseconds: 1_000_000)])
    #expect(effects.grants.isEmpty)
    #expect(admission.queuedCount == 0)
    #expect(admission.calls(session: 0) == 1)
    #expect(admission.ask(4, at: 401) == .unavailable(retryAfterNanoseconds: 999_600))
    #expect(admission.wait(provider: 0, now: Instant(nanoseconds: 401)) == 999_600)
    _ = try admission.take(5, provider: 1)
  }

  @Test func `one call probes, and only one that was really admitted`() throws {
    var admission = admission(global: 2, first: (5, 5))
    let others = [try admission.take(1, provider: 1), try admission.take(2, provider: 1)]
    _ = admission.release(others[1], .success, now: Instant(nanoseconds: 1))
    _ = try fail(3, &admission)
    _ = try admission.take(3, provider: 1)
    // The host is full: this one neither probes nor waits.
    #expect(admission.ask(4, at: 2_000_000).refusal?.scope == .global)
    _ = admission.release(others[0], .success, now: Instant(nanoseconds: 2_000_000))
    let probe = try admission.take(5, at: 2_000_000)
    #expect(admission.breaker(provider: 0) == .halfOpen(probe: probe))
    #expect(admission.ask(6, at: 2_000_001) == .unavailable(retryAfterNanoseconds: Breaker.probeWaitNanoseconds))
    _ = admission.release(probe, .success, now: Instant(nanoseconds: 2_000_002))
    #expect(admission.breaker(provider: 0) == .closed(failures: 0))
  }

  // MARK: - Another provider

  @Test func `a lease moves to a provider with room, and who waited for its place gets it`() throws {
    var admission = admission(first: (1, 5), second: (1, 0))
    let lease = try admission.take(1)
    #expect(admission.ask(2, session: 1) == .queued)
    let moved = admission.transfer(lease, to: 1, now: Instant(nanoseconds: 1))
    #expect(try #require(moved).grants.map(\.ticket) == [ticket(2)])
    #expect(admission.inFlight(provider: 0) == 1)
    #expect(admission.inFlight(provider: 1) == 1)
    #expect(admission.lease(lease)?.provider == 1)
    _ = admission.release(lease, .success, now: Instant(nanoseconds: 2))
    #expect(admission.inFlight(provider: 1) == 0)
    #expect(admission.transfer(lease, to: 0, now: Instant(nanoseconds: 3)) == nil, "it was given back")
  }

  @Test func `a lease that stays with its full provider, for another model of it, needs no other place`() throws {
    var admission = admission(first: (1, 0))
    let lease = try admission.take(1)
    #expect(admission.transfer(lease, to: 0, now: Instant(nanoseconds: 1)) != nil)
    #expect(admission.inFlight(provider: 0) == 1)
    _ = admission.release(lease, .exhausted(retryAfterNanoseconds: 0), now: Instant(nanoseconds: 2))
    #expect(admission.inFlight(provider: 0) == 0)
  }

  @Test func `a lease does not move to a provider that is full or left alone`() throws {
    var admission = admission(first: (5, 0), second: (1, 0))
    let lease = try admission.take(1, provider: 1)
    let own = try admission.take(2)
    #expect(admission.transfer(own, to: 1, now: Instant(nanoseconds: 1)) == nil)
    _ = admission.release(lease, .exhausted(retryAfterNanoseconds: 50), now: Instant(nanoseconds: 1))
    #expect(admission.transfer(own, to: 1, now: Instant(nanoseconds: 50)) == nil)
    #expect(admission.inFlight(provider: 0) == 1)
    #expect(admission.transfer(own, to: 1, now: Instant(nanoseconds: 51)) != nil)
    #expect(admission.breaker(provider: 1) == .halfOpen(probe: own))
  }

  // MARK: - Overdue leases

  @Test func `an overdue lease is told once with its owner, counts until it is taken back, and is taken back once`()
    throws
  {
    var admission = admission(first: (1, 0))
    let decision = admission.admit(
      Admission.Request(
        ticket: ticket(7), provider: 0, session: 3, owner: Array("r7".utf8), leaseNanoseconds: 1_000),
      now: Instant(nanoseconds: 100))
    guard case .admitted(let lease) = decision else { throw NotAdmitted(call: 7) }
    #expect(admission.newlyOverdue(now: Instant(nanoseconds: 1_100)).isEmpty)
    let told = admission.newlyOverdue(now: Instant(nanoseconds: 1_101))
    #expect(told.map(\.id) == [lease])
    #expect(told.first?.lease.owner == Array("r7".utf8))
    #expect(told.first?.lease.session == 3)
    #expect(admission.newlyOverdue(now: Instant(nanoseconds: 9_999)).isEmpty)
    #expect(admission.overdueCounts(now: Instant(nanoseconds: 9_999)).reduce(0, +) == 1)
    #expect(admission.ask(8).refusal?.scope == .provider, "its place is not given away before it is taken back")
    _ = admission.release(lease, .neutral, now: Instant(nanoseconds: 9_999))
    #expect(admission.inFlight == 0)
    _ = try admission.take(9, at: 9_999)
    #expect(admission.release(lease, .neutral, now: Instant(nanoseconds: 10_000)).isEmpty)
    #expect(admission.inFlight == 1, "a late return of the old lease touches nobody's")
    #expect(admission.newlyOverdue(now: Instant(nanoseconds: 99_999)).count == 1, "the new one is told as itself")
  }
}
