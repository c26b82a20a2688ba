import Synchronization

/// Every decision that loops share, behind one mutex that a call enters twice: to be admitted and to finish.
///
/// Thread: any. Nothing here does I/O, logs, calls a plugin or drops a permit while the mutex is held.
package final class Core: Sendable {
  /// What an operator sets; a reload brings another.
  package struct Settings: Equatable, Sendable {
    package var inFlight: Int
    package var sessionInFlight: Int
    package var census: Census.Limits
    package var breaker: Breaker.Policy
    package var rates: RateLimits.Policy
    /// By number.
    package var principals: [PrincipalLimit]

    package init(
      inFlight: Int, sessionInFlight: Int, census: Census.Limits, breaker: Breaker.Policy,
      rates: RateLimits.Policy = RateLimits.Policy(), principals: [PrincipalLimit] = []
    ) {
      self.inFlight = inFlight
      self.sessionInFlight = sessionInFlight
      self.census = census
      self.breaker = breaker
      self.rates = rates
      self.principals = principals
    }
  }

  private struct State {
    var admission: Admission
    var census: Census
    var rates: RateLimits
    var counters = Counters()
    var isDraining = false
  }

  /// What happened since the start.
  package struct Counters: Sendable, Equatable {
    package var admitted: UInt64 = 0
    package var released: UInt64 = 0
    /// For want of a permit.
    package var refused: UInt64 = 0
    package var rateLimited: UInt64 = 0
    package var droppedPermits: UInt64 = 0
    /// Overdue leases that were taken back.
    package var recoveredLeases: UInt64 = 0

    package init() {}
  }

  /// The figures of one provider.
  package struct ProviderReading: Sendable, Equatable {
    /// In force; an adaptive limit may be lower than `configuredLimit`.
    package var limit: Int
    package var configuredLimit: Int
    package var inFlight: Int
    package var queued: Int
    package var breaker: Breaker.State
    /// Tries of calls that went to it.
    package var attempts: UInt64
    /// Permits held past their deadline.
    package var overdue: Int
    /// Calls that may wait for it.
    package var queueLimit: Int
    package var counters: Admission.ProviderCounters
  }

  /// One look at everything that is counted.
  package struct Reading: Sendable {
    package var globalLimit: Int
    package var inFlight: Int
    package var queued: Int
    package var providers: [ProviderReading]
    package var sessions: Int
    package var connections: Int
    package var sessionsLimit: Int
    package var connectionsLimit: Int
    /// Connections and sessions that found none free, since the start.
    package var refusedConnections: UInt64
    package var refusedSessions: UInt64
    package var overdueLeases: Int
    /// How long the oldest lease has been held; 0: there is none.
    package var oldestLeaseNanoseconds: UInt64
    package var counters: Counters
    package var isDraining: Bool
  }

  private let state: Mutex<State>
  /// Without rates a message need not enter the mutex.
  private let hasRates: Atomic<Bool>

  package init(_ settings: Settings) {
    state = Mutex(
      State(
        admission: Admission(
          globalLimit: settings.inFlight, sessionLimit: settings.sessionInFlight, breaker: settings.breaker),
        census: Census(settings.census), rates: RateLimits(settings.rates)))
    hasRates = Atomic(!settings.rates.isUnlimited)
  }

  /// What `admit` answered. A permit comes back only through `Permit.release`.
  package enum Decision: ~Copyable {
    case admitted(Permit)
    case queued
    case refused(Admission.Refusal)
    case unavailable(retryAfterNanoseconds: UInt64)
    case draining
  }

  /// Takes settings in force: at the start, with the providers that were registered, and at each reload. Providers keep
  /// their numbers; new ones follow. The caller tells the loops of who may run now.
  package func configure(_ settings: Settings, providers: [Admission.ProviderLimit], now: Instant) -> Admission.Effects
  {
    let effects = state.withLock { state in
      state.census.limits = settings.census
      state.census.principalLimits = settings.principals
      state.admission.setPrincipalLimits(settings.principals)
      state.rates.setPolicy(settings.rates)
      let effects = state.admission.setLimits(
        global: settings.inFlight, session: settings.sessionInFlight, breaker: settings.breaker, providers: providers,
        now: now)
      state.counters.admitted &+= UInt64(effects.grants.count)
      return effects
    }
    hasRates.store(!settings.rates.isUnlimited, ordering: .relaxed)
    return effects
  }

  // MARK: - Calls

  package func admit(_ request: Admission.Request, now: Instant) -> Decision {
    let decision: Admission.Decision? = state.withLock { state in
      if state.isDraining { return nil }
      let decision = state.admission.admit(request, now: now)
      switch decision {
      case .admitted: state.counters.admitted &+= 1
      case .refused, .unavailable: state.counters.refused &+= 1
      case .queued: break
      }
      return decision
    }
    switch decision {
    case .admitted(let lease): return .admitted(Permit(lease: lease, core: self))
    case .queued: return .queued
    case .refused(let refusal): return .refused(refusal)
    case .unavailable(let wait): return .unavailable(retryAfterNanoseconds: wait)
    case nil: return .draining
    }
  }

  /// A call was refused that asked for no permit.
  package func countRefusal() { state.withLock { $0.counters.refused &+= 1 } }

  /// Gives a lease back and returns what others must be told; the caller tells their loops.
  fileprivate func release(_ lease: Leases.ID, _ verdict: Verdict, now: Instant) -> Admission.Effects {
    state.withLock { state in
      state.counters.released &+= 1
      let effects = state.admission.release(lease, verdict, now: now)
      state.counters.admitted &+= UInt64(effects.grants.count)
      return effects
    }
  }

  /// The permit of a grant that reached its loop.
  package func permit(of grant: Admission.Grant) -> Permit { Permit(lease: grant.lease, core: self) }

  /// One try of a call has failed and the call keeps its permit. Also says whether its provider may be tried again.
  package func report(_ lease: Leases.ID, provider: Int, _ verdict: Verdict, now: Instant) -> (
    effects: Admission.Effects, isAvailable: Bool
  ) {
    state.withLock { state in
      let effects = state.admission.report(lease, verdict, now: now)
      return (effects, state.admission.wait(provider: provider, now: now) == nil)
    }
  }

  /// A call tries again with the permit it holds.
  package func countAttempt(provider: Int) { state.withLock { $0.admission.countAttempt(provider: provider) } }

  /// Moves a permit to another provider. nil: there is no room, or its breaker is open.
  package func transfer(_ lease: Leases.ID, to provider: Int, now: Instant) -> Admission.Effects? {
    state.withLock { state in
      let effects = state.admission.transfer(lease, to: provider, now: now)
      state.counters.admitted &+= UInt64(effects?.grants.count ?? 0)
      return effects
    }
  }

  /// The wait is over: counts as refused. nil when the ticket was granted meanwhile: its grant is on its way and must
  /// be used or given back.
  package func abandon(_ ticket: Ticket, provider: Int) -> Admission.Refusal? {
    state.withLock { state in
      let refusal = state.admission.abandon(ticket, provider: provider)
      if refusal != nil { state.counters.refused &+= 1 }
      return refusal
    }
  }

  /// Takes a call out of the queue that is no longer wanted. false: it was not waiting.
  @discardableResult
  package func withdraw(_ ticket: Ticket, provider: Int) -> Bool {
    state.withLock { $0.admission.abandon(ticket, provider: provider) != nil }
  }

  /// nil: the lease was given back, or taken back.
  package func provider(of lease: Leases.ID) -> Int? { state.withLock { $0.admission.lease(lease)?.provider } }

  // MARK: - Leases

  /// Leases past their deadline that were not told before. Their loops are asked to end what they stand for; only then,
  /// or when a loop knows no such call, are they taken back with `recover`.
  package func newlyOverdueLeases(now: Instant) -> [Leases.Overdue] {
    state.withLock { $0.admission.newlyOverdue(now: now) }
  }

  /// Takes a lease back whose owner is lost. nil: it was given back meanwhile.
  package func recover(_ lease: Leases.ID, now: Instant) -> Admission.Effects? {
    state.withLock { state in
      guard state.admission.lease(lease) != nil else { return nil }
      state.counters.recoveredLeases &+= 1
      let effects = state.admission.release(lease, .failure(retryAfterNanoseconds: 0), now: now)
      state.counters.admitted &+= UInt64(effects.grants.count)
      return effects
    }
  }

  // MARK: - Clients

  package func connectionOpened(from address: Census.Address?) -> Census.Entrance {
    state.withLock { $0.census.connectionOpened(from: address) }
  }

  package func connectionClosed(from address: Census.Address?, wasRefused: Bool = false) {
    state.withLock { $0.census.connectionClosed(from: address, wasRefused: wasRefused) }
  }

  package func openSession(principal: Int? = nil) -> Census.Opening {
    state.withLock { $0.census.openSession(principal: principal) }
  }

  package func closeSession(_ session: Int, principal: Int? = nil) {
    state.withLock { $0.census.closeSession(session, principal: principal) }
  }

  /// nil: the message may be taken.
  package func takeMessage(principal: Int?, address: Census.Address?, now: Instant) -> RateLimits.Refusal? {
    guard hasRates.load(ordering: .relaxed) else { return nil }
    return state.withLock { state in
      let refusal = state.rates.take(principal: principal, address: address, now: now)
      if refusal != nil { state.counters.rateLimited &+= 1 }
      return refusal
    }
  }

  // MARK: - The host

  /// From now on no call is admitted.
  package func beginDrain() { state.withLock { $0.isDraining = true } }

  package func read(now: Instant) -> Reading {
    state.withLock { state in
      let admission = state.admission
      let overdue = admission.overdueCounts(now: now)
      return Reading(
        globalLimit: admission.globalLimit, inFlight: admission.inFlight, queued: admission.queuedCount,
        providers: (0..<admission.providerCount).map { number in
          ProviderReading(
            limit: admission.limit(provider: number), configuredLimit: admission.configuredLimit(provider: number),
            inFlight: admission.inFlight(provider: number), queued: admission.queuedCount(provider: number),
            breaker: admission.breaker(provider: number), attempts: admission.attempts(provider: number),
            overdue: overdue[number], queueLimit: admission.queueLimit(provider: number),
            counters: admission.counters(provider: number))
        },
        sessions: state.census.sessions, connections: state.census.connections,
        sessionsLimit: state.census.limits.sessions, connectionsLimit: state.census.limits.connections,
        refusedConnections: state.census.refusedConnections, refusedSessions: state.census.refusedSessions,
        overdueLeases: overdue.reduce(0, +), oldestLeaseNanoseconds: admission.oldestLease(now: now),
        counters: state.counters, isDraining: state.isDraining)
    }
  }

  /// A permit was dropped instead of released: a fault of ours that costs no capacity.
  fileprivate func permitDropped(_ lease: Leases.ID) {
    state.withLock { state in
      state.counters.droppedPermits &+= 1
      state.counters.released &+= 1
      // There is no clock here, and nobody who could be told.
      if let known = state.admission.lease(lease) {
        _ = state.admission.release(lease, .neutral, now: known.since, grants: false)
      }
    }
    assertionFailure("a permit was dropped instead of released")
  }
}

/// The right of one call to run: a lease that gives itself back.
///
/// Owned by the loop's call, never kept inside the Core. Every path releases it; `deinit` is the net, which counts and
/// traps in debug builds.
package struct Permit: ~Copyable {
  package let lease: Leases.ID
  /// Unretained, since `discard` wants trivial members: the Core outlives every loop, and loops own the permits.
  private let core: Unmanaged<Core>

  fileprivate init(lease: Leases.ID, core: Core) {
    self.lease = lease
    self.core = .passUnretained(core)
  }

  /// Gives the lease back; the caller tells the loops what follows.
  package consuming func release(_ verdict: Verdict, now: Instant) -> Admission.Effects {
    let effects = core.takeUnretainedValue().release(lease, verdict, now: now)
    discard self
    return effects
  }

  deinit { core.takeUnretainedValue().permitDropped(lease) }
}
