import Decisions

/// A simulated host with its clients and providers: one thread, one agenda, all chance from one seed.
final class World {
  static let longestHintMilliseconds: UInt64 = 300_000
  static let principals = 7
  static let addresses = 5
  private static let controlNanoseconds: UInt64 = 1_000_000_000
  private static let sweepNanoseconds: UInt64 = 30_000_000_000

  private(set) var scenario: Scenario
  var chance: Generator
  let ledger = Ledger()
  let core: Core
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  private(set) var loops: [SimulatedLoop] = []
  private(set) var upstream: SimulatedUpstream!
  private var clients: [SimulatedClient] = []
  private var agenda = Agenda()
  private var sequence: UInt64 = 0
  private var isDirty = false
  private(set) var isDraining = false
  private var isClosing = false
  private(set) var queued = 0
  private(set) var openSessions = 0
  private(set) var openConnections = 0
  private var queuedByProvider: [Int]
  private var lost: [SimulatedCall] = []
  private var meters = RateMeters()
  private var failuresInRow: [Int]
  /// As of the last check.
  private var halfOpen: [Bool]
  private var told: Set<Leases.ID> = []
  /// The highest limits that may still be seen: a lowered one takes nothing back.
  private(set) var highestInFlight: Int
  private(set) var highestSessionInFlight: Int
  private var highestLimits: [Int]
  private var highestQueued: [Int]

  init(seed: UInt64) {
    scenario = Scenario(seed: seed)
    chance = Generator(seed: seed)
    core = Core(scenario.settings)
    highestInFlight = scenario.inFlight
    highestSessionInFlight = scenario.sessionInFlight
    highestLimits = scenario.providers.map(\.inFlight)
    queuedByProvider = scenario.providers.map { _ in 0 }
    failuresInRow = scenario.providers.map { _ in 0 }
    halfOpen = scenario.providers.map { _ in false }
    highestQueued = scenario.providers.map(\.queued)
    _ = core.configure(scenario.settings, providers: scenario.providers, now: now)
    upstream = SimulatedUpstream(world: self)
    loops = (0..<scenario.loops).map { SimulatedLoop(world: self, index: $0) }
    clients = (0..<scenario.clients).map { SimulatedClient(world: self, index: $0) }
  }

  var longestOpenNanoseconds: UInt64 {
    max(scenario.breaker.openNanoseconds, Self.longestHintMilliseconds * 1_000_000 + 1_000_000)
  }

  func highestLimit(provider: Int) -> Int { highestLimits[provider] }
  func queuedOf(provider: Int) -> Int { queuedByProvider[provider] }

  // MARK: - Running

  /// Runs for `hours` of simulated time, with everything given back at the end of each day and at the end of all.
  func run(hours: Double) {
    let end = now.advanced(nanoseconds: UInt64(hours * 3_600_000_000_000))
    while now < end, ledger.violation == nil {
      begin()
      run(until: min(end, now.advanced(nanoseconds: 24 * 3_600_000_000_000)))
      // The last day ends as a host does that is told to stop: what runs may finish, nothing new begins.
      if now >= end {
        isDraining = true
        core.beginDrain()
        run(until: now.advanced(nanoseconds: 120_000_000_000))
      }
      settle()
    }
  }

  private func begin() {
    isClosing = false
    for client in clients { schedule(after: chance.milliseconds(0, 10_000), .client(client.index)) }
    for loop in loops { schedule(after: Self.sweepNanoseconds, .sweep(loop: loop.index)) }
    schedule(after: Self.controlNanoseconds, .control)
    schedule(after: chance.milliseconds(60_000, 7_200_000), .reload)
  }

  private func run(until end: Instant) {
    while ledger.violation == nil, let next = agenda.next() {
      if next.at > end {
        agenda.add(at: next.at, order: 0, next.event)
        now = max(now, end)
        return
      }
      now = max(now, next.at)
      step(next.event)
    }
  }

  /// Everybody leaves, and what was theirs must come back.
  private func settle() {
    isClosing = true
    for client in clients { client.leave() }
    // The last reload may be hours away; nothing else is.
    let patience = now.advanced(nanoseconds: 5 * 3_600_000_000_000)
    while ledger.violation == nil, now <= patience, let next = agenda.next() {
      now = max(now, next.at)
      step(next.event)
    }
    check()
    let reading = core.read(now: now)
    ledger.hold(reading.inFlight == 0, "\(reading.inFlight) permits are missing when all is over")
    ledger.hold(reading.queued == 0 && queued == 0, "\(reading.queued) still wait when all is over")
    ledger.hold(reading.sessions == 0, "\(reading.sessions) sessions are open when all is over")
    ledger.hold(reading.connections == 0, "\(reading.connections) connections are open when all is over")
    ledger.hold(upstream.active.allSatisfy { $0 == 0 }, "the upstreams still see \(upstream.active)")
    for loop in loops {
      ledger.hold(loop.calls.isEmpty, "\(loop.calls.count) calls are in flight when all is over")
      ledger.hold(loop.waitingCount == 0, "\(loop.waitingCount) calls wait when all is over")
      loop.results.expire(now: now.advanced(nanoseconds: scenario.keepNanoseconds))
      ledger.hold(loop.results.count == 0, "\(loop.results.count) results do not grow old")
    }
    ledger.hold(lost.isEmpty, "\(lost.count) lost leases were never taken back")
    ledger.hold(
      ledger.counts.lostLeases == ledger.counts.recoveredLeases,
      "\(ledger.counts.lostLeases) leases were lost, \(ledger.counts.recoveredLeases) taken back")
    ledger.hold(agenda.isEmpty, "\(agenda.count) events are left: a timer was not disarmed")
  }

  private func step(_ event: Agenda.Event) {
    ledger.count { $0.steps += 1 }
    ledger.note(now.nanoseconds)
    if let loop = loop(of: event), now < loop.stalledUntil {
      // It stands still: this happens when it goes on, in the order in which it would have.
      sequence += 1
      return agenda.add(at: loop.stalledUntil, order: 1 << 63 | sequence, event)
    }
    perform(event)
    if isDirty { check() }
  }

  private func loop(of event: Agenda.Event) -> SimulatedLoop? {
    switch event {
    case .mail(let index), .sweep(let index): loops[index]
    case .timer(let call, _), .upstream(let call, _, _): call.loop
    case .client(let index): clients[index].session?.loop
    case .catchUp(let session): session.loop
    case .control, .reload: nil
    }
  }

  private func perform(_ event: Agenda.Event) {
    switch event {
    case .mail(let index): loops[index].takeMail()
    case .timer(let call, let generation): call.timerFired(generation)
    case .upstream(let call, let attempt, let event): upstream.happened(event, attempt, to: call)
    case .client(let index): act(clients[index])
    case .catchUp(let session): session.resumed()
    case .control: control()
    case .sweep(let index): sweep(loops[index])
    case .reload: reload()
    }
  }

  private func act(_ client: SimulatedClient) {
    guard !isClosing else { return }
    client.act()
    schedule(after: chance.milliseconds(1, 2 * scenario.pauseMilliseconds), .client(client.index))
    guard chance.once(in: 3_000) else { return }
    // A thread that is not run for a while, or a machine that stands still.
    let until = now.advanced(nanoseconds: chance.milliseconds(50, 8_000))
    if chance.once(in: 5) {
      for loop in loops { loop.stall(until: until) }
    } else {
      chance.pick(loops).stall(until: until)
    }
  }

  private func check() {
    isDirty = false
    let reading = core.read(now: now)
    ledger.check(reading, self)
    for (index, provider) in reading.providers.enumerated() {
      if case .halfOpen = provider.breaker { halfOpen[index] = true } else { halfOpen[index] = false }
      ledger.hold(provider.queued <= highestQueued[index], "\(provider.queued) wait for provider \(index)")
    }
  }

  // MARK: - The control thread

  private func control() {
    for overdue in core.newlyOverdueLeases(now: now) {
      let holder = ledger.holder(overdue.id)
      ledger.hold(holder != nil, "an overdue lease that nobody was given")
      ledger.hold(overdue.lease.deadline < now, "a lease was told before its deadline")
      ledger.hold(told.insert(overdue.id).inserted, "an overdue lease was told twice")
      ledger.hold(
        holder.map { $0.losesPermit || $0.loop.stalledNanoseconds > $0.stalledBefore } ?? true,
        "a lease in use was told as overdue")
      loops[Int(overdue.lease.ticket.loop)].post(.overdue(overdue))
    }
    if !isClosing || ledger.liveLeases > 0 { schedule(after: Self.controlNanoseconds, .control) }
  }

  private func sweep(_ loop: SimulatedLoop) {
    for client in clients where client.session?.loop === loop {
      guard let session = client.session, session.isIdle(now: now) else { continue }
      ledger.hold(session.callCount == 0, "a busy session was closed as idle")
      client.leave()
    }
    loop.results.expire(now: now)
    if !isClosing { schedule(after: Self.sweepNanoseconds, .sweep(loop: loop.index)) }
  }

  private func reload() {
    guard !isClosing, !isDraining else { return }
    ledger.count { $0.reloads += 1 }
    scenario.inFlight = chance.between(2, 12)
    scenario.sessionInFlight = chance.between(1, 4)
    for index in scenario.providers.indices {
      scenario.providers[index].inFlight = chance.between(1, 6)
      scenario.providers[index].queued = chance.between(0, 6)
    }
    scenario.principals = Scenario.principals(&chance)
    highestInFlight = max(highestInFlight, scenario.inFlight)
    highestSessionInFlight = max(highestSessionInFlight, scenario.sessionInFlight)
    for (index, limit) in scenario.providers.enumerated() {
      highestLimits[index] = max(highestLimits[index], limit.inFlight)
      highestQueued[index] = max(highestQueued[index], limit.queued)
    }
    tell(core.configure(scenario.settings, providers: scenario.providers, now: now))
    schedule(after: chance.milliseconds(600_000, 14_400_000), .reload)
  }

  // MARK: - What the others do

  func breaker(of provider: Int) -> Breaker.State { core.read(now: now).providers[provider].breaker }

  /// A call was let through to a provider whose breaker was as `before`.
  func checkPassage(_ lease: Leases.ID, _ provider: Int, _ before: Breaker.State) {
    switch before {
    case .closed: break
    case .halfOpen: ledger.hold(false, "a second probe of provider \(provider)")
    case .open(let until):
      ledger.hold(until <= now, "a call went to provider \(provider), which is left alone")
      ledger.hold(
        breaker(of: provider) == .halfOpen(probe: lease), "a probe of provider \(provider) is not known as one")
    }
  }

  func touched() { isDirty = true }

  func schedule(at instant: Instant, _ event: Agenda.Event) {
    agenda.add(at: instant, order: chance.next() >> 1, event)
  }

  func schedule(after nanoseconds: UInt64, _ event: Agenda.Event) {
    schedule(at: now.advanced(nanoseconds: nanoseconds), event)
  }

  func beganToWait(_ call: SimulatedCall) {
    let others = call.loop.calls.contains { $0 !== call && $0.session === call.session && $0.isWaiting }
    call.beginsToWait(isFirstOfSession: !others)
    queued += 1
    queuedByProvider[call.provider] += 1
    call.loop.beganToWait(call)
  }

  /// It was granted, sent away or gave up; a grant that is under way was counted when it was made.
  func ceasedToWait(_ call: SimulatedCall) {
    call.loop.ceasedToWait(call)
    if granted.removeValue(forKey: call.ticket) == nil { countOut(call.provider) }
  }

  private func countOut(_ provider: Int) {
    queued -= 1
    queuedByProvider[provider] -= 1
  }

  /// Calls whose grant or eviction is on its way: the Core counts them no more. Only looked up.
  private var granted: [Ticket: Bool] = [:]

  func giveBack(_ permit: consuming Permit, _ verdict: Verdict, provider: Int) {
    let lease = permit.lease
    ledger.returned(lease)
    judged(provider, lease, verdict, permit.release(verdict, now: now))
  }

  /// Holds what a breaker did against the failures that were seen, then tells the loops.
  func judged(_ provider: Int, _ lease: Leases.ID, _ verdict: Verdict, _ effects: Admission.Effects) {
    var asked: UInt64 = scenario.breaker.openNanoseconds
    switch verdict {
    case .success: failuresInRow[provider] = 0
    case .failure(let wait):
      failuresInRow[provider] += 1
      asked = max(asked, wait)
    case .exhausted(let wait): if wait > 0 { asked = wait }
    case .crowded, .neutral: break
    }
    if effects.breaker?.change == .opened, case .open(let until) = core.read(now: now).providers[provider].breaker {
      ledger.hold(until.nanoseconds(since: now) >= asked, "provider \(provider) is left alone too shortly")
      let isProbe = halfOpen[provider]
      if case .failure = verdict {
        ledger.hold(
          isProbe || failuresInRow[provider] >= scenario.breaker.failures,
          "the breaker opened after \(failuresInRow[provider]) of \(scenario.breaker.failures) failures")
      }
      failuresInRow[provider] = 0
    }
    tell(effects)
  }

  func tell(_ effects: Admission.Effects) {
    touched()
    for grant in effects.grants {
      guard let call = waitingCall(grant.ticket) else {
        ledger.hold(false, "a grant for a call that does not wait")
        continue
      }
      ledger.given(grant.lease, to: call)
      leftQueue(call)
      checkFairness(call)
      loops[Int(grant.ticket.loop)].post(.grant(grant))
    }
    for eviction in effects.evictions {
      ledger.count { $0.evictions += 1 }
      ledger.hold(eviction.retryAfterNanoseconds > 0, "sent away for no time")
      guard let call = waitingCall(eviction.ticket) else {
        ledger.hold(false, "an eviction of a call that does not wait")
        continue
      }
      leftQueue(call)
      call.isSentAway = true
      loops[Int(eviction.ticket.loop)].post(.eviction(eviction))
    }
  }

  /// Nobody who is the first of its session is passed by another session more than twice.
  private func checkFairness(_ served: SimulatedCall) {
    for loop in loops {
      for call in loop.calls where call.isWaiting && call.provider == served.provider && call.session !== served.session
      {
        guard granted[call.ticket] == nil, call.isFirstOfSession else { continue }
        let times = call.passed(by: served.session.serial &* 8 &+ UInt64(served.loop.index))
        ledger.hold(times <= 2, "a call was passed \(times) times by the same session")
      }
    }
  }

  private func waitingCall(_ ticket: Ticket) -> SimulatedCall? {
    loops[Int(ticket.loop)].calls.first { $0.ticket == ticket && $0.isWaiting }
  }

  private func leftQueue(_ call: SimulatedCall) {
    ledger.hold(granted[call.ticket] == nil, "a call was granted twice")
    granted[call.ticket] = true
    countOut(call.provider)
  }

  func lostPlaces(session: Int) -> Int { lost.count { $0.session.number == session } }

  func lose(_ call: SimulatedCall) {
    ledger.count { $0.lostLeases += 1 }
    lost.append(call)
  }

  func recovered(_ lease: Leases.ID, _ effects: Admission.Effects) {
    ledger.count { $0.recoveredLeases += 1 }
    let index = lost.firstIndex { $0.permit?.lease == lease }
    ledger.hold(index != nil, "a lease was taken back that was not lost")
    ledger.returned(lease)
    guard let index else { return }
    // A call that never came back counts as the provider's failure.
    judged(lost[index].provider, lease, .failure(retryAfterNanoseconds: 0), effects)
    // It turns up after all, too late to count.
    let call = lost.remove(at: index)
    if let late = call.permit.take() {
      let before = core.read(now: now).inFlight
      let more = late.release(.success, now: now)
      ledger.hold(more.isEmpty && core.read(now: now).inFlight == before, "a late return changed something")
    }
  }

  /// Whether a message may be taken, held against meters that are read the plain way.
  func takeMessage(principal: Int, address: Census.Address) -> Bool {
    let refusal = core.takeMessage(principal: principal, address: address, now: now)
    touched()
    let rates = scenario.rates
    meters.fill(now: now, rates)
    let has = meters.hasToken(principal: principal, address: Int(address.low), rates)
    ledger.hold(
      refusal == nil ? has.surely || has.perhaps : !has.surely, "a rate is not kept: \(String(describing: refusal))")
    ledger.hold(refusal.map { $0.retryAfterNanoseconds > 0 } ?? true, "too fast, and no time to wait")
    if refusal == nil { meters.take(principal: principal, address: Int(address.low)) }
    return refusal == nil
  }

  /// false: it was refused, and is closed at once.
  func connectionOpened(from address: Census.Address) -> Bool {
    defer { touched() }
    switch core.connectionOpened(from: address) {
    case .welcome:
      openConnections += 1
      return true
    case .refused: core.connectionClosed(from: address, wasRefused: true)
    case .turnedAway: ledger.hold(false, "a connection is turned away while no refused one is here")
    }
    return false
  }

  func connectionClosed(from address: Census.Address) {
    openConnections -= 1
    touched()
    core.connectionClosed(from: address)
  }

  /// nil: there is no room for another session, of this principal or at all.
  func openSession(principal: Int) -> Int? {
    let own = clients.count { $0.session?.principal == principal }
    let limit = scenario.principals[principal].sessions
    let opening = core.openSession(principal: principal)
    touched()
    switch opening {
    case .opened(let number):
      ledger.hold(limit.map { own < $0 } ?? true, "a principal with \(own) sessions may open another")
      openSessions += 1
      return number
    case .sessions(let limit):
      ledger.hold(openSessions >= limit, "\(openSessions) sessions are too many")
    case .principalSessions(let told):
      ledger.hold(told == limit && own >= told, "\(own) sessions of a principal are too many")
    }
    return nil
  }

  /// Calls of a principal that run or wait, as the world knows them.
  func places(principal: Int) -> Int {
    ledger.liveLeases { $0.session.principal == principal }
      + loops.reduce(0) { sum, loop in
        sum
          + loop.calls.count {
            $0.isWaiting && granted[$0.ticket] == nil && $0.session.principal == principal
          }
      }
  }

  func closedSession() {
    openSessions -= 1
    touched()
  }
}
