import Testing

@testable import Decisions

private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

struct AdaptiveLimitTests {
  @Test func `it halves when the provider takes fewer, once for all calls that were under way together`() {
    var limit = AdaptiveLimit(maximum: 12)
    limit.refused(since: at(1), now: at(10))
    #expect(limit.current == 6)
    limit.refused(since: at(2), now: at(11))
    limit.refused(since: at(10), now: at(12))
    #expect(limit.current == 6)
    limit.refused(since: at(11), now: at(20))
    #expect(limit.current == 3)
  }

  @Test func `it never falls below one`() {
    var limit = AdaptiveLimit(maximum: 2)
    for round in 1...5 as ClosedRange<UInt64> { limit.refused(since: at(round * 10), now: at(round * 10 + 1)) }
    #expect(limit.current == 1)
  }

  @Test func `it grows by one after as many successes under full load as it is, up to the configured limit`() {
    var limit = AdaptiveLimit(maximum: 4)
    limit.refused(since: at(1), now: at(2))
    #expect(limit.current == 2)
    limit.succeeded(isFull: true)
    #expect(limit.current == 2)
    limit.succeeded(isFull: true)
    #expect(limit.current == 3)
    for _ in 0..<2 { limit.succeeded(isFull: true) }
    #expect(limit.current == 3)
    limit.succeeded(isFull: true)
    #expect(limit.current == 4)
    for _ in 0..<20 { limit.succeeded(isFull: true) }
    #expect(limit.current == 4)
  }

  @Test func `successes without full load teach nothing`() {
    var limit = AdaptiveLimit(maximum: 4)
    limit.refused(since: at(1), now: at(2))
    for _ in 0..<20 { limit.succeeded(isFull: false) }
    #expect(limit.current == 2)
  }

  @Test func `another configured limit bounds what was learned`() {
    var limit = AdaptiveLimit(maximum: 10)
    limit.setMaximum(3)
    #expect(limit.current == 3)
    limit.setMaximum(8)
    #expect(limit.current == 3)
    for _ in 0..<3 { limit.succeeded(isFull: true) }
    #expect(limit.current == 4)
  }

  @Test func `admission goes by it, and shows both limits`() throws {
    var admission = Admission(
      globalLimit: 100, sessionLimit: 100, breaker: Breaker.Policy(failures: 3, openNanoseconds: 1),
      providers: [Admission.ProviderLimit(inFlight: 4, queued: 0, isAdaptive: true)])
    func ask(_ call: UInt64, at now: UInt64) -> Admission.Decision {
      admission.admit(
        Admission.Request(
          ticket: Ticket(loop: 0, call: call), provider: 0, session: 0, owner: [], leaseNanoseconds: 1_000),
        now: at(now))
    }
    var leases: [Leases.ID] = []
    for call in 0..<4 as Range<UInt64> {
      if case .admitted(let lease) = ask(call, at: 1) { leases.append(lease) }
    }
    #expect(leases.count == 4)
    for lease in leases { _ = admission.release(lease, .crowded, now: at(5)) }
    #expect(admission.limit(provider: 0) == 2)
    #expect(admission.configuredLimit(provider: 0) == 4)
    for call in 10..<12 as Range<UInt64> {
      guard case .admitted = ask(call, at: 6) else {
        Issue.record("not admitted below the lowered limit")
        return
      }
    }
    guard case .refused(let refusal) = ask(12, at: 6) else {
      Issue.record("admitted beyond the lowered limit")
      return
    }
    #expect(refusal.limit == 2)
  }
}
