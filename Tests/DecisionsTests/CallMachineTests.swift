import Testing

@testable import Decisions

private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }
private let unwell = AttemptFailure(.unwell)
private let refusal = Admission.Refusal(
  scope: .provider, provider: 0, limit: 1, inFlight: 1, retryAfterNanoseconds: 1)

/// Begun at 0. first_token 100, progress 50, total 1000, heartbeat 300; 3 tries within 500, back-off 10; a queue of 40.
private func machine(
  models: Int = 1, attempts: Int = 3, budget: UInt64 = 500, heartbeat: UInt64 = 300, total: UInt64 = 1_000
) -> CallMachine {
  CallMachine(
    clocks: CallClocks.Limits(firstToken: 100, progress: 50, total: total, heartbeat: heartbeat),
    policy: RetryPolicy(attempts: attempts, budgetNanoseconds: budget, backoffNanoseconds: 10_000), models: models,
    queueNanoseconds: 40, now: at(0))
}

extension CallMachine {
  fileprivate static func running(models: Int = 1, attempts: Int = 3, budget: UInt64 = 50_000) -> CallMachine {
    var machine = machine(models: models, attempts: attempts, budget: budget, heartbeat: 90_000, total: 100_000)
    #expect(machine.admitted(now: at(0)) == .open(model: 0))
    return machine
  }

  /// 200 of the spread's 401 steps: the back-off as it is configured.
  fileprivate mutating func fail(_ failure: AttemptFailure = unwell, isAvailable: Bool = true, at now: UInt64) -> Action
  {
    failed(failure, isAvailable: isAvailable, now: at(now), random: 200)
  }
}

struct CallMachineTests {
  // MARK: - The permit

  @Test func `an admitted call opens its model and ends when its end was seen`() {
    var machine = machine()
    #expect(machine.admitted(now: at(5)) == .open(model: 0))
    machine.answered(now: at(6))
    #expect(machine.finished() == .end(.complete))
    #expect(machine.hasEnded)
    #expect(machine.attempts == 1)
  }

  @Test func `a refused call, and one of a host that drains, has ended before anything ran`() {
    var refused = machine()
    #expect(refused.refused(refusal) == .end(.refused(refusal)))
    #expect(refused.attempts == 0)
    var draining = machine()
    #expect(draining.draining() == .end(.draining))
  }

  @Test func `a queued call waits for its time, not longer`() {
    var machine = machine()
    #expect(machine.queued(now: at(5)) == .wait)
    #expect(machine.wake == at(45))
    #expect(machine.due(now: at(44)) == .nothing)
    #expect(machine.due(now: at(45)) == .leaveQueue)
    #expect(machine.waitOver(refusal) == .end(.refused(refusal)))
  }

  @Test func `a queued call whose total is shorter waits no longer than that`() {
    var machine = machine(total: 30)
    #expect(machine.queued(now: at(5)) == .wait)
    #expect(machine.wake == at(30))
    #expect(machine.due(now: at(30)) == .leaveQueue)
  }

  @Test func `the wait is one in all, also in the queues of several models`() {
    var machine = machine(models: 2)
    _ = machine.queued(now: at(5))
    #expect(machine.unavailable(.breakerOpen(retryAfterNanoseconds: 70)) == .ask(model: 1))
    #expect(machine.queued(now: at(30)) == .wait)
    #expect(machine.wake == at(45))
  }

  @Test func `a grant that was under way when the wait ended is used`() {
    var machine = machine()
    _ = machine.queued(now: at(5))
    #expect(machine.due(now: at(45)) == .leaveQueue)
    #expect(machine.waitOver(nil) == .wait)
    #expect(machine.wake == .never)
    #expect(machine.due(now: at(46)) == .nothing)
    #expect(machine.granted(now: at(47)) == .open(model: 0))
  }

  @Test func `a grant for a call that is over is not wanted`() {
    var machine = machine()
    _ = machine.queued(now: at(5))
    #expect(machine.cancelled() == .end(.cancelled))
    #expect(machine.granted(now: at(6)) == .nothing)
    #expect(machine.waitOver(refusal) == .nothing)
  }

  @Test func `a provider that is left alone sends the call to the next model, or ends it with the first wait`() {
    var machine = machine(models: 3)
    #expect(machine.unavailable(.breakerOpen(retryAfterNanoseconds: 70)) == .ask(model: 1))
    #expect(machine.queued(now: at(1)) == .wait)
    #expect(machine.unavailable(.breakerOpen(retryAfterNanoseconds: 80)) == .ask(model: 2), "also from the queue")
    #expect(
      machine.unavailable(.breakerOpen(retryAfterNanoseconds: 90))
        == .end(.unavailable(.breakerOpen(retryAfterNanoseconds: 70))))
    #expect(machine.model == 0, "the one that was asked for, and its wait")
  }

  @Test func `of several reasons not to ask a provider the first is the answer`() {
    for (first, second) in [
      (CallMachine.Unavailability.quarantined, CallMachine.Unavailability.breakerOpen(retryAfterNanoseconds: 5)),
      (.breakerOpen(retryAfterNanoseconds: 5), .quarantined),
    ] {
      var machine = machine(models: 2)
      #expect(machine.unavailable(first) == .ask(model: 1))
      #expect(machine.unavailable(second) == .end(.unavailable(first)))
    }
  }

  @Test func `a model that stands in for another is passed over when it is full, and the answer is about the first`() {
    var machine = machine(models: 3)
    #expect(machine.unavailable(.breakerOpen(retryAfterNanoseconds: 70)) == .ask(model: 1))
    #expect(machine.refused(refusal) == .ask(model: 2))
    #expect(machine.refused(refusal) == .end(.unavailable(.breakerOpen(retryAfterNanoseconds: 70))))
    #expect(machine.model == 0)
  }

  @Test func `a call whose lease is overdue has ended as that, wherever it was`() {
    var running = CallMachine.running()
    #expect(running.overdue() == .end(.overdue))
    #expect(running.overdue() == .nothing)
  }

  // MARK: - Another try

  @Test func `a failure before any piece is tried again after the back-off, doubled each time`() {
    var machine = CallMachine.running()
    #expect(machine.fail(at: 10) == .wait)
    #expect(machine.state == .backingOff)
    #expect(machine.wake == at(10_010))
    #expect(machine.due(now: at(10_009)) == .nothing)
    #expect(machine.due(now: at(10_010)) == .open(model: 0))
    #expect(machine.fail(at: 10_020) == .wait)
    #expect(machine.wake == at(30_020))
    #expect(machine.due(now: at(30_020)) == .open(model: 0))
    #expect(machine.fail(at: 30_030) == .end(.failed))
    #expect(machine.attempts == 3)
  }

  @Test func `a failure after a piece is never tried again`() {
    var machine = CallMachine.running()
    machine.answered(now: at(5))
    #expect(!machine.mayTryAgain(after: unwell))
    #expect(machine.fail(at: 10) == .end(.truncated))
  }

  @Test(arguments: AttemptFailure.Kind.allCases)
  func `what may help is tried, what cannot is not`(kind: AttemptFailure.Kind) {
    let again: Set<String> = ["crowded", "rate_limited", "overloaded", "unwell", "timed_out", "crashed"]
    let elsewhere = again.union(["exhausted", "quota", "key"])
    var alone = CallMachine.running()
    #expect(alone.fail(AttemptFailure(kind), at: 10) == (again.contains(kind.rawValue) ? .wait : .end(.failed)))
    var backed = CallMachine.running(models: 3)
    let expected: CallMachine.Action = elsewhere.contains(kind.rawValue) ? .move(model: 1) : .end(.failed)
    #expect(backed.fail(AttemptFailure(kind), at: 10) == expected)
  }

  @Test func `the provider's own word goes before the kind's`() {
    var unwilling = CallMachine.running()
    #expect(unwilling.fail(AttemptFailure(.unwell, isRetryable: false), at: 10) == .end(.failed))
    var willing = CallMachine.running()
    #expect(willing.fail(AttemptFailure(.request, isRetryable: true), at: 10) == .wait)
  }

  @Test func `Retry-After is waited for when it is longer than the back-off, and not when it leads beyond the budget`()
  {
    var patient = CallMachine.running()
    #expect(patient.fail(AttemptFailure(.rateLimited, retryAfterNanoseconds: 20_000), at: 10) == .wait)
    #expect(patient.wake == at(20_010))
    var hopeless = CallMachine.running()
    #expect(hopeless.fail(AttemptFailure(.rateLimited, retryAfterNanoseconds: 50_000), at: 1) == .end(.failed))
    var within = CallMachine.running()
    #expect(within.fail(AttemptFailure(.rateLimited, retryAfterNanoseconds: 49_998), at: 1) == .wait)
    var shorter = CallMachine.running()
    #expect(shorter.fail(AttemptFailure(.rateLimited, retryAfterNanoseconds: 5), at: 10) == .wait)
    #expect(shorter.wake == at(10_010))
  }

  @Test func `no try begins beyond the call's own total`() {
    var machine = machine(budget: 1_000_000, heartbeat: 100_000, total: 10_000)
    _ = machine.admitted(now: at(0))
    #expect(machine.fail(at: 1) == .end(.failed))
  }

  @Test func `the back-off is spread by a fifth either way`() {
    let policy = RetryPolicy(attempts: 3, budgetNanoseconds: 0, backoffNanoseconds: 1_000)
    #expect(policy.delay(afterAttempts: 1, unwell, random: 0) == 800)
    #expect(policy.delay(afterAttempts: 1, unwell, random: 400) == 1_200)
    #expect(policy.delay(afterAttempts: 1, unwell, random: 401) == 800)
    #expect(policy.delay(afterAttempts: 2, unwell, random: 200) == 2_000)
    let longest = RetryPolicy(attempts: 10, budgetNanoseconds: 0, backoffNanoseconds: 60_000_000_000)
    #expect(longest.delay(afterAttempts: 10, unwell, random: 400) < 60_000_000_000 * 1_024)
  }

  @Test func `one try is no second, whatever the failure`() {
    var machine = CallMachine.running(models: 2, attempts: 1)
    #expect(machine.fail(at: 10) == .end(.failed))
  }

  @Test func `an open breaker ends the tries at its provider`() {
    var alone = CallMachine.running()
    #expect(alone.fail(isAvailable: false, at: 10) == .end(.failed))
    var backed = CallMachine.running(models: 2)
    #expect(backed.fail(isAvailable: false, at: 10) == .move(model: 1))
  }

  // MARK: - Another model

  @Test func `each model that is left keeps a try of the budget`() {
    var machine = CallMachine.running(models: 2)
    #expect(machine.fail(at: 10) == .wait)
    #expect(machine.due(now: at(10_010)) == .open(model: 0))
    #expect(machine.fail(at: 10_020) == .move(model: 1))
    #expect(machine.moved(true, now: at(10_021)) == .open(model: 1))
    #expect(machine.model == 1)
    #expect(machine.fail(at: 10_030) == .end(.failed))
    #expect(machine.attempts == 3)
  }

  @Test func `a model whose provider has no room is passed over, and when none is left the failure stands`() {
    var machine = CallMachine.running(models: 3)
    #expect(machine.fail(at: 10) == .move(model: 1))
    #expect(machine.moved(false, now: at(11)) == .move(model: 2))
    #expect(machine.moved(false, now: at(12)) == .end(.failed))
    #expect(machine.attempts == 1)
    #expect(machine.model == 0, "the one that failed")
  }

  // MARK: - Clocks

  @Test func `no first token in time stops the try, and another may follow`() {
    var machine = machine(budget: 50_000, heartbeat: 90_000, total: 100_000)
    _ = machine.admitted(now: at(0))
    #expect(machine.due(now: at(99)) == .nothing)
    #expect(machine.due(now: at(100)) == .abort)
    #expect(machine.fail(AttemptFailure(.timedOut), at: 100) == .wait)
    #expect(machine.due(now: at(10_100)) == .open(model: 0))
    #expect(machine.wake == at(10_200), "the clock begins anew")
  }

  @Test func `when no other try follows, it is the clock that ended the call`() {
    var machine = CallMachine.running(attempts: 1)
    #expect(machine.due(now: at(100)) == .abort)
    #expect(machine.fail(AttemptFailure(.timedOut), at: 100) == .end(.timedOut(.firstToken, nanoseconds: 100)))
  }

  @Test func `an answer that stands still ends the call by progress, without another try`() {
    var machine = CallMachine.running()
    machine.answered(now: at(10))
    #expect(machine.due(now: at(59)) == .nothing)
    #expect(machine.due(now: at(60)) == .end(.timedOut(.progress, nanoseconds: 50)))
  }

  @Test func `the total runs through tries and back-offs`() {
    var machine = machine(budget: 50_000, heartbeat: 90_000, total: 12_000)
    _ = machine.admitted(now: at(0))
    #expect(machine.fail(at: 10) == .wait)
    #expect(machine.due(now: at(10_010)) == .open(model: 0))
    machine.answered(now: at(10_100))
    for now in stride(from: 10_120 as UInt64, to: 12_000, by: 40) { machine.answered(now: at(now)) }
    #expect(machine.due(now: at(11_999)) == .nothing)
    #expect(machine.due(now: at(12_000)) == .end(.timedOut(.total, nanoseconds: 12_000)))
  }

  @Test func `heartbeats go on between two tries`() {
    var machine = machine(budget: 50_000, heartbeat: 300, total: 100_000)
    _ = machine.admitted(now: at(0))
    #expect(machine.fail(at: 10) == .wait)
    #expect(machine.wake == at(300))
    #expect(machine.due(now: at(300)) == .heartbeat)
    #expect(machine.due(now: at(300)) == .nothing)
    #expect(machine.wake == at(600))
  }

  @Test func `first_token and progress stand still in a pause`() {
    var machine = CallMachine.running()
    machine.answered(now: at(10))
    machine.paused(now: at(20))
    #expect(machine.due(now: at(500)) == .nothing)
    machine.resumed(now: at(520))
    #expect(machine.due(now: at(559)) == .nothing)
    #expect(machine.due(now: at(560)) == .end(.timedOut(.progress, nanoseconds: 50)))
  }

  // MARK: - The end

  @Test(arguments: ["asking", "queued", "running", "backingOff", "moving"])
  func `a cancelled call has ended, wherever it was, and nothing follows`(state: String) {
    var machine =
      state == "running" || state == "backingOff" || state == "moving"
      ? CallMachine.running(models: state == "moving" ? 3 : 1) : machine()
    if state == "queued" { _ = machine.queued(now: at(1)) }
    if state == "backingOff" || state == "moving" { _ = machine.fail(at: 10) }
    #expect("\(machine.state)" == state)
    #expect(machine.cancelled() == .end(.cancelled))
    #expect(machine.cancelled() == .nothing)
    #expect(machine.admitted(now: at(20)) == .nothing)
    #expect(machine.granted(now: at(20)) == .nothing)
    #expect(machine.moved(true, now: at(20)) == .nothing)
    #expect(machine.unavailable(.breakerOpen(retryAfterNanoseconds: 1)) == .nothing)
    #expect(machine.fail(at: 20) == .nothing)
    #expect(machine.finished() == .nothing)
    #expect(machine.due(now: at(1_000_000)) == .nothing)
    #expect(machine.wake == .never)
    #expect(!machine.mayOpenAgain)
  }

  @Test func `the body is kept as long as another try may need it`() {
    var machine = CallMachine.running(attempts: 2)
    #expect(machine.mayOpenAgain)
    _ = machine.fail(at: 10)
    #expect(machine.mayOpenAgain)
    _ = machine.due(now: at(10_010))
    #expect(!machine.mayOpenAgain, "the last try has it")
    var answered = CallMachine.running()
    answered.answered(now: at(1))
    #expect(!answered.mayOpenAgain)
    var queued = machine0()
    _ = queued.queued(now: at(0))
    #expect(queued.mayOpenAgain)
  }

  private func machine0() -> CallMachine { machine(attempts: 1) }
}
