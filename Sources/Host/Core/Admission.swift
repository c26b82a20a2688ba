/// Which call may run: the global, provider and session limits, the leases that were given, and the bounded queue.
///
/// Plain data with time passed in; `Core` guards it. Every lease is given back by `release` exactly once; a second
/// release of the same lease does nothing, since the generation no longer fits.
struct Admission {
  /// What one provider may have at once, and how many may wait for it (0: none).
  struct ProviderLimit: Equatable, Sendable {
    var inFlight: Int
    var queued: Int
  }

  /// Who waits, in words the caller understands; opaque here.
  struct Ticket: Hashable, Sendable {
    var loop: Int32
    var call: UInt64
  }

  /// A permission to run, by index and generation.
  struct LeaseID: Hashable, Sendable {
    var index: UInt32
    var generation: UInt32
  }

  enum Scope: String, Sendable { case global, provider, session }

  /// The limit that was reached, and when another try makes sense.
  struct Refusal: Equatable, Sendable {
    var scope: Scope
    var provider: Int
    var limit: Int
    var inFlight: Int
    var retryAfterMilliseconds: UInt64
  }

  enum Decision: Equatable, Sendable {
    case admitted(LeaseID)
    case queued
    case refused(Refusal)
  }

  /// A waiting call that now runs.
  struct Grant: Equatable, Sendable {
    var ticket: Ticket
    var lease: LeaseID
  }

  private struct Lease {
    var generation: UInt32
    var isActive: Bool
    var provider: Int32
    var session: Int32
    var since: Instant
    var deadline: Instant
  }

  private struct Waiter {
    var ticket: Ticket
    var provider: Int
    var session: Int
    var leaseNanoseconds: UInt64
  }

  private struct Provider {
    var limit: ProviderLimit
    var inFlight = 0
    var queued = 0
    /// How long a lease is held, as a moving average; the base of `retry_after`.
    var heldNanoseconds: UInt64 = 1_000_000_000
  }

  private(set) var globalLimit: Int
  private(set) var sessionLimit: Int
  private(set) var inFlight = 0
  private var providers: [Provider]
  private var sessions: [Int] = []
  private var leases: [Lease] = []
  private var freeLeases: [UInt32] = []
  private var waiters: [Waiter] = []

  init(globalLimit: Int, sessionLimit: Int, providers: [ProviderLimit] = []) {
    precondition(globalLimit > 0 && sessionLimit > 0, "limits must be greater than 0")
    self.globalLimit = globalLimit
    self.sessionLimit = sessionLimit
    self.providers = providers.map { Provider(limit: $0) }
  }

  /// Providers are registered once, before the first call; numbers stay.
  mutating func setProviders(_ limits: [ProviderLimit]) {
    precondition(providers.allSatisfy { $0.inFlight == 0 }, "providers are registered before their first call")
    providers = limits.map { Provider(limit: $0) }
  }

  var queuedCount: Int { waiters.count }
  func inFlight(provider: Int) -> Int { providers[provider].inFlight }
  func limit(provider: Int) -> Int { providers[provider].limit.inFlight }
  func inFlight(session: Int) -> Int { session < sessions.count ? sessions[session] : 0 }

  /// Asks for one permit of each kind. A call that queues holds nothing while it waits.
  mutating func admit(_ ticket: Ticket, provider: Int, session: Int, leaseNanoseconds: UInt64, now: Instant) -> Decision
  {
    while sessions.count <= session { sessions.append(0) }
    guard let refusal = firstLimitReached(provider: provider, session: session) else {
      // Whoever came earlier and could run goes first; `release` grants them at once, so none is left here.
      return .admitted(grant(provider: provider, session: session, leaseNanoseconds: leaseNanoseconds, now: now))
    }
    if refusal.scope != .session, providers[provider].queued < providers[provider].limit.queued {
      providers[provider].queued += 1
      waiters.append(
        Waiter(ticket: ticket, provider: provider, session: session, leaseNanoseconds: leaseNanoseconds))
      return .queued
    }
    return .refused(refusal)
  }

  /// Gives a lease back. Stale ones are ignored. Returns whoever may run now.
  mutating func release(_ id: LeaseID, now: Instant) -> [Grant] {
    let index = Int(id.index)
    guard index < leases.count, leases[index].isActive, leases[index].generation == id.generation else { return [] }
    let lease = leases[index]
    leases[index].isActive = false
    leases[index].generation &+= 1
    freeLeases.append(id.index)
    inFlight -= 1
    sessions[Int(lease.session)] -= 1
    let provider = Int(lease.provider)
    providers[provider].inFlight -= 1
    let held = min(now.nanoseconds(since: lease.since), 3_600_000_000_000)
    providers[provider].heldNanoseconds = (providers[provider].heldNanoseconds * 7 + held) / 8
    return waiters.isEmpty ? [] : grantWaiters(now: now)
  }

  /// Takes a waiting call out of the queue: it was cancelled, or waited long enough. The refusal says what it met.
  mutating func abandon(_ ticket: Ticket) -> Refusal? {
    guard let index = waiters.firstIndex(where: { $0.ticket == ticket }) else { return nil }
    let waiter = waiters.remove(at: index)
    providers[waiter.provider].queued -= 1
    return firstLimitReached(provider: waiter.provider, session: waiter.session)
      ?? refusal(
        .provider, provider: waiter.provider, limit: providers[waiter.provider].limit.inFlight,
        inFlight: providers[waiter.provider].inFlight)
  }

  /// Leases past their deadline: the only thing that is ever called a leak.
  func overdueLeases(now: Instant) -> Int {
    leases.reduce(0) { $0 + ($1.isActive && $1.deadline < now ? 1 : 0) }
  }

  /// How long the oldest lease has been held, in nanoseconds; 0: there is none.
  func oldestLease(now: Instant) -> UInt64 {
    leases.reduce(0) { $1.isActive ? max($0, now.nanoseconds(since: $1.since)) : $0 }
  }

  private mutating func grantWaiters(now: Instant) -> [Grant] {
    var grants: [Grant] = []
    var index = 0
    while index < waiters.count, inFlight < globalLimit {
      let waiter = waiters[index]
      guard firstLimitReached(provider: waiter.provider, session: waiter.session) == nil else {
        index += 1
        continue
      }
      waiters.remove(at: index)
      providers[waiter.provider].queued -= 1
      let lease = grant(
        provider: waiter.provider, session: waiter.session, leaseNanoseconds: waiter.leaseNanoseconds, now: now)
      grants.append(Grant(ticket: waiter.ticket, lease: lease))
    }
    return grants
  }

  private mutating func grant(provider: Int, session: Int, leaseNanoseconds: UInt64, now: Instant) -> LeaseID {
    inFlight += 1
    providers[provider].inFlight += 1
    sessions[session] += 1
    let deadline = now.advanced(nanoseconds: leaseNanoseconds)
    if let index = freeLeases.popLast() {
      let generation = leases[Int(index)].generation
      leases[Int(index)] = Lease(
        generation: generation, isActive: true, provider: Int32(provider), session: Int32(session), since: now,
        deadline: deadline)
      return LeaseID(index: index, generation: generation)
    }
    leases.append(
      Lease(
        generation: 1, isActive: true, provider: Int32(provider), session: Int32(session), since: now,
        deadline: deadline))
    return LeaseID(index: UInt32(leases.count - 1), generation: 1)
  }

  private func firstLimitReached(provider: Int, session: Int) -> Refusal? {
    let inSession = session < sessions.count ? sessions[session] : 0
    if inSession >= sessionLimit {
      return refusal(.session, provider: provider, limit: sessionLimit, inFlight: inSession)
    }
    let ofProvider = providers[provider]
    if ofProvider.inFlight >= ofProvider.limit.inFlight {
      return refusal(.provider, provider: provider, limit: ofProvider.limit.inFlight, inFlight: ofProvider.inFlight)
    }
    if inFlight >= globalLimit {
      return refusal(.global, provider: provider, limit: globalLimit, inFlight: inFlight)
    }
    return nil
  }

  /// One permit becomes free every `held / limit` on average; those already waiting come first.
  private func refusal(_ scope: Scope, provider: Int, limit: Int, inFlight: Int) -> Refusal {
    let each = providers[provider].heldNanoseconds / UInt64(max(limit, 1))
    let milliseconds = each * UInt64(providers[provider].queued + 1) / 1_000_000
    return Refusal(
      scope: scope, provider: provider, limit: limit, inFlight: inFlight,
      retryAfterMilliseconds: min(max(milliseconds, 100), 60_000))
  }
}
