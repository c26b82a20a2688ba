import Testing

@testable import Decisions

/// A generator whose run is told by its seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {  // xorshift64*
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_F491_4F6C_DD1D
  }
}

/// The books a test keeps beside `Admission`, the plain way.
private struct Books {
  struct Holder {
    var lease: Leases.ID
    var provider: Int
    var session: Int
  }

  let globalLimit = 7
  let sessionLimit = 3
  let providers = [
    Admission.ProviderLimit(inFlight: 2, queued: 3), Admission.ProviderLimit(inFlight: 4, queued: 0),
    Admission.ProviderLimit(inFlight: 9, queued: 5),
  ]
  var holders: [Holder] = []
  var waiters: [(ticket: Ticket, provider: Int, session: Int)] = []
  var returned: [Leases.ID] = []

  func holders(provider: Int) -> Int { holders.count { $0.provider == provider } }
  func holders(session: Int) -> Int { holders.count { $0.session == session } }

  /// What runs and what waits.
  func calls(session: Int) -> Int { holders(session: session) + waiters.count { $0.session == session } }

  func hasRoom(provider: Int) -> Bool {
    holders.count < globalLimit && holders(provider: provider) < providers[provider].inFlight
  }

  func mayRun(provider: Int, session: Int) -> Bool {
    hasRoom(provider: provider) && calls(session: session) < sessionLimit
  }

  func check(_ admission: Admission) {
    #expect(admission.inFlight == holders.count)
    #expect(admission.queuedCount == waiters.count)
    #expect(holders.count <= globalLimit)
    for (index, limit) in providers.enumerated() {
      #expect(admission.inFlight(provider: index) == holders(provider: index))
      #expect(holders(provider: index) <= limit.inFlight)
      #expect(waiters.count { $0.provider == index } <= limit.queued)
    }
    for session in 0..<5 {
      #expect(admission.calls(session: session) == calls(session: session))
      #expect(calls(session: session) <= sessionLimit)
    }
    #expect(!waiters.contains { hasRoom(provider: $0.provider) }, "nobody waits who may run")
    #expect(Set(holders.map(\.lease)).count == holders.count, "no lease has two holders")
  }
}

struct AdmissionModelTests {
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `permits add up after each of thousands of random operations`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var books = Books()
    var admission = Admission(
      globalLimit: books.globalLimit, sessionLimit: books.sessionLimit,
      breaker: Breaker.Policy(failures: 3, openNanoseconds: 1), providers: books.providers)
    for step in 0..<2_000 as Range<UInt64> {
      switch Int.random(in: 0..<10, using: &generator) {
      case 0..<5: admit(step, &admission, &books, &generator)
      case 5..<8: release(step, &admission, &books, &generator)
      case 8:
        guard let waiter = books.waiters.randomElement(using: &generator) else { continue }
        #expect(admission.abandon(waiter.ticket, provider: waiter.provider) != nil)
        books.waiters.removeAll { $0.ticket == waiter.ticket }
      default:
        guard let stale = books.returned.randomElement(using: &generator) else { continue }
        #expect(admission.release(stale, .success, now: Instant(nanoseconds: step)).isEmpty)
      }
      books.check(admission)
    }
    while let holder = books.holders.first { give(holder, 9_999, &admission, &books) }
    #expect(admission.inFlight == 0)
    #expect(admission.queuedCount == 0)
  }

  private func admit(
    _ step: UInt64, _ admission: inout Admission, _ books: inout Books, _ generator: inout SeededGenerator
  ) {
    let ticket = Ticket(loop: 0, call: step)
    let provider = Int.random(in: 0..<3, using: &generator)
    let session = Int.random(in: 0..<5, using: &generator)
    let mayRun = books.mayRun(provider: provider, session: session)
    let sessionIsFull = books.calls(session: session) == books.sessionLimit
    let queueIsFull = books.waiters.count { $0.provider == provider } == books.providers[provider].queued
    switch admission.admit(
      Admission.Request(ticket: ticket, provider: provider, session: session, owner: [], leaseNanoseconds: 10),
      now: Instant(nanoseconds: step))
    {
    case .admitted(let lease):
      #expect(mayRun)
      books.holders.append(Books.Holder(lease: lease, provider: provider, session: session))
    case .queued:
      #expect(!mayRun && !sessionIsFull && !queueIsFull)
      books.waiters.append((ticket, provider, session))
    case .refused(let refusal):
      #expect(!mayRun && (sessionIsFull || queueIsFull))
      #expect(refusal.inFlight == refusal.limit)
    case .unavailable: Issue.record("no call has failed")
    }
  }

  private func release(
    _ step: UInt64, _ admission: inout Admission, _ books: inout Books, _ generator: inout SeededGenerator
  ) {
    guard let holder = books.holders.randomElement(using: &generator) else { return }
    give(holder, step, &admission, &books)
  }

  private func give(_ holder: Books.Holder, _ step: UInt64, _ admission: inout Admission, _ books: inout Books) {
    books.holders.removeAll { $0.lease == holder.lease }
    books.returned.append(holder.lease)
    for grant in admission.release(holder.lease, .success, now: Instant(nanoseconds: step)).grants {
      guard let index = books.waiters.firstIndex(where: { $0.ticket == grant.ticket }) else {
        Issue.record("granted to \(grant.ticket), which does not wait")
        continue
      }
      let waiter = books.waiters.remove(at: index)
      books.holders.append(
        Books.Holder(lease: grant.lease, provider: waiter.provider, session: waiter.session))
    }
  }
}
