import Testing

@testable import Host

/// Two providers, so that one may be full while the other is not.
private func admission(global: Int = 10, session: Int = 10, first: (Int, Int) = (10, 0), second: (Int, Int) = (10, 0))
  -> Admission
{
  Admission(
    globalLimit: global, sessionLimit: session,
    providers: [first, second].map { Admission.ProviderLimit(inFlight: $0.0, queued: $0.1) })
}

private func ticket(_ call: UInt64) -> Admission.Ticket { Admission.Ticket(loop: 0, call: call) }

extension Admission {
  fileprivate mutating func ask(_ call: UInt64, provider: Int = 0, session: Int = 0, at now: UInt64 = 0) -> Decision {
    admit(
      ticket(call), provider: provider, session: session, leaseNanoseconds: 1_000, now: Instant(nanoseconds: now))
  }

  fileprivate mutating func take(_ call: UInt64, provider: Int = 0, session: Int = 0, at now: UInt64 = 0) throws
    -> LeaseID
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
    #expect(admission.inFlight(session: 7) == 2)
    #expect(admission.inFlight(session: 3) == 1)
  }

  @Test func `a queue takes its limit and refuses one more; whoever waits holds nothing`() throws {
    var admission = admission(first: (1, 2))
    _ = try admission.take(1)
    #expect(admission.ask(2) == .queued)
    #expect(admission.ask(3) == .queued)
    #expect(admission.ask(4).refusal?.scope == .provider)
    #expect(admission.queuedCount == 2)
    #expect(admission.inFlight == 1)
    #expect(admission.inFlight(session: 0) == 1)
  }

  @Test func `a release grants to the first that may run, in the order they came`() throws {
    var admission = admission(first: (1, 5))
    let first = try admission.take(1)
    for call in 2...3 { #expect(admission.ask(UInt64(call)) == .queued) }
    let second = admission.release(first, now: Instant(nanoseconds: 5))
    #expect(second.map(\.ticket) == [ticket(2)])
    let third = admission.release(try #require(second.first).lease, now: Instant(nanoseconds: 6))
    #expect(third.map(\.ticket) == [ticket(3)])
    #expect(admission.release(try #require(third.first).lease, now: Instant(nanoseconds: 7)).isEmpty)
    #expect(admission.inFlight == 0)
    #expect(admission.queuedCount == 0)
  }

  @Test func `one whose provider is still full is passed over, not waited for`() throws {
    var admission = admission(global: 2, first: (1, 5), second: (2, 5))
    _ = try admission.take(1, provider: 0)
    let other = try admission.take(2, provider: 1)
    #expect(admission.ask(3, provider: 0) == .queued)
    #expect(admission.ask(4, provider: 1) == .queued)
    #expect(admission.release(other, now: Instant(nanoseconds: 1)).map(\.ticket) == [ticket(4)])
    #expect(admission.queuedCount == 1)
  }

  @Test func `a waiter whose session is full by then runs when the session has room again`() throws {
    var admission = admission(session: 1, first: (1, 5), second: (5, 0))
    let full = try admission.take(1, provider: 0, session: 1)
    #expect(admission.ask(2, provider: 0, session: 2) == .queued)
    let own = try admission.take(3, provider: 1, session: 2)
    #expect(admission.release(full, now: Instant(nanoseconds: 1)).isEmpty)
    #expect(admission.release(own, now: Instant(nanoseconds: 2)).map(\.ticket) == [ticket(2)])
  }

  @Test func `a second release of the same lease does nothing, also when its place is taken again`() throws {
    var admission = admission(first: (1, 0))
    let first = try admission.take(1)
    #expect(admission.release(first, now: Instant(nanoseconds: 1)).isEmpty)
    #expect(admission.release(first, now: Instant(nanoseconds: 1)).isEmpty)
    #expect(admission.inFlight == 0)
    let second = try admission.take(2)
    #expect(second.index == first.index)
    #expect(admission.release(first, now: Instant(nanoseconds: 2)).isEmpty)
    #expect(admission.inFlight == 1)
    #expect(admission.release(Admission.LeaseID(index: 999, generation: 1), now: Instant(nanoseconds: 2)).isEmpty)
  }

  @Test func `abandoning takes a waiter out once, says what it met, and makes room in the queue`() throws {
    var admission = admission(first: (1, 1))
    let lease = try admission.take(1)
    #expect(admission.ask(2) == .queued)
    let met = admission.abandon(ticket(2))
    let refusal = try #require(met)
    #expect(refusal.scope == .provider)
    #expect(refusal.limit == 1)
    #expect(admission.abandon(ticket(2)) == nil)
    #expect(admission.ask(3) == .queued)
    #expect(admission.release(lease, now: Instant(nanoseconds: 1)).map(\.ticket) == [ticket(3)])
    #expect(admission.abandon(ticket(3)) == nil, "what was granted no longer waits")
  }

  @Test func `a lease is overdue after its deadline, not at it`() throws {
    var admission = admission()
    let lease = try admission.take(1, at: 100)
    #expect(admission.overdueLeases(now: Instant(nanoseconds: 1_099)) == 0)
    #expect(admission.overdueLeases(now: Instant(nanoseconds: 1_100)) == 0)
    #expect(admission.overdueLeases(now: Instant(nanoseconds: 1_101)) == 1)
    _ = admission.release(lease, now: Instant(nanoseconds: 1_102))
    #expect(admission.overdueLeases(now: Instant(nanoseconds: 1_103)) == 0)
  }

  @Test func `retry_after follows how long leases are held, between 100 ms and a minute`() throws {
    var quick = admission(first: (1, 0))
    for call in 0..<100 as Range<UInt64> {
      _ = quick.release(try quick.take(call), now: Instant(nanoseconds: 0))
    }
    _ = try quick.take(200)
    #expect(quick.ask(201).refusal?.retryAfterMilliseconds == 100)

    var slow = admission(first: (1, 0))
    for call in 0..<100 as Range<UInt64> {
      _ = slow.release(try slow.take(call), now: Instant(nanoseconds: .max))
    }
    _ = try slow.take(200)
    #expect(slow.ask(201).refusal?.retryAfterMilliseconds == 60_000)

    var fresh = admission(first: (2, 1))
    for call in 0..<2 as Range<UInt64> { _ = try fresh.take(call) }
    #expect(fresh.ask(2) == .queued)
    // A second each to begin with, two at a time, one waits already: (1 s / 2) × 2.
    #expect(fresh.ask(3).refusal?.retryAfterMilliseconds == 1_000)
  }
}
