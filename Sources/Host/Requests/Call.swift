import Bytes
import Decisions

/// One call from its question for a permit to its end: it performs what `CallMachine` decides, and joins the answer.
///
/// The states are the machine's. This holds what the machine must not: the permit, the timer, the provider's call, the
/// face. Thread: the loop's. At the end, in this order: the upstream is aborted, the permit released, the face told.
final class Call: ProviderCallSink, TimerTarget {
  /// What the provider is doing, as `progress` frames say.
  enum Phase: String { case waiting, connected, thinking, answering }

  /// The provider's side of the present try.
  private enum Attempt {
    case none
    case opening
    case open(ProviderCallID)
  }

  let plan: CallPlan
  let ticket: Ticket
  /// This call's place in its loop's list.
  var slot = 0
  private(set) var answer = CallAnswer()
  private(set) var phase = Phase.waiting
  /// Nanoseconds of the finished stages.
  private(set) var queuedNanoseconds: UInt64 = 0
  private(set) var upstreamNanoseconds: UInt64 = 0
  private(set) var deltas: UInt64 = 0
  /// Why another model answers than the one that was asked for; nil: it is that one.
  private(set) var fallbackReason: String?
  /// How and when it ended, once it has.
  private var ending: CallEnding?
  private(set) var endedAt = Instant.never

  private let loop: HostLoop
  /// The providers it began with; let go at the end.
  private var routing: Routing?
  private var face: (any CallFace)?
  private var machine: CallMachine
  private var attempt = Attempt.none
  private var permit: Permit?
  private var isPaused = false
  private var timer: TimerID?
  private var timerDue = Instant.never
  private var openedAt = Instant.never
  /// The canonical body, kept while it may be needed (again); empty otherwise.
  private var body: [UInt8] = []
  /// The same, borrowed from whoever started the call, while that lasts.
  private var borrowedBody: UnsafeRawBufferPointer?
  private var lastFailure: ProviderFailure?
  /// What the end of the call tells the Core about the provider; a try that was reported tells nothing more.
  private var verdict = Verdict.neutral
  /// A provider event that breaks the contract ends the call once the event's caller has returned.
  private var fault: String?
  /// Set while `start` runs: a refusal is thrown to its caller then.
  private var isStarting = false
  /// Its ticket stands in a queue.
  private var isWaiting = false
  private var cancelMessage = ""
  private var cancelReason = ProviderCancelReason.client
  private var trace: CallTrace

  init(plan: consuming CallPlan, routing: Routing, face: any CallFace, loop: HostLoop) {
    let total = plan.total
    let (receivedAt, modelCount, isTool) = (plan.receivedAt, plan.modelCount, plan.tool != nil)
    var policy = loop.retryPolicy
    // A tool may have done its work before it failed.
    if let tool = plan.tool, !tool.offer.isRepeatable { policy.attempts = 1 }
    self.plan = plan
    self.routing = routing
    self.face = face
    self.loop = loop
    ticket = loop.nextTicket()
    machine = CallMachine(
      clocks: loop.clockLimits(total: total), policy: policy, models: modelCount,
      queueNanoseconds: loop.queueNanoseconds, now: receivedAt)
    trace = CallTrace(
      loop.records.begin(receivedAt: receivedAt), meter: loop.meter, receivedAt: receivedAt, isTool: isTool)
  }

  deinit {
    if machine.hasEnded || machine.state == .asking { return }
    preconditionFailure("a call was dropped in \(machine.state)")
  }

  var log: Log { loop.services.log }
  var hasEnded: Bool { machine.hasEnded }
  /// Tries that were begun.
  var attempts: Int { machine.attempts }
  /// The model that answers, or is asked next.
  var model: ModelEntry { plan.model(machine.model) }
  private var provider: (any ProviderInstance)? { routing?.providers[model.provider] }

  // MARK: - Admission

  /// Asks for a permit and opens the provider, or waits, or throws why it may not run: then the call has ended and the
  /// face is not told otherwise. `body` is borrowed.
  func start(body: UnsafeRawBufferPointer) throws(CallError) {
    loop.add(self)
    logBegin()
    borrowedBody = body
    isStarting = true
    perform(.ask(model: 0))
    isStarting = false
    keepBody()
    borrowedBody = nil
    if machine.attempts == 0, let error = ending?.error { throw error }
  }

  /// A permit became free for a call that waited.
  func granted(_ permit: consuming Permit) {
    isWaiting = false
    // The turn's time may be older than what the clocks begin with: they would run out early.
    openedAt = .now()
    let action = machine.granted(now: openedAt)
    guard action != .nothing else { return loop.release(permit, .neutral) }
    trace.admitted(model, now: openedAt)
    queuedNanoseconds = openedAt.nanoseconds(since: plan.receivedAt)
    self.permit = consume permit
    perform(action)
  }

  /// The provider's breaker has opened while the call waited.
  func evicted(retryAfterNanoseconds wait: UInt64) {
    isWaiting = false
    noteFallback("breaker_open")
    perform(machine.unavailable(.breakerOpen(retryAfterNanoseconds: wait)))
  }

  private func ask() {
    // No worker comes any more: a permit would only be held for saying so.
    if let provider, provider.isSpent {
      noteFallback("quarantined")
      loop.core.countRefusal()
      return perform(machine.unavailable(.quarantined))
    }
    let request = Admission.Request(
      ticket: ticket, provider: model.provider, session: plan.session, principal: plan.principal, owner: plan.requestID,
      leaseNanoseconds: Leases.term(ofTotal: plan.total))
    let decision = loop.core.admit(request, now: loop.now)
    switch consume decision {
    case .admitted(let permit):
      self.permit = consume permit
      openedAt = .now()
      trace.admitted(model, now: openedAt)
      perform(machine.admitted(now: openedAt))
    case .queued:
      isWaiting = true
      trace.queued(for: model, now: loop.now)
      loop.wait(self)
      perform(machine.queued(now: loop.now))
    case .refused(let refusal): perform(machine.refused(refusal))
    case .unavailable(let wait):
      noteFallback("breaker_open")
      perform(machine.unavailable(.breakerOpen(retryAfterNanoseconds: wait)))
    case .draining: perform(machine.draining())
    }
  }

  /// The first reason is the one that counts; it is shown only if another model answers.
  private func noteFallback(_ reason: String) { fallbackReason = fallbackReason ?? reason }

  // MARK: - Performing

  private func perform(_ action: CallMachine.Action) {
    switch action {
    case .nothing: break
    case .ask(let model):
      if model > 0 { markFallback() }
      ask()
    case .open: open()
    case .move: move()
    case .wait: arm(at: machine.wake)
    case .heartbeat: face?.callProgressed(self, phase: phase)
    case .leaveQueue: perform(machine.waitOver(loop.core.abandon(ticket, provider: model.provider)))
    case .abort: abortAttempt()
    case .end(let conclusion): end(conclusion)
    }
  }

  private func open() {
    let isFirst = machine.attempts == 1
    if isFirst {
      trace.mark(.opened, model.providerID, now: openedAt)
      disarm()
      face?.callAccepted(self)
      if machine.hasEnded { return }
    } else {
      loop.core.countAttempt(provider: model.provider)
      trace.retried(model, attempt: machine.attempts, usage: answer.usage, now: loop.now)
      answer = CallAnswer()
      phase = .waiting
    }
    lastFailure = nil
    verdict = .neutral
    guard let provider else { preconditionFailure("a call was opened after its end") }
    attempt = .opening
    let began = isFirst ? openedAt : .now()
    let opened: ProviderCallID
    do {
      opened = try withBody { body throws(ProviderFailure) in
        try plan.open(
          provider, model: model, attempt: machine.attempts, body: body, deadline: machine.clocks.deadline,
          connect: loop.connectNanoseconds, sink: self, on: loop.eventLoop)
      }
    } catch {
      trace.opened(since: began)
      attempt = .none
      return attemptFailed(error)
    }
    trace.opened(since: began)
    guard case .opening = attempt else {
      // It ended before `open` returned.
      return provider.release(opened, reason: .client, on: loop.eventLoop)
    }
    attempt = .open(opened)
    if let fault { return endFaulty(fault) }
    arm(at: machine.wake)
  }

  private func withBody(_ use: (UnsafeRawBufferPointer) throws(ProviderFailure) -> ProviderCallID)
    throws(ProviderFailure) -> ProviderCallID
  {
    if let borrowedBody { return try use(borrowedBody) }
    let result: Result<ProviderCallID, ProviderFailure> = body.withUnsafeBytes { bytes in
      Result { () throws(ProviderFailure) in try use(bytes) }
    }
    return try result.get()
  }

  /// What was borrowed goes with its owner; a copy stays while another try may need it.
  private func keepBody() {
    guard body.isEmpty, let borrowedBody, machine.mayOpenAgain else { return }
    body = [UInt8](borrowedBody)
  }

  private func markFallback() {
    trace.mark(.fallback, "\(model.id) of \(model.providerID)", now: loop.now)
  }

  private func move() {
    markFallback()
    let provider = model.provider
    guard let lease = permit?.lease, self.provider?.isSpent == false,
      let effects = loop.core.transfer(lease, to: provider, now: loop.now)
    else {
      return perform(machine.moved(false, now: loop.now))
    }
    loop.tell(effects)
    perform(machine.moved(true, now: loop.now))
  }

  // MARK: - The client

  /// Stops the call: the client asked, left, or the host stops. Nothing happens when it has ended.
  func cancel(_ reason: ProviderCancelReason, message: String) {
    guard !machine.hasEnded else { return }
    cancelMessage = message
    cancelReason = reason
    trace.mark(.cancel, message, now: loop.now)
    perform(machine.cancelled())
  }

  /// It holds its permit past the deadline, which no call should: it is ended, whatever it does.
  func endOverdue() { perform(machine.overdue()) }

  /// The client takes data again.
  func resume() {
    guard isPaused else { return }
    isPaused = false
    machine.resumed(now: loop.now)
    trace.mark(.resumed, now: loop.now)
    rearm()
    if case .open(let id) = attempt { provider?.resume(id, on: loop.eventLoop) }
  }

  // MARK: - The provider

  func providerEvent(_ event: ProviderEvent) -> ProviderFlow {
    guard !hasEnded, fault == nil else { return .cancelled }
    switch answer.take(event) {
    case .ignored, .noted: return isPaused ? .pause : .proceed
    case .refused(let reason):
      fault = "the provider sent \(reason)"
      loop.eventLoop.enqueue(.work { [self] in if let fault { endFaulty(fault) } })
      return .cancelled
    case .delta:
      phase = event.kind == .reasoning ? .thinking : .answering
      machine.answered(now: loop.now)
      if !body.isEmpty { body = [] }
      rearm()
      trace.piece(model, now: loop.now)
      let sequence = deltas
      deltas &+= 1
      guard plan.wantsStream, let face else { return isPaused ? .pause : .proceed }
      if !face.callDelta(self, sequence: sequence, event), !isPaused {
        isPaused = true
        machine.paused(now: loop.now)
        trace.mark(.paused, now: loop.now)
      }
      return isPaused ? .pause : .proceed
    }
  }

  func providerPhase(_ phase: ProviderPhase) {
    guard self.phase == .waiting else { return }
    self.phase = .connected
    trace.mark(.connected, now: loop.now)
  }

  func providerDone(_ end: ProviderEnd) {
    guard !hasEnded else { return }
    attempt = .none
    if let failure = end.failure(sawFinish: answer.finishReason != nil, sawAnswer: answer.hasContent) {
      attemptFailed(failure)
    } else {
      verdict = .success
      perform(machine.finished())
    }
  }

  /// The present try has ended at the provider, or never began there.
  private func attemptFailed(_ failure: ProviderFailure) {
    lastFailure = failure
    let facts = AttemptFailure(failure)
    verdict = facts.verdict
    noteFallback(facts.kind.rawValue)
    var isAvailable = false
    if let lease = permit?.lease, machine.mayTryAgain(after: facts) {
      keepBody()
      let report = loop.core.report(lease, provider: model.provider, facts.verdict, now: loop.now)
      verdict = .neutral
      isAvailable = report.isAvailable
      loop.tell(report.effects)
    }
    let action = machine.failed(facts, isAvailable: isAvailable, now: loop.now, random: loop.nextRandom())
    switch action {
    case .wait, .move: trace.mark(.attemptFailed, failure.message, now: loop.now)
    default: break
    }
    guard case .move = action else { return perform(action) }
    // Not from inside the plugin that has just failed.
    loop.eventLoop.enqueue(.work { [self] in if machine.state == .moving { perform(action) } })
  }

  /// The clock of the first token ran out: this try is stopped, and another may follow.
  private func abortAttempt() {
    releaseAttempt(.deadline)
    attemptFailed(ProviderFailure(status: ProviderStatus.timeout, message: "no answer in time"))
  }

  // MARK: - Time

  func timerFired(_ tag: UInt32) {
    timer = nil
    timerDue = .never
    let now = Instant.now()
    while !machine.hasEnded {
      let action = machine.due(now: now)
      if action == .nothing { return arm(at: machine.wake) }
      perform(action)
      if action != .heartbeat { return }
    }
  }

  /// Timers only ever move later, except after the first token: so one is kept and asked again when it fires.
  private func rearm() {
    if machine.wake < timerDue, case .open = attempt { arm(at: machine.wake) }
  }

  private func arm(at instant: Instant) {
    disarm()
    guard instant != .never, !machine.hasEnded else { return }
    timerDue = instant
    timer = loop.eventLoop.schedule(at: instant, self, tag: 0)
  }

  private func disarm() {
    if let timer { _ = loop.eventLoop.cancel(timer) }
    timer = nil
    timerDue = .never
  }

  /// The provider is not listened to any longer.
  private func releaseAttempt(_ reason: ProviderCancelReason) {
    if case .open(let id) = attempt {
      provider?.release(id, reason: reason, on: loop.eventLoop)
      trace.mark(.abortedUpstream, "\(reason)", now: .now())
    }
    attempt = .none
  }

  // MARK: - The end

  private func endFaulty(_ fault: String) {
    guard !hasEnded else { return }
    self.fault = nil
    releaseAttempt(.stop)
    var failure = ProviderFailure(status: ProviderStatus.badResponse, message: fault)
    failure.isRetryable = false
    attemptFailed(failure)
  }

  /// Gives everything back; the face is told last.
  private func end(_ conclusion: CallMachine.Conclusion) {
    disarm()
    endedAt = .now()
    if openedAt != .never { upstreamNanoseconds = endedAt.nanoseconds(since: openedAt) }
    var reason = cancelReason
    if conclusion == .overdue { reason = .deadline }
    if case .timedOut(let clock, _) = conclusion {
      reason = .deadline
      if verdict == .neutral, lastFailure == nil, !(clock == .total && plan.isShortened) {
        verdict = .failure(retryAfterNanoseconds: 0)
      }
    }
    let wasOpen = if case .open = attempt { true } else { false }
    releaseAttempt(reason)
    if wasOpen, conclusion == .cancelled { trace.stopped(model, on: loop.eventLoop) }
    if isWaiting { loop.stopWaiting(self, provider: model.provider) }
    isWaiting = false
    loop.remove(self)
    body = []
    routing = nil
    let ending = CallEnding(
      conclusion, failure: lastFailure, provider: model.providerID, clocks: machine.clocks.limits,
      connect: loop.connectNanoseconds, textBytes: answer.text.count, cancelMessage: cancelMessage)
    self.ending = ending
    logFailure(ending)
    let held = permit.take()
    let hadPermit = held != nil
    let isRefused = !hadPermit && machine.attempts == 0 && conclusion != .cancelled
    keepRecord(ending, isRefused: isRefused)
    if let held { loop.release(held, verdict) }
    loop.logEnd(of: self, isTimeout: ending.error?.code == .timeout, hadPermit: hadPermit)
    guard let face = face.take() else { return }
    if !isRefused {
      face.callEnded(self, ending)
    } else if !isStarting, let error = ending.error {
      face.callRefused(self, error)
    }
  }

  private func keepRecord(_ ending: CallEnding, isRefused: Bool) {
    let end = CallTrace.End(
      ending: ending, isRefused: isRefused, attempts: machine.attempts, usage: answer.usage,
      upstreamNanoseconds: upstreamNanoseconds, now: endedAt)
    guard let record = trace.end(end, model) else { return }
    let outcome = isRefused ? "refused" : ending.outcome.rawValue
    loop.records.end(record, summary(of: record, .ended(outcome: outcome, error: ending.error, at: endedAt)))
  }

  // MARK: - For the operator

  /// What it is doing; nil: it has ended.
  var summary: CallSummary? {
    guard let record = trace.record else { return nil }
    return summary(of: record, .live(phase: isWaiting ? "queued" : phase.rawValue, isPaused: isPaused))
  }

  /// nil: it has ended.
  var timeline: CallTimeline? {
    guard let record = trace.record, let summary else { return nil }
    return CallTimeline(summary: summary, entries: record.entries, gaps: record.lastGaps)
  }

  private func summary(of record: CallRecord, _ state: CallSummary.State) -> CallSummary {
    CallSummary(
      ticket: ticket, id: plan.requestID, session: plan.session, principal: plan.principal, model: model,
      tool: plan.name, attempts: attempts, receivedAt: plan.receivedAt, queuedNanoseconds: queuedNanoseconds,
      firstTokenAt: record.firstTokenAt, lastChunkAt: record.lastChunkAt, chunks: record.chunks,
      maxGapMicroseconds: record.maxGapMicroseconds, state: state)
  }
}
