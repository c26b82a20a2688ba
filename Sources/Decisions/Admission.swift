/// Which call may run: the global, provider, session and principal limits, the leases that were given, each provider's breaker,
/// and the bounded queues.
///
/// Plain data with time passed in; `Core` guards it. A call that waits holds a place of its session, and nothing else:
/// a session's limit counts what runs and what waits, and so does a principal's over all its sessions. Nobody waits who may run. The waiters of a provider leave in fair
/// order (`FairQueue`); when only the host's limit was in the way, the provider whose first waiter came first is served.
package struct Admission {
  /// What one provider may have at once, and how many may wait for it (0: none).
  package struct ProviderLimit: Equatable, Sendable {
    package var inFlight: Int
    package var queued: Int
    /// Whether the limit follows the provider's own "too many in flight".
    package var isAdaptive: Bool

    package init(inFlight: Int, queued: Int = 0, isAdaptive: Bool = false) {
      self.inFlight = inFlight
      self.queued = queued
      self.isAdaptive = isAdaptive
    }
  }

  /// One call that asks.
  package struct Request: Sendable {
    package var ticket: Ticket
    package var provider: Int
    package var session: Int
    /// nil: there are none.
    package var principal: Int?
    /// The request id: who the log names if the lease is overdue.
    package var owner: [UInt8]
    package var leaseNanoseconds: UInt64

    package init(
      ticket: Ticket, provider: Int, session: Int, principal: Int? = nil, owner: [UInt8], leaseNanoseconds: UInt64
    ) {
      self.ticket = ticket
      self.provider = provider
      self.session = session
      self.principal = principal
      self.owner = owner
      self.leaseNanoseconds = leaseNanoseconds
    }
  }

  package enum Scope: String, Sendable { case global, provider, session, principal }

  /// The limit that was reached, and when another try makes sense.
  package struct Refusal: Equatable, Sendable {
    package var scope: Scope
    package var provider: Int
    package var limit: Int
    package var inFlight: Int
    package var retryAfterNanoseconds: UInt64

    package init(scope: Scope, provider: Int, limit: Int, inFlight: Int, retryAfterNanoseconds: UInt64) {
      self.scope = scope
      self.provider = provider
      self.limit = limit
      self.inFlight = inFlight
      self.retryAfterNanoseconds = retryAfterNanoseconds
    }
  }

  package enum Decision: Equatable, Sendable {
    case admitted(Leases.ID)
    case queued
    case refused(Refusal)
    /// The provider's breaker is open.
    case unavailable(retryAfterNanoseconds: UInt64)
  }

  /// A waiting call that now runs.
  package struct Grant: Equatable, Sendable {
    package var ticket: Ticket
    package var lease: Leases.ID
  }

  /// A waiting call whose provider's breaker has opened.
  package struct Eviction: Equatable, Sendable {
    package var ticket: Ticket
    package var retryAfterNanoseconds: UInt64
  }

  package struct BreakerChange: Equatable, Sendable {
    package var provider: Int
    package var change: Breaker.Change
    /// Until one call may try the provider; 0 when it closed.
    package var nanoseconds: UInt64
  }

  /// What others must be told after something ended: by whoever caused it, outside the mutex.
  package struct Effects: Equatable, Sendable {
    package var grants: [Grant] = []
    package var evictions: [Eviction] = []
    /// The provider whose breaker has just opened or closed.
    package var breaker: BreakerChange?

    package init() {}
    package var isEmpty: Bool { grants.isEmpty && evictions.isEmpty && breaker == nil }
  }

  /// What happened to one provider's permits since the start. Acquired less released is what is in flight.
  package struct ProviderCounters: Equatable, Sendable {
    /// Permits that calls got, at once, after a wait, or moved from another provider.
    package var acquisitions: UInt64 = 0
    /// Permits that came back, or were moved away.
    package var releases: UInt64 = 0
    /// Calls that found no free permit, of the provider or of the host.
    package var exhaustions: UInt64 = 0
    /// Those of them that the host had none for, though the provider had.
    package var hostExhaustions: UInt64 = 0
    package var breakerOpens: UInt64 = 0

    package init() {}
  }

  private struct Provider {
    var limit: ProviderLimit
    var adaptive: AdaptiveLimit
    var breaker: Breaker
    var inFlight = 0
    /// Tries that went to it.
    var attempts: UInt64 = 0
    var counters = ProviderCounters()
    var queue = FairQueue()
    /// How long a lease is held, as a moving average; the base of `retry_after`.
    var heldNanoseconds: UInt64 = 1_000_000_000

    init(_ limit: ProviderLimit, _ policy: Breaker.Policy) {
      self.limit = limit
      adaptive = AdaptiveLimit(maximum: limit.inFlight)
      breaker = Breaker(policy: policy)
    }

    /// What is in force now.
    var inFlightLimit: Int { limit.isAdaptive ? adaptive.current : limit.inFlight }
  }

  package private(set) var globalLimit: Int
  package private(set) var sessionLimit: Int
  private var breakerPolicy: Breaker.Policy
  private var providers: [Provider]
  /// Calls of each session that run or wait.
  private var sessions: [Int] = []
  /// By number; beyond them there is no limit.
  private var principalLimits: [PrincipalLimit] = []
  /// Calls of each principal that run or wait.
  private var principals = PrincipalCounts()
  private var leases = Leases()
  private var queued = 0
  private var arrivals: UInt64 = 0

  package init(
    globalLimit: Int, sessionLimit: Int, breaker: Breaker.Policy, providers: [ProviderLimit] = []
  ) {
    precondition(globalLimit > 0 && sessionLimit > 0, "limits must be greater than 0")
    self.globalLimit = globalLimit
    self.sessionLimit = sessionLimit
    breakerPolicy = breaker
    self.providers = providers.map { Provider($0, breaker) }
  }

  // MARK: - Figures

  package var inFlight: Int { leases.count }
  package var queuedCount: Int { queued }
  package var providerCount: Int { providers.count }
  package func inFlight(provider: Int) -> Int { providers[provider].inFlight }
  package func queuedCount(provider: Int) -> Int { providers[provider].queue.count }
  /// What is in force: an adaptive limit may be lower than the configured one.
  package func limit(provider: Int) -> Int { providers[provider].inFlightLimit }
  package func configuredLimit(provider: Int) -> Int { providers[provider].limit.inFlight }
  package func breaker(provider: Int) -> Breaker.State { providers[provider].breaker.state }
  package func attempts(provider: Int) -> UInt64 { providers[provider].attempts }
  package func counters(provider: Int) -> ProviderCounters { providers[provider].counters }
  package func queueLimit(provider: Int) -> Int { providers[provider].limit.queued }
  package func calls(session: Int) -> Int { session < sessions.count ? sessions[session] : 0 }
  package func calls(principal: Int) -> Int { principals[principal] }
  package func lease(_ id: Leases.ID) -> Leases.Lease? { leases[id] }
  /// By provider number.
  package func overdueCounts(now: Instant) -> [Int] {
    leases.overdue(now: now).reduce(into: Array(repeating: 0, count: providers.count)) { $0[$1.provider] += 1 }
  }
  package func oldestLease(now: Instant) -> UInt64 { leases.oldest(now: now) }

  // MARK: - Limits

  /// Takes new limits in force; those of providers beyond the known ones are new providers. What runs is never taken
  /// back: a lowered limit admits nobody until enough has ended. Returns who may run by a raised one.
  package mutating func setLimits(
    global: Int, session: Int, breaker: Breaker.Policy, providers limits: [ProviderLimit], now: Instant
  ) -> Effects {
    precondition(limits.count >= providers.count, "providers keep their numbers")
    globalLimit = global
    sessionLimit = session
    breakerPolicy = breaker
    for index in providers.indices {
      providers[index].limit = limits[index]
      providers[index].adaptive.setMaximum(limits[index].inFlight)
      providers[index].breaker.policy = breaker
    }
    providers += limits[providers.count...].map { Provider($0, breaker) }
    var effects = Effects()
    grantWaiters(now: now, into: &effects)
    return effects
  }

  /// A lowered limit takes nothing back. Nobody waits for a principal's place, so that a raised one lets nobody in.
  package mutating func setPrincipalLimits(_ limits: [PrincipalLimit]) { principalLimits = limits }

  /// A call that holds a lease tries its provider again, or another after a transfer.
  package mutating func countAttempt(provider: Int) { providers[provider].attempts &+= 1 }

  // MARK: - Asking

  /// Asks for one permit of each kind.
  package mutating func admit(_ request: Request, now: Instant) -> Decision {
    let (number, session) = (request.provider, request.session)
    while sessions.count <= session { sessions.append(0) }
    if sessions[session] >= sessionLimit {
      return .refused(refusal(.session, number, limit: sessionLimit, inFlight: sessions[session]))
    }
    if let limit = principalLimit(of: request), principals[request.principal] >= limit {
      return .refused(refusal(.principal, number, limit: limit, inFlight: principals[request.principal]))
    }
    let passage = providers[number].breaker.passage(now: now)
    if case .refused(let wait) = passage { return .unavailable(retryAfterNanoseconds: wait) }
    guard let refusal = limitReached(of: number) else {
      // Whoever came earlier and could run was granted when it could, so nobody is passed by.
      sessions[session] += 1
      principals.add(1, to: request.principal)
      let lease = grant(request, now: now)
      if passage == .probe { providers[number].breaker.began(probe: lease) }
      return .admitted(lease)
    }
    providers[number].counters.exhaustions &+= 1
    if refusal.scope == .global { providers[number].counters.hostExhaustions &+= 1 }
    guard passage == .pass, providers[number].queue.count < providers[number].limit.queued else {
      return .refused(refusal)
    }
    sessions[session] += 1
    principals.add(1, to: request.principal)
    queued += 1
    arrivals += 1
    providers[number].queue.insert(request, arrival: arrivals)
    return .queued
  }

  /// Takes a waiting call out of the queue: it was cancelled, or waited long enough. The refusal says what it met.
  package mutating func abandon(_ ticket: Ticket, provider: Int) -> Refusal? {
    guard let waiter = providers[provider].queue.remove(ticket) else { return nil }
    leaveQueue(waiter)
    return limitReached(of: provider)
      ?? refusal(
        .provider, provider, limit: providers[provider].inFlightLimit, inFlight: providers[provider].inFlight)
  }

  private mutating func leaveQueue(_ waiter: FairQueue.Waiter) {
    queued -= 1
    sessions[waiter.request.session] -= 1
    principals.add(-1, to: waiter.request.principal)
  }

  // MARK: - Ending

  /// Gives a lease back. Stale ones are ignored.
  ///
  /// - Parameter grants: false: whoever may run now is granted by the next event, since nobody can be told.
  package mutating func release(_ id: Leases.ID, _ verdict: Verdict, now: Instant, grants: Bool = true) -> Effects {
    var effects = Effects()
    guard let lease = leases[id] else { return effects }
    judge(id, lease, verdict, now: now, into: &effects)
    _ = leases.remove(id)
    sessions[lease.session] -= 1
    principals.add(-1, to: lease.principal)
    let number = lease.provider
    providers[number].inFlight -= 1
    providers[number].counters.releases &+= 1
    let held = min(now.nanoseconds(since: lease.since), 3_600_000_000_000)
    providers[number].heldNanoseconds = (providers[number].heldNanoseconds * 7 + held) / 8
    if queued > 0, grants { grantWaiters(now: now, into: &effects) }
    return effects
  }

  /// One try of a call has ended, and the call may try again with the lease it holds. Afterwards `isAvailable` says
  /// whether its provider may be tried.
  package mutating func report(_ id: Leases.ID, _ verdict: Verdict, now: Instant) -> Effects {
    var effects = Effects()
    guard let lease = leases[id] else { return effects }
    judge(id, lease, verdict, now: now, into: &effects)
    return effects
  }

  /// nil: the provider may be tried by a call that holds a lease of it. Otherwise the nanoseconds until it may.
  package func wait(provider: Int, now: Instant) -> UInt64? {
    if case .refused(let wait) = providers[provider].breaker.passage(now: now) { wait } else { nil }
  }

  /// Moves a lease to another provider, which must have room and be available. nil: it has not.
  package mutating func transfer(_ id: Leases.ID, to provider: Int, now: Instant) -> Effects? {
    guard let lease = leases[id] else { return nil }
    let passage = providers[provider].breaker.passage(now: now)
    if case .refused = passage { return nil }
    // Another model of the same provider takes no other place.
    guard provider == lease.provider || providers[provider].inFlight < providers[provider].inFlightLimit else {
      providers[provider].counters.exhaustions &+= 1
      return nil
    }
    providers[lease.provider].inFlight -= 1
    providers[provider].inFlight += 1
    providers[lease.provider].counters.releases &+= 1
    providers[provider].counters.acquisitions &+= 1
    leases.move(id, to: provider)
    if passage == .probe { providers[provider].breaker.began(probe: id) }
    var effects = Effects()
    if queued > 0 { grantWaiters(now: now, into: &effects) }
    return effects
  }

  /// Leases past their deadline that were not told before. They stay until their loop has stopped what they stand for,
  /// and are then released: so the upstream never sees more than the limit, also while one is taken back.
  package mutating func newlyOverdue(now: Instant) -> [Leases.Overdue] { leases.newlyOverdue(now: now) }

  private mutating func judge(
    _ id: Leases.ID, _ lease: Leases.Lease, _ verdict: Verdict, now: Instant, into effects: inout Effects
  ) {
    let number = lease.provider
    switch verdict {
    case .success:
      providers[number].adaptive.succeeded(isFull: providers[number].inFlight >= providers[number].adaptive.current)
    case .crowded: providers[number].adaptive.refused(since: lease.since, now: now)
    case .failure, .exhausted, .neutral: break
    }
    guard let change = providers[number].breaker.ended(id, verdict, now: now) else { return }
    let wait = self.wait(provider: number, now: now) ?? 0
    effects.breaker = BreakerChange(provider: number, change: change, nanoseconds: wait)
    guard change == .opened else { return }
    providers[number].counters.breakerOpens &+= 1
    for waiter in providers[number].queue.removeAll() {
      leaveQueue(waiter)
      effects.evictions.append(Eviction(ticket: waiter.request.ticket, retryAfterNanoseconds: wait))
    }
  }

  // MARK: - Granting

  private mutating func grantWaiters(now: Instant, into effects: inout Effects) {
    while queued > 0, leases.count < globalLimit, let number = nextToServe() {
      let waiter = providers[number].queue.removeFirst()
      queued -= 1
      effects.grants.append(Grant(ticket: waiter.request.ticket, lease: grant(waiter.request, now: now)))
    }
  }

  /// The provider with room whose first waiter came first.
  private func nextToServe() -> Int? {
    var next: (provider: Int, arrival: UInt64)?
    for index in providers.indices where providers[index].inFlight < providers[index].inFlightLimit {
      guard let first = providers[index].queue.first, first.arrival < next?.arrival ?? .max else { continue }
      next = (index, first.arrival)
    }
    return next?.provider
  }

  private mutating func grant(_ request: Request, now: Instant) -> Leases.ID {
    providers[request.provider].inFlight += 1
    providers[request.provider].attempts &+= 1
    providers[request.provider].counters.acquisitions &+= 1
    return leases.add(
      Leases.Lease(
        ticket: request.ticket, provider: request.provider, session: request.session, principal: request.principal,
        owner: request.owner, since: now, deadline: now.advanced(nanoseconds: request.leaseNanoseconds)))
  }

  // MARK: - Refusing

  private func principalLimit(of request: Request) -> Int? {
    guard let principal = request.principal, principal < principalLimits.count else { return nil }
    return principalLimits[principal].inFlight
  }

  private func limitReached(of number: Int) -> Refusal? {
    let limit = providers[number].inFlightLimit
    let inFlight = providers[number].inFlight
    if inFlight >= limit { return refusal(.provider, number, limit: limit, inFlight: inFlight) }
    if leases.count >= globalLimit { return refusal(.global, number, limit: globalLimit, inFlight: leases.count) }
    return nil
  }

  /// One permit becomes free every `held / limit` on average; those already waiting come first.
  private func refusal(_ scope: Scope, _ number: Int, limit: Int, inFlight: Int) -> Refusal {
    let each = providers[number].heldNanoseconds / UInt64(max(limit, 1))
    let ahead = UInt64(scope == .global ? queued : scope == .provider ? providers[number].queue.count : 0)
    return Refusal(
      scope: scope, provider: number, limit: limit, inFlight: inFlight,
      retryAfterNanoseconds: min(max(each * (ahead + 1), 100_000_000), 60_000_000_000))
  }
}
