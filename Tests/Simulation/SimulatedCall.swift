import Decisions

/// One call of the simulated host: performs what `CallMachine` decides, as the host's `Call` does, and keeps the truth
/// of what its upstream did.
final class SimulatedCall {
  let world: World
  let loop: SimulatedLoop
  let session: SimulatedSession
  let id: [UInt8]
  let ticket: Ticket
  let startedAt: Instant
  /// What its loop had stood still by then.
  let stalledBefore: UInt64
  let total: UInt64
  let firstModel: Int
  var machine: CallMachine
  var permit: Permit?
  /// The world's number for the provider's side of the present attempt; 0: none.
  var attempt = 0
  /// What the upstream of the present attempt did.
  var pieces = 0
  private var lastPieceAt = Instant.never
  private var firstOpenedAt = Instant.never
  private var openedModel = 0
  private var failedAt = Instant.never
  private var askedToWait: UInt64 = 0
  private(set) var endedAt = Instant.never
  var hasFinished = false
  var openedAt = Instant.never
  var isPaused = false
  private var timerGeneration: UInt32 = 0
  private(set) var timerAt = Instant.never
  private var verdict = Verdict.neutral
  private(set) var conclusion: CallMachine.Conclusion?
  /// Whether no other call of its session waited when it began to.
  private(set) var isFirstOfSession = false
  private var passedBy: [UInt64: Int] = [:]
  /// Set while the call is being begun: a refusal is its caller's to send.
  private var isStarting = false
  private var wasCancelled = false
  private(set) var isWaiting = false
  /// It left the queue because the breaker opened, and does not know yet.
  var isSentAway = false
  /// A fault of the simulated host itself: the permit is kept when the call ends, and found by its deadline.
  let losesPermit: Bool

  init(world: World, loop: SimulatedLoop, session: SimulatedSession, id: [UInt8], total: UInt64, losesPermit: Bool) {
    self.world = world
    self.loop = loop
    self.session = session
    self.id = id
    self.total = total
    self.losesPermit = losesPermit
    ticket = loop.nextTicket()
    startedAt = world.now
    stalledBefore = loop.stalledNanoseconds
    firstModel = Int(ticket.call) % world.scenario.providers.count
    var clocks = world.scenario.clocks
    clocks.total = total
    machine = CallMachine(
      clocks: clocks, policy: world.scenario.retry, models: world.scenario.models,
      queueNanoseconds: world.scenario.queueNanoseconds, now: world.now)
  }

  var provider: Int { (firstModel + machine.model) % world.scenario.providers.count }
  var leaseNanoseconds: UInt64 { Leases.term(ofTotal: total) }

  /// nil: the call is admitted or waits.
  func start() -> CallMachine.Conclusion? {
    isStarting = true
    perform(.ask(model: 0))
    isStarting = false
    return machine.attempts == 0 ? conclusion : nil
  }

  // MARK: - Performing

  func perform(_ action: CallMachine.Action) {
    world.ledger.note(1, UInt64(ticket.call))
    switch action {
    case .nothing: break
    case .ask: ask()
    case .open: open()
    case .move: move()
    case .wait: arm(at: machine.wake)
    case .heartbeat: break
    case .leaveQueue: leaveQueue()
    case .abort: abortAttempt()
    case .end(let conclusion): end(conclusion)
    }
  }

  private func ask() {
    let request = Admission.Request(
      ticket: ticket, provider: provider, session: session.number, principal: session.principal, owner: id,
      leaseNanoseconds: leaseNanoseconds)
    let before = world.breaker(of: provider)
    let places = world.places(principal: session.principal)
    let placeLimit = world.scenario.principals[session.principal].inFlight
    let mayHaveAnother = placeLimit.map { places < $0 } ?? true
    let decision = world.core.admit(request, now: world.now)
    world.touched()
    switch consume decision {
    case .admitted(let permit):
      world.ledger.hold(!world.isDraining, "admitted by a host that drains")
      world.ledger.hold(mayHaveAnother, "admitted a call of a principal that has \(places)")
      world.ledger.given(permit.lease, to: self)
      world.checkPassage(permit.lease, provider, before)
      self.permit = consume permit
      perform(machine.admitted(now: world.now))
    case .queued:
      world.ledger.hold(mayHaveAnother, "queued a call of a principal that has \(places)")
      isWaiting = true
      world.beganToWait(self)
      perform(machine.queued(now: world.now))
    case .refused(let refusal):
      world.ledger.hold(refusal.inFlight >= refusal.limit, "refused with \(refusal)")
      world.ledger.hold(
        refusal.scope != .session || session.places(without: self) >= refusal.limit,
        "refused for \(refusal.inFlight) calls of a session that has \(session.places(without: self))")
      world.ledger.hold(
        refusal.scope != .principal || (!mayHaveAnother && refusal.inFlight == places && refusal.limit == placeLimit),
        "refused for \(refusal.inFlight) calls of a principal that has \(places)")
      perform(machine.refused(refusal))
    case .unavailable(let wait):
      world.ledger.hold(wait > 0, "provider \(provider) is unavailable for no time: its breaker should be probed")
      perform(machine.unavailable(.breakerOpen(retryAfterNanoseconds: wait)))
    case .draining:
      world.ledger.hold(world.isDraining, "refused as draining")
      perform(machine.draining())
    }
  }

  private func leaveQueue() {
    let refusal = world.core.abandon(ticket, provider: provider)
    world.touched()
    if refusal != nil { stoppedWaiting() }
    perform(machine.waitOver(refusal))
  }

  func beginsToWait(isFirstOfSession: Bool) {
    self.isFirstOfSession = isFirstOfSession
    passedBy = [:]
  }

  /// How often this session's calls were served before it.
  func passed(by session: UInt64) -> Int {
    passedBy[session, default: 0] += 1
    return passedBy[session, default: 0]
  }

  func stoppedWaiting() {
    guard isWaiting else { return }
    isWaiting = false
    isSentAway = false
    world.ceasedToWait(self)
  }

  private func open() {
    world.ledger.hold(conclusion == nil, "a call was opened after its end")
    world.ledger.hold(machine.attempts <= world.scenario.retry.attempts, "\(machine.attempts) attempts")
    world.ledger.hold(pieces == 0, "another attempt after \(pieces) pieces")
    world.ledger.hold(permit != nil, "opened without a permit")
    if machine.attempts > 1 {
      world.core.countAttempt(provider: provider)
      checkRetry()
    } else {
      firstOpenedAt = world.now
    }
    openedModel = machine.model
    openedAt = world.now
    hasFinished = false
    verdict = .neutral
    world.upstream.open(self)
    if conclusion == nil { arm(at: machine.wake) }
  }

  private func checkRetry() {
    let slack = loop.stalledNanoseconds - stalledBefore + 1_000_000
    world.ledger.hold(
      world.now.nanoseconds(since: firstOpenedAt) <= world.scenario.retry.budgetNanoseconds + slack,
      "a try after the budget was spent")
    world.ledger.hold(
      machine.model != openedModel || world.now.nanoseconds(since: failedAt) >= askedToWait,
      "the provider's Retry-After was not kept")
  }

  private func move() {
    let lease = permit?.lease
    let before = world.breaker(of: provider)
    guard let lease, let effects = world.core.transfer(lease, to: provider, now: world.now) else {
      return perform(machine.moved(false, now: world.now))
    }
    world.checkPassage(lease, provider, before)
    world.tell(effects)
    perform(machine.moved(true, now: world.now))
  }

  private func abortAttempt() {
    world.ledger.hold(
      isPaused || world.now.nanoseconds(since: openedAt) >= world.scenario.clocks.firstToken,
      "the first token was given up too early")
    world.upstream.close(self)
    attemptFailed(AttemptFailure(.timedOut))
  }

  // MARK: - What comes from the upstream

  func piece() {
    pieces += 1
    lastPieceAt = world.now
    machine.answered(now: world.now)
    if machine.wake < timerAt { arm(at: machine.wake) }
    guard world.chance.once(in: 40), !isPaused else { return }
    // A slow reader: the host pauses the exchange for a while.
    isPaused = true
    machine.paused(now: world.now)
    session.pause()
  }

  func resumed() {
    guard isPaused, conclusion == nil else { return }
    isPaused = false
    machine.resumed(now: world.now)
    arm(at: machine.wake)
  }

  func finished() {
    world.upstream.close(self)
    hasFinished = true
    verdict = .success
    perform(machine.finished())
  }

  func attemptFailed(_ failure: AttemptFailure) {
    world.upstream.close(self)
    verdict = failure.verdict
    failedAt = world.now
    askedToWait = failure.retryAfterNanoseconds
    var isAvailable = false
    if let lease = permit?.lease, machine.mayTryAgain(after: failure) {
      let report = world.core.report(lease, provider: provider, failure.verdict, now: world.now)
      isAvailable = report.isAvailable
      world.judged(provider, lease, failure.verdict, report.effects)
      verdict = .neutral
    }
    perform(machine.failed(failure, isAvailable: isAvailable, now: world.now, random: world.chance.next()))
  }

  // MARK: - Time

  func timerFired(_ generation: UInt32) {
    guard generation == timerGeneration else { return }
    timerAt = .never
    while conclusion == nil {
      let action = machine.due(now: world.now)
      if action == .nothing { return arm(at: machine.wake) }
      perform(action)
      if action != .heartbeat { return }
    }
  }

  private func arm(at instant: Instant) {
    timerGeneration &+= 1
    timerAt = .never
    guard instant != .never, conclusion == nil else { return }
    timerAt = instant
    world.schedule(at: max(instant, world.now), .timer(self, generation: timerGeneration))
  }

  // MARK: - The end

  func granted(_ permit: consuming Permit) {
    stoppedWaiting()
    let action = machine.granted(now: world.now)
    guard action != .nothing else { return world.giveBack(permit, .neutral, provider: provider) }
    self.permit = consume permit
    perform(action)
  }

  func endOverdue() { perform(machine.overdue()) }

  func cancel() {
    guard conclusion == nil else { return }
    wasCancelled = true
    perform(machine.cancelled())
  }

  private func end(_ conclusion: CallMachine.Conclusion) {
    world.ledger.hold(self.conclusion == nil, "a call ended twice")
    self.conclusion = conclusion
    endedAt = world.now
    timerGeneration &+= 1
    timerAt = .never
    checkTruth(of: conclusion)
    // A first token that did not come was reported when its try was stopped.
    if case .timedOut(let clock, _) = conclusion, verdict == .neutral, clock != .firstToken, attempt != 0,
      clock == .progress || total >= world.scenario.clocks.total
    {
      verdict = .failure(retryAfterNanoseconds: 0)
    }
    world.upstream.close(self)
    if isWaiting {
      stoppedWaiting()
      world.core.withdraw(ticket, provider: provider)
      world.touched()
    }
    if losesPermit, permit != nil {
      world.lose(self)
    } else if let held = permit.take() {
      world.giveBack(held, verdict, provider: provider)
    }
    loop.ended(self)
    session.ended(self, conclusion, isStarting: isStarting && machine.attempts == 0)
  }

  /// Nothing lies.
  private func checkTruth(of conclusion: CallMachine.Conclusion) {
    let took = world.now.nanoseconds(since: startedAt)
    let ledger = { (promise: Bool, broken: String) in self.world.ledger.hold(promise, broken) }
    switch conclusion {
    case .complete: ledger(hasFinished, "complete without the upstream's end")
    case .truncated: ledger(pieces > 0 && !hasFinished, "truncated after \(pieces) pieces")
    case .failed: ledger(pieces == 0 && !hasFinished && machine.attempts > 0, "failed after \(pieces) pieces")
    case .timedOut(.total, let limit):
      ledger(took >= limit && limit == total, "timed out after \(took) of \(total)")
    case .timedOut(.firstToken, _): ledger(pieces == 0, "no first token after \(pieces) pieces")
    case .timedOut(.progress, let limit):
      ledger(pieces > 0 && world.now.nanoseconds(since: lastPieceAt) >= limit, "progress ran out early")
    case .timedOut(.connect, _): ledger(false, "the connect clock is the upstream client's")
    case .overdue: ledger(took >= leaseNanoseconds, "ended as overdue after \(took)")
    case .cancelled: ledger(wasCancelled, "cancelled by nobody")
    case .refused, .unavailable, .draining: ledger(machine.attempts == 0, "refused after an attempt")
    }
    ledger(machine.wake == .never && machine.hasEnded, "a call that ended still wants to be woken")
    let slack = loop.stalledNanoseconds - stalledBefore + 1_000_000_000
    ledger(
      took <= total + world.scenario.queueNanoseconds + slack, "ended \(took) after it began, its total is \(total)")
  }
}
