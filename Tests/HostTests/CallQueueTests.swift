import Decisions
import Glibc
import Testing

@testable import Host

/// Calls that wait for a permit, and clocks that run out. A limit of nothing is due in the next turn, so nobody waits.
struct CallQueueTests {
  @Test func `a call that waits tells nothing, and runs when a permit is free`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1)
    let faces = [RecordingFace(bench), RecordingFace(bench)]
    let first = bench.call(faces[0])
    let second = bench.call(faces[1])
    bench.start(first)
    #expect(bench.start(second) == nil)
    #expect(faces[1].words.isEmpty)
    #expect(bench.core.read(now: .now()).queued == 1)
    bench.run { bench.provider.answer(1, "one") }
    #expect(faces[1].words == ["accepted"])
    #expect(bench.provider.bodies == ["{}", "{}"])
    #expect(second.queuedNanoseconds > 0)
    bench.run { bench.provider.answer(2, "two") }
    #expect(faces[1].words.last == "ended complete, 0 in flight, provider: open 2 m-1")
    bench.expectNothingHeld()
  }

  @Test func `a wait that is over ends in OVER_CAPACITY`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1) { $0.limits.queueMilliseconds = 0 }
    let faces = [RecordingFace(bench), RecordingFace(bench)]
    bench.start(bench.call(faces[0]))
    bench.start(bench.call(faces[1]))
    bench.run()
    #expect(faces[1].words == ["refused OVER_CAPACITY, 1 in flight"])
    #expect(faces[1].refusals.first?["scope"] == .string("provider"))
    #expect(bench.core.read(now: .now()).counters.refused == 1)
    bench.run { bench.provider.answer(1, "one") }
    bench.expectNothingHeld()
  }

  @Test func `a wait never outlasts the call's own total`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1)
    let faces = [RecordingFace(bench), RecordingFace(bench)]
    bench.start(bench.call(faces[0]))
    bench.start(bench.call(faces[1], total: 0))
    bench.run()
    #expect(faces[1].refusals.count == 1)
    bench.run { bench.provider.answer(1, "one") }
    bench.expectNothingHeld()
  }

  @Test func `a call cancelled in the queue leaves its place, and is not counted as refused`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1)
    let faces = (0..<3).map { _ in RecordingFace(bench) }
    bench.start(bench.call(faces[0]))
    let waiting = bench.call(faces[1])
    bench.start(waiting)
    bench.run { waiting.cancel(.client, message: "left") }
    #expect(faces[1].words == ["ended cancelled CANCELLED, 1 in flight, provider: open 1 m-1"])
    #expect(bench.core.read(now: .now()).counters.refused == 0)
    let next = bench.call(faces[2])
    #expect(bench.start(next) == nil)
    bench.run { bench.provider.answer(1, "one") }
    #expect(faces[2].words == ["accepted"])
    bench.run { bench.provider.answer(2, "two") }
    bench.expectNothingHeld()
  }

  @Test func `a grant that finds its call cancelled is given back, and the next in the queue gets it`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 2)
    let faces = (0..<3).map { _ in RecordingFace(bench) }
    let calls = faces.map { bench.call($0) }
    for call in calls { bench.start(call) }
    bench.run {
      // The end grants to the second call; its grant is under way when it is cancelled.
      bench.provider.answer(1, "one")
      calls[1].cancel(.client, message: "left")
    }
    #expect(faces[1].words == ["ended cancelled CANCELLED, 1 in flight, provider: open 1 m-1"])
    #expect(faces[2].words == ["accepted"])
    bench.run { bench.provider.answer(2, "three") }
    bench.expectNothingHeld()
  }

  @Test func `a grant that is under way when the wait is over is used`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1)
    let faces = [RecordingFace(bench), RecordingFace(bench)]
    let calls = faces.map { bench.call($0) }
    for call in calls { bench.start(call) }
    bench.run {
      bench.provider.answer(1, "one")
      calls[1].timerFired(0)
    }
    #expect(faces[1].words == ["accepted"])
    bench.run { bench.provider.answer(2, "two") }
    #expect(faces[1].endings.first?.outcome == .complete)
    bench.expectNothingHeld()
  }

  // MARK: - Clocks

  @Test(
    arguments: [
      ("first_token", false), ("progress", true), ("total", false), ("total", true),
    ])
  func `a clock that runs out releases the provider and ends the call as failed`(clock: String, hasText: Bool) throws {
    let bench = try HostBench {
      if clock == "first_token" { $0.timeouts.firstTokenMilliseconds = 0 }
      if clock == "progress" { $0.timeouts.progressMilliseconds = 0 }
    }
    let face = RecordingFace(bench)
    if hasText {
      bench.provider.onOpen = { [provider = bench.provider] _ throws(ProviderFailure) in
        provider.emit(1, .text, "Hel")
      }
    }
    bench.start(bench.call(face, total: clock == "total" ? 0 : 60_000_000_000))
    bench.run()
    #expect(face.words.last == "ended failed TIMEOUT, 0 in flight, provider: release 1 deadline")
    #expect(face.endings.first?.error?["clock"] == .string(clock))
    #expect(face.endings.first?.error?["partial_text_bytes"] == .integer(hasText ? 3 : 0))
    bench.expectNothingHeld()
  }

  @Test func `a call that its client has paused does not run out of progress, and does once it goes on`() throws {
    let bench = try HostBench { $0.timeouts.progressMilliseconds = 0 }
    let face = RecordingFace(bench)
    face.takesMore = false
    bench.provider.onOpen = { [provider = bench.provider] _ throws(ProviderFailure) in provider.emit(1, .text, "a") }
    let call = bench.call(face)
    bench.start(call)
    for _ in 0..<5 { bench.run() }
    #expect(face.endings.isEmpty)
    bench.run { call.resume() }
    bench.run()
    #expect(face.endings.first?.error?["clock"] == .string("progress"))
    #expect(bench.provider.words == ["open 1 m-1", "resume 1", "release 1 deadline"])
    bench.expectNothingHeld()
  }

  @Test func `heartbeats say what the provider is doing`() throws {
    let bench = try HostBench { $0.timeouts.heartbeatMilliseconds = 1 }
    let face = RecordingFace(bench)
    let call = bench.call(face)
    bench.start(call)
    let beats: [(String, () -> Void)] = [
      ("waiting", {}), ("connected", { bench.provider.phase(1, .connected) }),
      ("thinking", { bench.provider.emit(1, .reasoning, "hm") }),
      ("answering", { bench.provider.emit(1, .text, "x") }),
    ]
    for (phase, act) in beats {
      bench.run(act)
      try bench.wait { face.words.contains("progress \(phase)") }
    }
    bench.run {
      bench.provider.phase(1, .headers)
      bench.provider.answer(1, "y")
    }
    #expect(call.phase == .answering)
    #expect(face.words.last?.hasPrefix("ended complete") == true)
    let count = face.words.count
    for _ in 0..<5 { bench.run() }
    #expect(face.words.count == count, "no heartbeat after the end")
    bench.expectNothingHeld()
  }

  @Test func `a grant from another loop reaches the call on its own`() throws {
    var configuration = Configuration()
    configuration.limits.inFlight = 1
    let core = Core(configuration.coreSettings)
    _ = core.configure(
      configuration.coreSettings, providers: [Admission.ProviderLimit(inFlight: 1, queued: 1)], now: .now())
    let services = HostServices(
      configuration: configuration, log: Log(level: .error), core: core, principals: Principals([]), version: "1")
    let peers = LoopDirectory()
    let loops = try (0..<2).map { HostLoop(eventLoop: try EventLoop(index: $0), services: services, peers: peers) }
    peers.fill(loops)
    let ran = Box<Int>()
    let face = GrantFace { ran.value = $0 }
    let provider = ScriptedProvider()
    provider.onOpen = { [unowned provider] _ throws(ProviderFailure) in provider.answer(1, "x") }
    let model = ModelEntry(id: "m-1", provider: 0, providerID: "fake")
    let routing = Routing(providers: [provider], catalogue: ModelCatalogue(models: [model]))
    loops[1].eventLoop.enqueue(
      .work {
        let plan = CallPlan(
          requestID: Array(#""r""#.utf8), model: model, requestedModel: nil, wantsStream: false,
          total: 60_000_000_000, session: 0, receivedAt: .now())
        let call = Call(plan: plan, routing: routing, face: face, loop: loops[1])
        guard
          case .admitted(let permit) = core.admit(
            Admission.Request(
              ticket: loops[0].nextTicket(), provider: 0, session: 1, owner: [], leaseNanoseconds: 1),
            now: .now())
        else {
          Issue.record("not admitted")
          return
        }
        do {
          try call.start(body: UnsafeRawBufferPointer(start: nil, count: 0))
        } catch {
          Issue.record(error)
        }
        // Released on the other loop's thread, which hands the grant over.
        let box = PermitBox(permit)
        loops[0].eventLoop.submitPastBound(.work { box.release(on: loops[0]) })
      })
    for loop in loops { loop.eventLoop.start() }
    let deadline = Instant.now().advanced(milliseconds: 20_000)
    while core.read(now: .now()).counters.released < 2, Instant.now() < deadline { sched_yield() }
    for loop in loops { loop.eventLoop.stop() }
    for loop in loops { loop.eventLoop.join() }
    #expect(ran.value == 1)
    #expect(core.read(now: .now()).inFlight == 0)
    #expect(core.read(now: .now()).counters.droppedPermits == 0)
  }
}

/// Notes on which loop its call was accepted.
private final class GrantFace: CallFace {
  private let onAccept: (Int?) -> Void
  init(_ onAccept: @escaping (Int?) -> Void) { self.onAccept = onAccept }
  func callAccepted(_ call: Call) { onAccept(EventLoop.current?.index) }
  func callProgressed(_ call: Call, phase: Call.Phase) {}
  func callDelta(_ call: Call, sequence: UInt64, _ event: ProviderEvent) -> Bool { true }
  func callRefused(_ call: Call, _ error: CallError) {}
  func callEnded(_ call: Call, _ ending: CallEnding) {}
}

/// A permit on its way to another thread.
private final class PermitBox: @unchecked Sendable {  // Filled by one thread, emptied by the next.
  private var permit: Permit?
  init(_ permit: consuming Permit) { self.permit = consume permit }
  func release(on loop: HostLoop) { if let permit = permit.take() { loop.release(permit, .success) } }
}
