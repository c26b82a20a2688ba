/// One call, from its question for a permit to its conclusion: what happens in, what to do out. It owns no permit,
/// timer or provider; `Call` does what it says and tells what came of it.
///
/// | state      | event                        | then                                                      |
/// |------------|------------------------------|-----------------------------------------------------------|
/// | asking     | admitted                     | running: open                                             |
/// | asking     | queued                       | queued: wait for a bounded time                           |
/// | asking     | refused, draining            | ended; for another model than the asked: as unavailable   |
/// | asking     | unavailable                  | asking for the next model, or ended                       |
/// | queued     | granted                      | running: open                                             |
/// | queued     | evicted                      | asking for the next model, or ended                       |
/// | queued     | wait over                    | ended, unless a grant is on its way                       |
/// | running    | event                        | the clocks move                                           |
/// | running    | end seen                     | ended: complete                                           |
/// | running    | failure after a piece        | ended: truncated                                          |
/// | running    | failure before any piece     | backing off, moving to the next model, or ended           |
/// | backing off| its time                     | running: open                                             |
/// | moving     | moved                        | running: open                                             |
/// | moving     | no room there                | moving to the next model, or ended                        |
/// | running    | first_token                  | abort, then as a failure that timed out                   |
/// | any        | another clock, cancel        | ended                                                     |
/// | ended      | anything                     | nothing                                                   |
package struct CallMachine {
  package enum State: Equatable, Sendable { case asking, queued, running, backingOff, moving, ended }

  /// What to do now. One event asks for one thing.
  package enum Action: Equatable, Sendable {
    case nothing
    /// Ask for a permit of this model's provider: tell `admitted`, `queued`, `refused` or `unavailable`.
    case ask(model: Int)
    /// Open this model's provider; the permit is there.
    case open(model: Int)
    /// Move the permit to this model's provider: tell `moved`.
    case move(model: Int)
    /// Wait; `wake` says until when.
    case wait
    /// Tell the client that the call lives.
    case heartbeat
    /// The wait for a permit is over: leave the queue and tell `waitOver`.
    case leaveQueue
    /// The try took too long: stop it and tell `failed`.
    case abort
    case end(Conclusion)
  }

  /// How it ended.
  package enum Conclusion: Equatable, Sendable {
    case complete
    /// It ended without its end, after a piece of the answer.
    case truncated
    case failed
    case timedOut(CallClocks.Clock, nanoseconds: UInt64)
    case cancelled
    /// It was found with a lease past its deadline.
    case overdue
    /// Nothing ran.
    case refused(Admission.Refusal)
    case unavailable(Unavailability)
    case draining
  }

  /// Why a provider takes no call.
  package enum Unavailability: Equatable, Sendable {
    /// It failed too often and is left alone for so long.
    case breakerOpen(retryAfterNanoseconds: UInt64)
    /// Its plugin's worker ended too often; none is started until an operator has looked at it.
    case quarantined
  }

  private let policy: RetryPolicy
  /// Models that may answer, in order; 0 is the one that was asked for.
  private let models: Int
  private let queueNanoseconds: UInt64
  package private(set) var state = State.asking
  package private(set) var clocks: CallClocks
  /// Tries that were begun.
  package private(set) var attempts = 0
  /// The model that answers, or is asked next; of a call that ended, the one that its conclusion is about.
  package private(set) var model = 0
  private var openedModel = 0
  /// Whether any piece of the answer came.
  package private(set) var hasAnswer = false
  private var firstOpenedAt = Instant.never
  /// When the wait in a queue, or before another try, is over.
  private var waitEnd = Instant.never
  /// The queue was left, too late: a grant is under way.
  private var isGrantComing = false
  private var firstUnavailability: Unavailability?
  /// The clock by which this try is being stopped.
  private var expired: Conclusion?

  /// - Parameter models: how many models may answer; at least 1.
  package init(
    clocks: CallClocks.Limits, policy: RetryPolicy, models: Int, queueNanoseconds: UInt64, now: Instant
  ) {
    self.policy = policy
    self.models = models
    self.queueNanoseconds = queueNanoseconds
    self.clocks = CallClocks(limits: clocks, now: now)
  }

  package var hasEnded: Bool { state == .ended }

  /// When `due` has something to say, unless events move it later.
  package var wake: Instant {
    switch state {
    case .queued: isGrantComing ? .never : min(waitEnd, clocks.deadline)
    case .backingOff: min(waitEnd, clocks.next)
    case .running: clocks.next
    case .asking, .moving, .ended: .never
    }
  }

  /// Whether the request's body may be needed again.
  package var mayOpenAgain: Bool {
    state != .ended && !hasAnswer && (attempts < policy.attempts || state == .queued || state == .backingOff)
  }

  // MARK: - The permit

  package mutating func admitted(now: Instant) -> Action {
    guard state == .asking else { return .nothing }
    return open(now: now)
  }

  package mutating func queued(now: Instant) -> Action {
    guard state == .asking else { return .nothing }
    state = .queued
    // One wait in all, also in the queues of several models.
    waitEnd = min(waitEnd, now.advanced(nanoseconds: queueNanoseconds))
    return .wait
  }

  package mutating func refused(_ refusal: Admission.Refusal) -> Action {
    guard state == .asking else { return .nothing }
    // One that stands in for another is passed over; the answer is about the model that was asked for.
    if let firstUnavailability { return unavailable(firstUnavailability) }
    return end(.refused(refusal))
  }

  package mutating func draining() -> Action { state == .asking ? end(.draining) : .nothing }

  /// The provider takes no call; another model may do. The answer is about the first of them.
  package mutating func unavailable(_ why: Unavailability) -> Action {
    guard state == .asking || state == .queued else { return .nothing }
    let first = firstUnavailability ?? why
    firstUnavailability = first
    guard model + 1 < models else { return end(.unavailable(first)) }
    model += 1
    state = .asking
    return .ask(model: model)
  }

  /// A permit for a call that waited. `nothing`: it is not wanted any more, give it back.
  package mutating func granted(now: Instant) -> Action {
    guard state == .queued else { return .nothing }
    return open(now: now)
  }

  /// The queue was left, with the refusal it met; nil: a grant is on its way and will be used, within the total.
  package mutating func waitOver(_ refusal: Admission.Refusal?) -> Action {
    guard state == .queued else { return .nothing }
    guard let refusal else {
      isGrantComing = true
      return .wait
    }
    return end(.refused(refusal))
  }

  private mutating func open(now: Instant) -> Action {
    if attempts == 0 {
      firstOpenedAt = now
      clocks.opened(now: now)
    } else {
      clocks.reopened(now: now)
    }
    state = .running
    openedModel = model
    expired = nil
    attempts += 1
    return .open(model: model)
  }

  // MARK: - The provider

  /// A piece of the answer came: text, reasoning, a tool call.
  package mutating func answered(now: Instant) {
    hasAnswer = true
    clocks.semanticEvent(now: now)
  }

  package mutating func paused(now: Instant) { clocks.paused(now: now) }
  package mutating func resumed(now: Instant) { clocks.resumed(now: now) }

  /// Whether a failure of this try may lead to another: then the Core is told of it before `failed`.
  package func mayTryAgain(after failure: AttemptFailure) -> Bool {
    guard state == .running, !hasAnswer, attempts < policy.attempts else { return false }
    return failure.mayHelp.again || (failure.mayHelp.elsewhere && model + 1 < models)
  }

  /// The try has ended as it should.
  package mutating func finished() -> Action { state == .running ? end(.complete) : .nothing }

  /// The try has failed.
  ///
  /// - Parameters:
  ///   - isAvailable: whether the provider may be tried again; its breaker may have opened by this.
  ///   - random: spreads the next try.
  package mutating func failed(_ failure: AttemptFailure, isAvailable: Bool, now: Instant, random: UInt64) -> Action {
    guard state == .running else { return .nothing }
    if hasAnswer { return end(.truncated) }
    guard mayTryAgain(after: failure) else { return end(expired ?? .failed) }
    clocks.attemptFailed()
    // Each model that is left keeps a try.
    let left = policy.attempts - attempts - (models - 1 - model)
    let next = now.advanced(nanoseconds: policy.delay(afterAttempts: attempts, failure, random: random))
    let last = min(firstOpenedAt.advanced(nanoseconds: policy.budgetNanoseconds), clocks.deadline)
    if failure.mayHelp.again, isAvailable, left > 0, next < last {
      state = .backingOff
      waitEnd = next
      return .wait
    }
    return failure.mayHelp.elsewhere && now < last ? moveOn() : end(expired ?? .failed)
  }

  /// The permit was moved; false: the other provider has no room or is unavailable.
  package mutating func moved(_ isMoved: Bool, now: Instant) -> Action {
    guard state == .moving else { return .nothing }
    return isMoved ? open(now: now) : moveOn()
  }

  private mutating func moveOn() -> Action {
    guard model + 1 < models else { return end(expired ?? .failed) }
    model += 1
    state = .moving
    return .move(model: model)
  }

  // MARK: - Time and the client

  /// What has come due. After `heartbeat` there may be more: ask again until `nothing`.
  package mutating func due(now: Instant) -> Action {
    switch state {
    case .asking, .moving, .ended: return .nothing
    case .queued: return wake <= now ? .leaveQueue : .nothing
    case .running, .backingOff: break
    }
    switch clocks.due(now: now) {
    case .heartbeat: return .heartbeat
    case .expired(let clock, let nanoseconds):
      guard clock == .firstToken else { return end(.timedOut(clock, nanoseconds: nanoseconds)) }
      expired = .timedOut(clock, nanoseconds: nanoseconds)
      return .abort
    case nil: break
    }
    guard state == .backingOff, waitEnd <= now else { return .nothing }
    return open(now: now)
  }

  /// Its lease is past its deadline.
  package mutating func overdue() -> Action { state == .ended ? .nothing : end(.overdue) }

  /// The client asked, left, or the host stops.
  package mutating func cancelled() -> Action { state == .ended ? .nothing : end(.cancelled) }

  private mutating func end(_ conclusion: Conclusion) -> Action {
    state = .ended
    // Not the model that was to be next.
    if attempts > 0 { model = openedModel } else if case .unavailable = conclusion { model = 0 }
    return .end(conclusion)
  }
}
