import Bytes

/// One call from admission to its end: it performs what `CallClocks`, `CallAnswer`, `CallEnding` and the Core decide.
///
/// | state   | event            | then                                             |
/// |---------|------------------|--------------------------------------------------|
/// | queued  | granted          | opening: accepted to the face, provider opened    |
/// | queued  | wait over        | ended: refused with OVER_CAPACITY                 |
/// | queued  | cancel           | ended: CANCELLED (a grant under way is given back)|
/// | opening | provider event   | as running; `open` has not returned yet           |
/// | running | provider event   | delta to the face, progress clock moved           |
/// | running | provider done    | ended: by `CallEnding`                            |
/// | running | clock, cancel    | provider released, ended                          |
/// | ended   | anything         | ignored                                           |
///
/// Thread: the loop's. At the end, in this order: the upstream is aborted, the permit released, the face told.
final class Call: ProviderCallSink, TimerTarget {
  /// What the provider is doing, as `progress` frames say.
  enum Phase: String { case waiting, connected, thinking, answering }

  private enum State {
    case new
    case queued
    case opening
    case running(ProviderCallID)
    case ended
  }

  let plan: CallPlan
  let ticket: Admission.Ticket
  private(set) var answer = CallAnswer()
  private(set) var phase = Phase.waiting
  /// Nanoseconds of the finished stages.
  private(set) var queuedNanoseconds: UInt64 = 0
  private(set) var upstreamNanoseconds: UInt64 = 0
  private(set) var deltas: UInt64 = 0

  private let loop: HostLoop
  private let provider: any ProviderInstance
  private var face: (any CallFace)?
  private var state = State.new
  private var permit: Permit?
  private var clocks: CallClocks
  private var isPaused = false
  private var timer: TimerID?
  private var timerDue = Instant.never
  private var openedAt = Instant.never
  /// The canonical body of a call that waits; empty otherwise.
  private var waitingBody: [UInt8] = []
  /// A provider event that breaks the contract ends the call once the event's caller has returned.
  private var fault: String?

  init(plan: CallPlan, provider: any ProviderInstance, face: any CallFace, loop: HostLoop) {
    self.plan = plan
    self.provider = provider
    self.face = face
    self.loop = loop
    ticket = loop.nextTicket()
    clocks = CallClocks(limits: loop.clockLimits(total: plan.total), now: loop.now)
  }

  deinit {
    if case .ended = state { return }
    if case .new = state { return }
    preconditionFailure("a call was dropped in \(state)")
  }

  var hasEnded: Bool { if case .ended = state { true } else { false } }

  // MARK: - Admission

  /// Asks for a permit and opens the provider, or waits, or throws why it may not run: then the call has ended and the
  /// face is not told otherwise. `body` is borrowed.
  func start(body: UnsafeRawBufferPointer) throws(CallError) {
    let decision = loop.core.admit(
      ticket, provider: plan.model.provider, session: plan.session,
      leaseNanoseconds: leaseNanoseconds, now: loop.now)
    switch consume decision {
    case .admitted(let permit):
      self.permit = consume permit
      run(body: body)
    case .queued:
      state = .queued
      waitingBody = [UInt8](body)
      loop.wait(self)
      arm(at: min(loop.now.advanced(nanoseconds: loop.queueNanoseconds), clocks.deadline))
    case .refused(let refusal):
      state = .ended
      face = nil
      throw CallError(refusal, provider: plan.model.providerID)
    case .draining:
      state = .ended
      face = nil
      throw .draining(provider: plan.model.providerID)
    }
  }

  /// A permit became free for a call that waited.
  func granted(_ permit: consuming Permit) {
    guard case .queued = state else {
      loop.release(consume permit)
      return
    }
    disarm()
    queuedNanoseconds = loop.now.nanoseconds(since: plan.receivedAt)
    let body = waitingBody
    waitingBody = []
    self.permit = consume permit
    body.withUnsafeBytes { run(body: $0) }
  }

  /// A lease outlives the call's total, so that a timeout is never a leak.
  private var leaseNanoseconds: UInt64 { plan.total + plan.total / 2 }

  private func run(body: UnsafeRawBufferPointer) {
    state = .opening
    openedAt = .now()
    clocks.opened(now: loop.now)
    face?.callAccepted(self)
    let opened: ProviderCallID
    do {
      opened = try plan.open(
        provider, body: body, deadline: clocks.deadline, connect: loop.connectNanoseconds, sink: self,
        on: loop.eventLoop)
    } catch {
      return end(of: .failed(error))
    }
    guard case .opening = state else {
      provider.release(opened, reason: .client, on: loop.eventLoop)
      return
    }
    state = .running(opened)
    if let fault { return endFaulty(fault) }
    arm(at: clocks.next)
  }

  // MARK: - The client

  /// Stops the call: the client asked, left, or the host stops. Nothing happens when it has ended.
  func cancel(_ reason: ProviderCancelReason, message: String) {
    end(CallEnding(outcome: .cancelled, error: CallError(.cancelled, message)), releasing: reason)
  }

  /// The client takes data again.
  func resume() {
    guard isPaused else { return }
    isPaused = false
    clocks.resumed(now: loop.now)
    rearm()
    if case .running(let id) = state { provider.resume(id, on: loop.eventLoop) }
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
      clocks.semanticEvent(now: loop.now)
      rearm()
      let sequence = deltas
      deltas &+= 1
      guard plan.wantsStream, let face else { return isPaused ? .pause : .proceed }
      if !face.callDelta(self, sequence: sequence, event), !isPaused {
        isPaused = true
        clocks.paused(now: loop.now)
      }
      return isPaused ? .pause : .proceed
    }
  }

  func providerPhase(_ phase: ProviderPhase) {
    if self.phase == .waiting { self.phase = .connected }
  }

  func providerDone(_ end: ProviderEnd) {
    self.end(of: end)
  }

  // MARK: - Time

  func timerFired(_ tag: UInt32) {
    timer = nil
    switch state {
    case .queued: waitIsOver()
    case .opening, .running: checkClocks()
    case .new, .ended: break
    }
  }

  private func checkClocks() {
    while let due = clocks.due(now: loop.now) {
      switch due {
      case .heartbeat: face?.callProgressed(self, phase: phase)
      case .expired(let clock, let nanoseconds):
        return end(
          CallEnding(timeout: clock, nanoseconds: nanoseconds, textBytes: answer.text.count), releasing: .deadline)
      }
    }
    arm(at: clocks.next)
  }

  private func waitIsOver() {
    // A grant may be on its way here; then it is used when it arrives, still within the call's total.
    guard let refusal = loop.core.abandon(ticket) else { return }
    conclude(releasing: nil)?.callRefused(self, CallError(refusal, provider: plan.model.providerID))
  }

  /// Timers only ever move later, except after the first token: so one is kept and asked again when it fires.
  private func rearm() {
    if clocks.next < timerDue, case .running = state { arm(at: clocks.next) }
  }

  private func arm(at instant: Instant) {
    disarm()
    timerDue = instant
    timer = loop.eventLoop.schedule(at: instant, self, tag: 0)
  }

  private func disarm() {
    if let timer { _ = loop.eventLoop.cancel(timer) }
    timer = nil
    timerDue = .never
  }

  // MARK: - The end

  private func endFaulty(_ fault: String) {
    end(
      CallEnding(
        of: .failed(ProviderFailure(status: ProviderStatus.badResponse, message: fault)), sawFinish: false,
        sawAnswer: answer.hasContent, provider: plan.model.providerID, clocks: clocks.limits,
        connect: loop.connectNanoseconds, textBytes: answer.text.count), releasing: .stop)
  }

  private func end(of end: ProviderEnd) {
    self.end(
      CallEnding(
        of: end, sawFinish: answer.finishReason != nil, sawAnswer: answer.hasContent,
        provider: plan.model.providerID, clocks: clocks.limits, connect: loop.connectNanoseconds,
        textBytes: answer.text.count), releasing: nil)
  }

  private func end(_ ending: CallEnding, releasing reason: ProviderCancelReason?) {
    conclude(releasing: reason)?.callEnded(self, ending)
  }

  /// Gives everything back and returns the face, which is told last; nil when the call has ended before.
  ///
  /// - Parameter releasing: why the provider is told to stop; nil when it has ended the call itself.
  private func conclude(releasing reason: ProviderCancelReason?) -> (any CallFace)? {
    let previous = state
    if case .ended = previous { return nil }
    state = .ended
    disarm()
    if openedAt != .never { upstreamNanoseconds = Instant.now().nanoseconds(since: openedAt) }
    switch previous {
    case .running(let id):
      if let reason { provider.release(id, reason: reason, on: loop.eventLoop) }
    case .queued:
      loop.stopWaiting(self)
      waitingBody = []
    case .new, .opening, .ended: break
    }
    if let permit = permit.take() { loop.release(permit) }
    defer { face = nil }
    return face
  }
}
