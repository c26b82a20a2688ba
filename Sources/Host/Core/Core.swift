import Synchronization

/// Every decision that loops share, behind one mutex that a call enters twice: to be admitted and to finish.
///
/// Thread: any. Nothing here does I/O, logs, calls a plugin or drops a permit while the mutex is held.
package final class Core: Sendable {
  private struct State {
    var admission: Admission
    var census: Census
    var counters = Counters()
    var isDraining = false
  }

  /// What happened since the start.
  package struct Counters: Sendable, Equatable {
    package var admitted: UInt64 = 0
    package var released: UInt64 = 0
    package var refused: UInt64 = 0
    package var droppedPermits: UInt64 = 0
  }

  /// One look at everything that is counted.
  package struct Reading: Sendable {
    package var globalLimit: Int
    package var inFlight: Int
    package var queued: Int
    package var providers: [(limit: Int, inFlight: Int)]
    package var sessions: Int
    package var connections: Int
    package var overdueLeases: Int
    /// How long the oldest lease has been held; 0: there is none.
    package var oldestLeaseNanoseconds: UInt64
    package var counters: Counters
    package var isDraining: Bool
  }

  private let state: Mutex<State>
  private let providerCount = Atomic<Int>(0)

  init(admission: Admission, census: Census) {
    state = Mutex(State(admission: admission, census: census))
  }

  /// What `admit` answered. A permit comes back only through `Permit.release`.
  enum Decision: ~Copyable {
    case admitted(Permit)
    case queued
    case refused(Admission.Refusal)
    case draining
  }

  func setProviders(_ limits: [Admission.ProviderLimit]) {
    state.withLock { $0.admission.setProviders(limits) }
    providerCount.store(limits.count, ordering: .relaxed)
  }

  func admit(_ ticket: Admission.Ticket, provider: Int, session: Int, leaseNanoseconds: UInt64, now: Instant)
    -> Decision
  {
    let decision: Admission.Decision? = state.withLock { state in
      if state.isDraining { return nil }
      let decision = state.admission.admit(
        ticket, provider: provider, session: session, leaseNanoseconds: leaseNanoseconds, now: now)
      switch decision {
      case .admitted: state.counters.admitted &+= 1
      case .refused: state.counters.refused &+= 1
      case .queued: break
      }
      return decision
    }
    switch decision {
    case .admitted(let lease): return .admitted(Permit(lease: lease, core: self))
    case .queued: return .queued
    case .refused(let refusal): return .refused(refusal)
    case nil: return .draining
    }
  }

  /// Gives a lease back and returns the calls that may run now; the caller tells their loops.
  func release(_ lease: Admission.LeaseID, now: Instant) -> [Admission.Grant] {
    state.withLock { state in
      state.counters.released &+= 1
      let grants = state.admission.release(lease, now: now)
      state.counters.admitted &+= UInt64(grants.count)
      return grants
    }
  }

  /// The permit of a grant that reached its loop.
  func permit(of grant: Admission.Grant) -> Permit { Permit(lease: grant.lease, core: self) }

  /// The wait is over: counts as refused. nil when the ticket was granted meanwhile: its grant is on its way and must
  /// be used or given back.
  func abandon(_ ticket: Admission.Ticket) -> Admission.Refusal? {
    state.withLock { state in
      let refusal = state.admission.abandon(ticket)
      if refusal != nil { state.counters.refused &+= 1 }
      return refusal
    }
  }

  /// Takes a call out of the queue that is no longer wanted. false: it was not waiting.
  @discardableResult
  func withdraw(_ ticket: Admission.Ticket) -> Bool {
    state.withLock { $0.admission.abandon(ticket) != nil }
  }

  func connectionOpened(from address: Census.Address?) -> Census.Refusal? {
    state.withLock { $0.census.connectionOpened(from: address) }
  }

  func connectionClosed(from address: Census.Address?) {
    state.withLock { $0.census.connectionClosed(from: address) }
  }

  func openSession() -> Int? { state.withLock { $0.census.openSession() } }
  func closeSession(_ session: Int) { state.withLock { $0.census.closeSession(session) } }

  /// From now on no call is admitted.
  package func beginDrain() { state.withLock { $0.isDraining = true } }

  package func read(now: Instant) -> Reading {
    state.withLock { state in
      Reading(
        globalLimit: state.admission.globalLimit, inFlight: state.admission.inFlight,
        queued: state.admission.queuedCount,
        providers: (0..<providerCount.load(ordering: .relaxed)).map {
          (state.admission.limit(provider: $0), state.admission.inFlight(provider: $0))
        },
        sessions: state.census.sessions, connections: state.census.connections,
        overdueLeases: state.admission.overdueLeases(now: now),
        oldestLeaseNanoseconds: state.admission.oldestLease(now: now), counters: state.counters,
        isDraining: state.isDraining)
    }
  }

  fileprivate func permitDropped(_ lease: Admission.LeaseID) {
    state.withLock { state in
      state.counters.droppedPermits &+= 1
      _ = state.admission.release(lease, now: Instant.now())
    }
    assertionFailure("a permit was dropped instead of released")
  }
}

/// The right of one call to run: a lease that gives itself back.
///
/// Owned by the loop's call, never kept inside the Core. Every path releases it; `deinit` is the net, which counts and
/// traps in debug builds.
struct Permit: ~Copyable {
  let lease: Admission.LeaseID
  /// Unretained, since `discard` wants trivial members: the Core outlives every loop, and loops own the permits.
  private let core: Unmanaged<Core>

  fileprivate init(lease: Admission.LeaseID, core: Core) {
    self.lease = lease
    self.core = .passUnretained(core)
  }

  /// Gives the lease back; the caller hands the grants to their loops.
  consuming func release(now: Instant) -> [Admission.Grant] {
    let grants = core.takeUnretainedValue().release(lease, now: now)
    discard self
    return grants
  }

  deinit { core.takeUnretainedValue().permitDropped(lease) }
}
