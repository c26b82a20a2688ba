import Decisions
import Glibc
import Synchronization
import Testing

@testable import Host

private func core(global: Int, session: Int = 1_000, provider: Int = 1_000, queued: Int = 0) -> Core {
  let settings = Core.Settings(
    inFlight: global, sessionInFlight: session,
    census: Census.Limits(connections: 100, connectionsPerAddress: 100, sessions: 100),
    breaker: Breaker.Policy(failures: 4, openNanoseconds: 1_000_000_000))
  let core = Core(settings)
  _ = core.configure(settings, providers: [Admission.ProviderLimit(inFlight: provider, queued: queued)], now: .now())
  return core
}

extension Core {
  fileprivate func ask(_ call: UInt64, session: Int = 0) -> Decision {
    admit(
      Admission.Request(
        ticket: Ticket(loop: 0, call: call), provider: 0, session: session, owner: [],
        leaseNanoseconds: 1_000_000_000_000),
      now: .now())
  }
}

struct CoreTests {
  @Test func `sixty-four threads share the permits, and all come back`() {
    let limit = 7
    let core = core(global: limit)
    let running = Atomic<Int>(0)
    let most = Atomic<Int>(0)
    let number = Atomic<UInt64>(0)
    let admitted = PluginBench.together(64) { () -> Int in
      let own = number.add(1, ordering: .relaxed).newValue
      var admitted = 0
      for round in 0..<500 as Range<UInt64> {
        switch core.ask(own << 32 | round, session: Int(own)) {
        case .admitted(let permit):
          admitted += 1
          _ = most.max(running.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
          sched_yield()
          running.subtract(1, ordering: .relaxed)
          _ = permit.release(.success, now: .now())
        default: sched_yield()
        }
      }
      return admitted
    }
    let reading = core.read(now: .now())
    #expect(reading.inFlight == 0)
    #expect(reading.providers.map(\.inFlight) == [0])
    #expect(most.load(ordering: .relaxed) <= limit)
    #expect(reading.counters.admitted == UInt64(admitted.reduce(0, +)))
    #expect(reading.counters.released == reading.counters.admitted)
    #expect(reading.counters.admitted + reading.counters.refused == 64 * 500)
    #expect(reading.counters.droppedPermits == 0)
    #expect(admitted.reduce(0, +) > 0)
  }

  @Test func `threads that queue are each granted, abandoned or refused exactly once`() {
    let core = core(global: 3, provider: 3, queued: 8)
    let number = Atomic<UInt64>(0)
    // Whoever releases runs the calls it granted, as the loops do for each other.
    let finished = PluginBench.together(32) { () -> Int in
      let own = number.add(1, ordering: .relaxed).newValue
      var finished = 0
      for round in 0..<200 as Range<UInt64> {
        let ticket = own << 32 | round
        switch core.ask(ticket, session: Int(own)) {
        case .admitted(let permit):
          var grants = permit.release(.success, now: .now()).grants
          finished += 1
          while let grant = grants.popLast() {
            grants += core.permit(of: grant).release(.success, now: .now()).grants
            finished += 1
          }
        case .queued:
          if round % 3 == 0, core.abandon(Ticket(loop: 0, call: ticket), provider: 0) != nil { finished += 1 }
        case .refused: finished += 1
        case .draining: break
        case .unavailable: break
        }
      }
      return finished
    }
    let reading = core.read(now: .now())
    #expect(finished.reduce(0, +) == 32 * 200)
    #expect(reading.inFlight == 0)
    #expect(reading.queued == 0)
    #expect(reading.counters.released == reading.counters.admitted)
  }

  @Test func `a host that drains admits nobody and still takes permits back`() {
    let core = core(global: 2)
    guard case .admitted(let permit) = core.ask(1) else {
      Issue.record("not admitted")
      return
    }
    core.beginDrain()
    if case .draining = core.ask(2) {} else { Issue.record("admitted while draining") }
    #expect(core.read(now: .now()).isDraining)
    #expect(core.read(now: .now()).inFlight == 1)
    _ = permit.release(.success, now: .now())
    #expect(core.read(now: .now()).inFlight == 0)
  }

  @Test func `a reading shows limits, what is in flight, sessions, connections and overdue leases`() throws {
    let core = core(global: 5, provider: 2, queued: 1)
    guard case .admitted(let first) = core.ask(1) else { throw NotAdmitted() }
    guard case .admitted(let second) = core.ask(2) else { throw NotAdmitted() }
    if case .queued = core.ask(3) {} else { Issue.record("not queued") }
    if case .refused(let refusal) = core.ask(4) { #expect(refusal.scope == .provider) } else { Issue.record("run") }
    #expect(core.openSession() == .opened(0))
    #expect(core.connectionOpened(from: nil) == .welcome)
    let reading = core.read(now: Instant.now().advanced(nanoseconds: 2_000_000_000_000))
    #expect(reading.globalLimit == 5)
    #expect(reading.inFlight == 2)
    #expect(reading.queued == 1)
    #expect(reading.providers.map(\.limit) == [2])
    #expect(reading.providers.map(\.inFlight) == [2])
    #expect(reading.sessions == 1)
    #expect(reading.connections == 1)
    #expect(reading.overdueLeases == 2)
    var counters = Core.Counters()
    counters.admitted = 2
    counters.refused = 1
    #expect(reading.counters == counters)
    core.closeSession(0)
    core.connectionClosed(from: nil)
    for grant in first.release(.success, now: .now()).grants {
      _ = core.permit(of: grant).release(.success, now: .now())
    }
    _ = second.release(.success, now: .now())
    let after = core.read(now: .now())
    #expect(after.inFlight + after.queued + after.sessions + after.connections == 0)
  }

  @Test func `a call that leaves the queue of itself is not counted as refused`() {
    let core = core(global: 1, provider: 1, queued: 1)
    guard case .admitted(let permit) = core.ask(1) else {
      Issue.record("not admitted")
      return
    }
    if case .queued = core.ask(2) {} else { Issue.record("not queued") }
    #expect(core.withdraw(Ticket(loop: 0, call: 2), provider: 0))
    #expect(!core.withdraw(Ticket(loop: 0, call: 2), provider: 0))
    #expect(core.read(now: .now()).counters.refused == 0)
    #expect(core.read(now: .now()).queued == 0)
    _ = permit.release(.success, now: .now())
  }

  @Test func `a permit that is dropped instead of released stops a debug build`() async {
    await #expect(processExitsWith: .failure) {
      let core = core(global: 1)
      if case .admitted(let permit) = core.ask(1) { _ = consume permit }
    }
  }
}

private struct NotAdmitted: Error {}
