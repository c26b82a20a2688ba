import Testing

@testable import Host

/// The rows of `Call`'s table, each on a real loop with a provider that the test plays.
struct CallTests {
  // MARK: - Running

  @Test func `a call is accepted, streams its pieces and ends complete, with its permit back before the face knows`()
    throws
  {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    let call = bench.call(face)
    #expect(bench.start(call) == nil)
    #expect(face.words == ["accepted"])
    #expect(bench.core.read(now: .now()).inFlight == 1)
    #expect(bench.provider.words == ["open 1 m-1"])
    #expect(bench.provider.bodies == ["{}"])
    bench.run { bench.provider.emit(1, .reasoning, "hm") }
    bench.run { bench.provider.emit(1, .text, "Hel") }
    bench.run { bench.provider.emit(1, .text, "") }
    bench.run { bench.provider.answer(1, "lo") }
    #expect(
      face.words == [
        "accepted", "delta 0 reasoning:hm", "delta 1 text:Hel", "delta 2 text:lo",
        "ended complete, 0 in flight, provider: open 1 m-1",
      ])
    #expect(call.answer.text.string() == "Hello")
    #expect(call.hasEnded)
    bench.expectNothingHeld()
  }

  @Test func `a call that was not asked to stream keeps its pieces for the end`() throws {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    let call = bench.call(face, wantsStream: false)
    bench.start(call)
    bench.run { bench.provider.answer(1, "Hello") }
    #expect(face.words == ["accepted", "ended complete, 0 in flight, provider: open 1 m-1"])
    #expect(call.answer.text.string() == "Hello")
    bench.expectNothingHeld()
  }

  @Test func `a provider that fails ends the call once, as truncated after a piece`() throws {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    bench.start(bench.call(face))
    bench.run {
      bench.provider.emit(1, .text, "Hel")
      bench.provider.done(1, .failed(ProviderFailure(status: ProviderStatus.network, message: "reset")))
    }
    #expect(face.words.last == "ended truncated PROVIDER_ERROR, 0 in flight, provider: open 1 m-1")
    #expect(face.endings.count == 1)
    bench.expectNothingHeld()
  }

  @Test func `cancel releases the provider, then the permit, then tells the face`() throws {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    let call = bench.call(face)
    bench.start(call)
    bench.run { call.cancel(.client, message: "Cancelled by the client") }
    #expect(face.words.last == "ended cancelled CANCELLED, 0 in flight, provider: release 1 client")
    bench.expectNothingHeld()
  }

  @Test func `whatever comes after the end is ignored`() throws {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    let call = bench.call(face)
    bench.start(call)
    bench.run { call.cancel(.stop, message: "stop") }
    let words = face.words
    bench.run {
      #expect(call.providerEvent(ProviderEvent(kind: .text)) == .cancelled)
      call.providerPhase(.connected)
      call.providerDone(.succeeded)
      call.resume()
      call.timerFired(0)
      call.cancel(.client, message: "again")
    }
    #expect(face.words == words)
    #expect(bench.provider.words == ["open 1 m-1", "release 1 stop"])
    bench.expectNothingHeld()
  }

  // MARK: - Opening

  @Test func `a provider may answer and end before its opening returns`() throws {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    bench.provider.onOpen = { [provider = bench.provider] call throws(ProviderFailure) in provider.answer(call, "Hi") }
    bench.start(bench.call(face))
    #expect(
      face.words == ["accepted", "delta 0 text:Hi", "ended complete, 0 in flight, provider: open 1 m-1"])
    #expect(bench.provider.words == ["open 1 m-1", "release 1 client"])
    bench.expectNothingHeld()
  }

  @Test func `a provider that cannot open fails the call with its own words`() throws {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    bench.provider.onOpen = { _ throws(ProviderFailure) in
      throw ProviderFailure(status: ProviderStatus.auth, message: "no key")
    }
    bench.start(bench.call(face))
    #expect(face.words == ["accepted", "ended failed PROVIDER_ERROR, 0 in flight, provider: open 1 m-1"])
    #expect(face.endings.first?.error?.message == "fake: no key")
    bench.expectNothingHeld()
  }

  @Test(arguments: [false, true])
  func `an event that breaks the contract ends the call, also in the opening`(isInOpening: Bool) throws {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    var flows: [ProviderFlow?] = []
    let breakRules = { [provider = bench.provider] in
      flows.append(provider.emit(1, .text, "Hel"))
      flows.append(provider.emit(1, .toolArguments, "{", index: 4))
      flows.append(provider.emit(1, .text, "lo"))
    }
    if isInOpening { bench.provider.onOpen = { _ throws(ProviderFailure) in breakRules() } }
    bench.start(bench.call(face))
    if !isInOpening { bench.run(breakRules) }
    #expect(flows == [.proceed, .cancelled, .cancelled])
    #expect(
      face.words == [
        "accepted", "delta 0 text:Hel", "ended truncated PROVIDER_ERROR, 0 in flight, provider: release 1 stop",
      ])
    #expect(
      face.endings.first?.error?.message == "fake: the provider sent arguments for tool call 4, which was not begun")
    bench.expectNothingHeld()
  }

  // MARK: - Back-pressure

  @Test func `a client that cannot take more pauses the provider until it can`() throws {
    let bench = try HostBench()
    let face = RecordingFace(bench)
    let call = bench.call(face)
    bench.start(call)
    var flows: [ProviderFlow?] = []
    face.takesMore = false
    bench.run {
      flows.append(bench.provider.emit(1, .text, "a"))
      flows.append(bench.provider.emit(1, .usage))
      flows.append(bench.provider.emit(1, .text, "b"))
    }
    face.takesMore = true
    bench.run { call.resume() }
    bench.run { call.resume() }
    bench.run { flows.append(bench.provider.emit(1, .text, "c")) }
    #expect(flows == [.pause, .pause, .pause, .proceed])
    #expect(bench.provider.words == ["open 1 m-1", "resume 1"])
    bench.run { call.cancel(.client, message: "enough") }
    #expect(call.answer.text.string() == "abc")
    bench.expectNothingHeld()
  }

  // MARK: - Refused

  @Test func `a call over a limit is refused to its caller, and its face hears nothing`() throws {
    let bench = try HostBench(providerLimit: 1)
    let faces = [RecordingFace(bench), RecordingFace(bench)]
    let first = bench.call(faces[0])
    let second = bench.call(faces[1])
    bench.start(first)
    let refusal = try #require(bench.start(second))
    #expect(refusal.code == .overCapacity)
    #expect(refusal["scope"] == .string("provider"))
    #expect(refusal["provider"] == .string("fake"))
    #expect(second.hasEnded)
    #expect(faces[1].words.isEmpty)
    bench.run { second.cancel(.client, message: "late") }
    #expect(faces[1].words.isEmpty)
    bench.run { bench.provider.answer(1, "x") }
    bench.expectNothingHeld()
  }

  @Test func `a host that drains refuses with the reason`() throws {
    let bench = try HostBench()
    bench.core.beginDrain()
    let refusal = try #require(bench.start(bench.call(RecordingFace(bench))))
    #expect(refusal.code == .serviceUnavailable)
    #expect(refusal["reason"] == .string("draining"))
    bench.expectNothingHeld()
  }
}
