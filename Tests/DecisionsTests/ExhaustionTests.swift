import Testing

@testable import Decisions

/// Whoever found none free is counted: alerts and metrics go by it.
struct ExhaustionTests {
  private func admission(global: Int, provider: Int, queued: Int = 0) -> Admission {
    Admission(
      globalLimit: global, sessionLimit: 100, breaker: Breaker.Policy(failures: 1, openNanoseconds: 1_000),
      providers: [Admission.ProviderLimit(inFlight: provider, queued: queued), Admission.ProviderLimit(inFlight: 9)])
  }

  private func ask(_ admission: inout Admission, _ call: UInt64, provider: Int = 0) -> Admission.Decision {
    admission.admit(
      Admission.Request(
        ticket: Ticket(loop: 0, call: call), provider: provider, session: 0, owner: [], leaseNanoseconds: 1_000_000),
      now: Instant(nanoseconds: 1))
  }

  @Test func `a call that finds its provider full counts there, refused or queued, and not at the host`() {
    var admission = admission(global: 9, provider: 2, queued: 1)
    for call in 1...2 { _ = ask(&admission, UInt64(call)) }
    #expect(admission.counters(provider: 0).exhaustions == 0, "the last free one was found")
    #expect(ask(&admission, 3) == .queued)
    #expect(admission.counters(provider: 0).exhaustions == 1)
    _ = ask(&admission, 4)
    #expect(admission.counters(provider: 0).exhaustions == 2 && admission.counters(provider: 0).hostExhaustions == 0)
    #expect(admission.counters(provider: 1).exhaustions == 0)
  }

  @Test func `a call that finds the host full, and its provider not, counts as the host's`() {
    var admission = admission(global: 2, provider: 2)
    for call in 1...2 { _ = ask(&admission, UInt64(call)) }
    _ = ask(&admission, 3, provider: 1)
    #expect(admission.counters(provider: 1).hostExhaustions == 1 && admission.counters(provider: 1).exhaustions == 1)
    // Both are full: it is the provider's.
    _ = ask(&admission, 4)
    #expect(admission.counters(provider: 0).hostExhaustions == 0 && admission.counters(provider: 0).exhaustions == 1)
  }

  @Test func `connections and sessions that found none free are counted, those over a share of theirs are not`() {
    var census = Census(Census.Limits(connections: 2, connectionsPerAddress: 1, sessions: 1))
    let here = Census.Address(high: 0, low: 1)
    _ = census.connectionOpened(from: here)
    _ = census.connectionOpened(from: here)
    #expect(census.refusedConnections == 0)
    _ = census.connectionOpened(from: nil)
    _ = census.connectionOpened(from: nil)
    #expect(census.refusedConnections == 1)
    #expect(census.openSession() == .opened(0) && census.refusedSessions == 0)
    #expect(census.openSession() == .sessions(limit: 1) && census.refusedSessions == 1)
  }
}
