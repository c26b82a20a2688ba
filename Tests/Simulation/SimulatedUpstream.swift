import Decisions

/// The providers as they are: how many of our calls each sees at once, and how each attempt goes.
///
/// A provider has moods: well, flaky, down, crowded. They last a while, so that breakers open and close.
final class SimulatedUpstream {
  enum Mood { case well, flaky, down, crowded, exhausted }

  private unowned let world: World
  private var moods: [(mood: Mood, until: Instant)]
  /// Calls that each provider sees.
  private(set) var active: [Int]
  private var attempts = 0

  init(world: World) {
    self.world = world
    moods = world.scenario.providers.map { _ in (.well, Instant(nanoseconds: 0)) }
    active = world.scenario.providers.map { _ in 0 }
  }

  func open(_ call: SimulatedCall) {
    let provider = call.provider
    attempts += 1
    call.attempt = attempts
    active[provider] += 1
    world.ledger.count { $0.attempts += 1 }
    world.ledger.hold(
      active[provider] <= world.highestLimit(provider: provider),
      "provider \(provider) sees \(active[provider]) calls, \(world.highestLimit(provider: provider)) are allowed")
    world.ledger.hold(
      active.reduce(0, +) <= world.highestInFlight, "the upstreams see \(active.reduce(0, +)) calls")
    plan(call, mood(of: provider))
  }

  /// The exchange is aborted or over: this provider no longer sees it.
  func close(_ call: SimulatedCall) {
    guard call.attempt != 0 else { return }
    call.attempt = 0
    active[call.provider] -= 1
  }

  func happened(_ event: Agenda.UpstreamEvent, _ attempt: Int, to call: SimulatedCall) {
    guard call.attempt == attempt, call.conclusion == nil else { return }
    if call.isPaused { return world.schedule(after: 50_000_000, .upstream(call, attempt: attempt, event)) }
    switch event {
    case .piece: call.piece()
    case .finished: call.finished()
    case .failed(let failure): call.attemptFailed(failure)
    }
  }

  private func mood(of provider: Int) -> Mood {
    if moods[provider].until <= world.now {
      let mood = world.chance.pick([
        Mood.well, .well, .well, .well, .well, .well, .flaky, .flaky, .down, .crowded, .exhausted,
      ])
      moods[provider] = (
        mood, world.now.advanced(nanoseconds: world.chance.milliseconds(5_000, mood == .well ? 1_200_000 : 240_000))
      )
    }
    return moods[provider].mood
  }

  private func plan(_ call: SimulatedCall, _ mood: Mood) {
    switch mood {
    case .well: answer(call, troubleOnceIn: 50)
    case .flaky: answer(call, troubleOnceIn: 2)
    case .down: fail(call, world.chance.pick([.unwell, .overloaded, .timedOut, .key, .quota]))
    case .crowded: if active[call.provider] > 1 { fail(call, .crowded) } else { answer(call, troubleOnceIn: 50) }
    case .exhausted: fail(call, world.chance.pick([.exhausted, .rateLimited]))
    }
  }

  private func answer(_ call: SimulatedCall, troubleOnceIn times: UInt64) {
    let hasTrouble = world.chance.once(in: times)
    // Silence: whatever clock is shorter must end it.
    if hasTrouble, world.chance.once(in: 3) { return }
    var at = world.chance.milliseconds(5, 1_000)
    let pieces = world.chance.between(hasTrouble ? 0 : 1, 6)
    for _ in 0..<pieces {
      schedule(call, after: at, .piece)
      at += world.chance.milliseconds(1, world.chance.once(in: 60) ? 12_000 : 500)
    }
    if hasTrouble {
      if world.chance.once(in: 3) { return }
      schedule(call, after: at, .failed(failure(world.chance.pick(AttemptFailure.Kind.allCases))))
    } else {
      schedule(call, after: at, .finished)
    }
  }

  private func fail(_ call: SimulatedCall, _ kind: AttemptFailure.Kind) {
    schedule(call, after: world.chance.milliseconds(1, 400), .failed(failure(kind)))
  }

  private func failure(_ kind: AttemptFailure.Kind) -> AttemptFailure {
    let hint = world.chance.once(in: 3) ? world.chance.milliseconds(100, World.longestHintMilliseconds) : 0
    let word: Bool? = world.chance.once(in: 4) ? world.chance.once(in: 2) : nil
    return AttemptFailure(kind, isRetryable: word, retryAfterNanoseconds: hint)
  }

  private func schedule(_ call: SimulatedCall, after nanoseconds: UInt64, _ event: Agenda.UpstreamEvent) {
    world.schedule(after: nanoseconds, .upstream(call, attempt: call.attempt, event))
  }
}
