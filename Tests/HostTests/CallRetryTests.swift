import Decisions
import Testing

@testable import Host

private func failure(_ status: Int32, retryAfter: UInt64 = 0) -> ProviderEnd {
  var failure = ProviderFailure(status: status, message: "no")
  failure.retryAfterNanoseconds = retryAfter
  return .failed(failure)
}

/// Second tries, other models and breakers, as `Call` performs them.
struct CallRetryTests {
  private func bench(
    others: [ScriptedProvider] = [], attempts: Int = 3, failures: Int = 100,
    fallback: [Configuration.Fallback] = [], limit: Int = 100
  ) throws -> HostBench {
    try HostBench(others: others, providerLimit: limit, queued: 5) {
      $0.retry = Configuration.Retry()
      $0.retry.attempts = attempts
      $0.retry.backoffMilliseconds = 0
      $0.breaker.failures = failures
      $0.fallback = fallback
    }
  }

  private let spare = { ScriptedProvider(id: "spare", models: #"[{"id":"m-2"}]"#) }
  private let toSpare = [Configuration.Fallback(from: "m-1", to: ["m-2"])]

  @Test func `a provider that fails before any piece is asked again with the same body, under the same permit`() throws
  {
    let bench = try bench()
    let face = RecordingFace(bench)
    let call = bench.call(face)
    bench.start(call)
    bench.run { bench.provider.done(1, failure(ProviderStatus.upstream)) }
    try bench.wait { bench.provider.words.count == 2 }
    #expect(bench.core.read(now: .now()).inFlight == 1)
    bench.run { bench.provider.done(2, failure(ProviderStatus.overloaded)) }
    try bench.wait { bench.provider.words.count == 3 }
    bench.run { bench.provider.answer(3, "third") }
    #expect(bench.provider.words == ["open 1 m-1", "open 2 m-1", "open 3 m-1"])
    #expect(bench.provider.bodies == ["{}", "{}", "{}"])
    #expect(face.words == ["accepted", "delta 0 text:third", "ended complete, 0 in flight, provider: open 3 m-1"])
    #expect(call.attempts == 3)
    #expect(call.fallbackReason != nil && call.model === call.plan.model, "no other model answered")
    #expect(bench.core.read(now: .now()).providers[0].attempts == 3)
    bench.expectNothingHeld()
  }

  @Test func `a provider that fails inside its opening is asked again too`() throws {
    let bench = try bench()
    let face = RecordingFace(bench)
    bench.provider.onOpen = { [provider = bench.provider] call throws(ProviderFailure) in
      if call == 1 { throw ProviderFailure(status: ProviderStatus.network, message: "refused") }
      if call == 2 { return provider.done(call, failure(ProviderStatus.upstream)) }
      provider.answer(call, "well")
    }
    bench.start(bench.call(face))
    try bench.wait { !face.endings.isEmpty }
    #expect(face.words.last == "ended complete, 0 in flight, provider: open 3 m-1")
    #expect(bench.provider.bodies == ["{}", "{}", "{}"])
    bench.expectNothingHeld()
  }

  @Test func `an upstream that always fails is asked as often as configured, and not once more`() throws {
    let bench = try bench(attempts: 4)
    let face = RecordingFace(bench)
    bench.provider.onOpen = { _ throws(ProviderFailure) in
      throw ProviderFailure(status: ProviderStatus.upstream, message: "500")
    }
    bench.start(bench.call(face))
    try bench.wait { !face.endings.isEmpty }
    #expect(bench.provider.words.count == 4)
    #expect(face.endings.first?.error?.code == .providerError)
    for _ in 0..<5 { bench.run() }
    #expect(bench.provider.words.count == 4)
    bench.expectNothingHeld()
  }

  @Test func `a call cancelled between two tries ends, and no other try follows`() throws {
    let bench = try HostBench {
      $0.retry.attempts = 3
      $0.retry.backoffMilliseconds = 60_000
      $0.retry.budgetMilliseconds = 3_600_000
    }
    let face = RecordingFace(bench)
    let call = bench.call(face, total: 3_600_000_000_000)
    bench.start(call)
    bench.run { bench.provider.done(1, failure(ProviderStatus.upstream)) }
    #expect(face.endings.isEmpty)
    #expect(bench.core.read(now: .now()).inFlight == 1)
    bench.run { call.cancel(.client, message: "enough") }
    #expect(face.words.last == "ended cancelled CANCELLED, 0 in flight, provider: open 1 m-1")
    bench.expectNothingHeld()
  }

  @Test func `another model answers only when the configuration allows it, and the call says which and why`() throws {
    let spare = spare()
    let bench = try bench(others: [spare], fallback: toSpare)
    let face = RecordingFace(bench)
    let fallbacks = [ModelEntry(id: "m-2", provider: 1, providerID: "spare")]
    let call = bench.call(face, fallbacks: fallbacks)
    bench.start(call)
    bench.run { bench.provider.done(1, failure(ProviderStatus.auth)) }
    #expect(spare.words == ["open 1 m-2"])
    #expect(bench.core.read(now: .now()).providers.map(\.inFlight) == [0, 1])
    bench.run { spare.answer(1, "mine") }
    #expect(call.model.id == "m-2")
    #expect(call.fallbackReason == "key")
    #expect(call.attempts == 2)
    #expect(face.endings.map(\.outcome) == [.complete])
    #expect(spare.running.isEmpty)
    bench.expectNothingHeld()
  }

  @Test(arguments: [false, true])
  func `a provider that breaks the contract before any piece is replaced, and the other is heard`(isInOpening: Bool)
    throws
  {
    let spare = spare()
    let bench = try bench(others: [spare], fallback: toSpare)
    let face = RecordingFace(bench)
    let breakRules = { [provider = bench.provider] in _ = provider.emit(1, .toolArguments, "{", index: 4) }
    if isInOpening { bench.provider.onOpen = { _ throws(ProviderFailure) in breakRules() } }
    bench.start(bench.call(face, fallbacks: [ModelEntry(id: "m-2", provider: 1, providerID: "spare")]))
    if !isInOpening { bench.run(breakRules) }
    bench.run()
    #expect(bench.provider.words == ["open 1 m-1", "release 1 stop"])
    #expect(spare.words == ["open 1 m-2"])
    bench.run { spare.answer(1, "mine") }
    #expect(face.words.suffix(2).first == "delta 0 text:mine")
    #expect(face.endings.map(\.outcome) == [.complete])
    bench.expectNothingHeld()
  }

  @Test func `a provider in quarantine refuses at once, without a permit, and says who can change it`() throws {
    let bench = try bench()
    bench.provider.isSpent = true
    let face = RecordingFace(bench)
    let refusal = try #require(bench.start(bench.call(face)))
    #expect(refusal.code == .serviceUnavailable && refusal.message.contains("operator"))
    #expect(refusal["reason"] == .string("quarantined"))
    #expect(refusal["provider"] == .string("fake"))
    #expect(refusal["retry_after"] == .milliseconds(60_000))
    #expect(bench.provider.words.isEmpty && face.endings.isEmpty)
    #expect(bench.core.read(now: .now()).counters.refused == 1)
    bench.expectNothingHeld()
  }

  @Test(arguments: [false, true])
  func `another model answers for one in quarantine, and one in quarantine for none`(isAsked: Bool) throws {
    let spare = spare()
    let bench = try bench(others: [spare], fallback: toSpare)
    (isAsked ? bench.provider : spare).isSpent = true
    let face = RecordingFace(bench)
    let call = bench.call(face, fallbacks: [ModelEntry(id: "m-2", provider: 1, providerID: "spare")])
    bench.start(call)
    if isAsked {
      bench.run { spare.answer(1, "mine") }
      #expect(face.endings.map(\.outcome) == [.complete] && call.fallbackReason == "quarantined")
    } else {
      bench.run { bench.provider.done(1, failure(ProviderStatus.auth)) }
      bench.run()
      #expect(face.endings.map(\.error?.code) == [.providerError])
      #expect(spare.words.isEmpty)
    }
    bench.expectNothingHeld()
  }

  @Test func `a breaker opens at its failures, refuses at once with the seconds, and a probe closes it`() throws {
    let bench = try bench(attempts: 1, failures: 2)
    for call in 1...2 as ClosedRange<UInt64> {
      bench.start(bench.call(RecordingFace(bench)))
      bench.run { bench.provider.done(call, failure(ProviderStatus.upstream)) }
    }
    let refusal = try #require(bench.start(bench.call(RecordingFace(bench))))
    #expect(refusal.code == .serviceUnavailable)
    #expect(refusal["reason"] == .string("breaker_open"))
    #expect(refusal["provider"] == .string("fake"))
    guard case .milliseconds(let wait)? = refusal["retry_after"] else {
      Issue.record("no retry_after")
      return
    }
    #expect((119_000...120_000).contains(wait))
    #expect(bench.provider.words.count == 2, "the provider was left alone")
    bench.expectNothingHeld()
  }

  @Test func `calls that wait are sent away when the breaker opens, or go to another model`() throws {
    let spare = spare()
    let bench = try bench(others: [spare], attempts: 1, failures: 1, limit: 1)
    let faces = (0..<3).map { _ in RecordingFace(bench) }
    bench.start(bench.call(faces[0]))
    bench.start(bench.call(faces[1]))
    bench.start(
      bench.call(faces[2], fallbacks: [ModelEntry(id: "m-2", provider: 1, providerID: "spare")]))
    #expect(bench.core.read(now: .now()).queued == 2)
    bench.run { bench.provider.done(1, failure(ProviderStatus.upstream)) }
    #expect(faces[1].refusals.map(\.code) == [.serviceUnavailable])
    #expect(spare.words == ["open 1 m-2"])
    bench.run { spare.answer(1, "mine") }
    #expect(faces[2].endings.map(\.outcome) == [.complete])
    bench.expectNothingHeld()
  }

  @Test(
    arguments: [
      (false, "total", false), (true, "total", true), (false, "first_token", true),
    ])
  func `a clock counts against the provider unless the client set it`(
    isOwn: Bool, clock: String, countsAsFailure: Bool
  ) throws {
    let bench = try HostBench {
      $0.retry.attempts = 1
      $0.breaker.failures = 1
      if clock == "first_token" { $0.timeouts.firstTokenMilliseconds = 0 }
    }
    var plan = CallPlan(
      requestID: Array(#""r1""#.utf8), model: ModelEntry(id: "m-1", provider: 0, providerID: "fake"),
      requestedModel: nil, wantsStream: false, total: clock == "total" ? 0 : 60_000_000_000, session: 0,
      receivedAt: .now())
    plan.isShortened = !isOwn
    bench.start(
      Call(plan: plan, routing: bench.loop.routing ?? .empty, face: RecordingFace(bench), loop: bench.loop))
    bench.run()
    #expect(bench.core.read(now: .now()).providers[0].breaker.isClosed == !countsAsFailure)
    bench.expectNothingHeld()
  }

  // MARK: - Overdue leases

  @Test func `a lease nobody owns is told once and taken back once, and its place is free again`() throws {
    let bench = try bench(limit: 1)
    var held: Permit?
    if case .admitted(let permit) = bench.core.admit(
      Admission.Request(
        ticket: Ticket(loop: 0, call: 99), provider: 0, session: 0, owner: Array("lost".utf8), leaseNanoseconds: 0),
      now: Instant(nanoseconds: 1))
    {
      held = consume permit
    }
    #expect(bench.core.read(now: .now()).overdueLeases == 1)
    let recovery = LeaseRecovery(core: bench.core, loops: bench.peers, log: Log(level: .error)) { _ in "fake" }
    bench.run { recovery.look(now: .now()) }
    #expect(bench.core.read(now: .now()).inFlight == 0)
    #expect(bench.core.read(now: .now()).counters.recoveredLeases == 1)
    bench.run { recovery.look(now: .now()) }
    #expect(bench.core.read(now: .now()).counters.recoveredLeases == 1)
    let call = bench.call(RecordingFace(bench))
    #expect(bench.start(call) == nil)
    if let late = held.take() { _ = late.release(.success, now: .now()) }
    #expect(bench.core.read(now: .now()).inFlight == 1, "a late return touches nobody's permit")
    bench.run { bench.provider.answer(1, "x") }
    #expect(bench.core.read(now: .now()).inFlight == 0)
  }

  @Test func `an overdue lease of a call that still runs ends the call first, upstream before permit`() throws {
    let bench = try bench(limit: 1)
    let face = RecordingFace(bench)
    bench.start(bench.call(face))
    let late = Instant.now().advanced(nanoseconds: 91_000_000_000)
    let recovery = LeaseRecovery(core: bench.core, loops: bench.peers, log: Log(level: .error)) { _ in "fake" }
    bench.run { recovery.look(now: Instant.now().advanced(nanoseconds: 89_000_000_000)) }
    #expect(face.endings.isEmpty, "what is in use is not touched")
    bench.run { recovery.look(now: late) }
    #expect(face.words.last == "ended failed INTERNAL_ERROR, 0 in flight, provider: release 1 deadline")
    #expect(bench.core.read(now: .now()).counters.recoveredLeases == 0, "its own call gave it back")
    bench.expectNothingHeld()
  }
}
