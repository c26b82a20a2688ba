import CProviderABI
import Testing

@testable import Host

/// The life of a call between the host and a plugin, on whichever thread the plugin speaks.
@Suite struct PluginCallTests {
  private let bench: PluginBench
  private let sink = RecordingSink()

  init() throws { bench = try PluginBench() }

  private func isSucceeded(_ end: ProviderEnd) -> Bool {
    if case .succeeded = end { true } else { false }
  }

  @Test func `a call that answers at once is heard in order and closed once`() throws {
    _ = try bench.open("at-once", sink).get()
    #expect(isSucceeded(try sink.end()))
    bench.settle()
    #expect(sink.words == ["text:a", "text:b", "text:c", "finish:stop"])
    #expect(sink.ends.count == 1)
    #expect(bench.count("emit_answer") == PRV_OK)
    #expect(bench.count("done_answer") == PRV_OK)
    #expect(bench.count("closes") == 1)
    #expect(bench.count("reentered") == 0)
    #expect(bench.provider.openCalls == 0)
  }

  @Test func `an end inside call_open is heard only after open has returned`() throws {
    let wasEndedInside = bench.onLoop { [bench, sink] in
      _ = try? bench.openHere("at-once", sink)
      return !sink.ends.isEmpty
    }
    #expect(!wasEndedInside)
    _ = try sink.end()
  }

  @Test func `a call that is refused throws the plugin's sentence`() throws {
    #expect(throws: ProviderFailure(status: PRV_E_MODEL_NOT_FOUND, message: "there is no such model")) {
      try bench.open("refuse", sink).get()
    }
    bench.settle()
    #expect(sink.ends.isEmpty)
    #expect(bench.count("closes") == 0)
    #expect(bench.provider.openCalls == 0)
  }

  @Test func `a call that is ended and then refused is only refused`() throws {
    #expect(throws: ProviderFailure.self) { try bench.open("refuse-after-done", sink).get() }
    bench.settle()
    #expect(sink.ends.isEmpty)
    #expect(bench.count("closes") == 0)
    _ = try bench.open("at-once", sink).get()
    _ = try sink.end()
    bench.settle()
    #expect(bench.count("closes") == 1)
  }

  @Test func `events of another thread come in order, then the end`() throws {
    let call = try bench.open("hold", sink).get()
    let answers = PluginBench.elsewhere { [bench] in
      (0..<100).map { bench.emit(call, "\($0)") } + [bench.done(call)]
    }
    #expect(isSucceeded(try sink.end()))
    #expect(answers.allSatisfy { $0 == PRV_OK })
    let expected = (0..<100).map { "text:\($0)" }
    #expect(sink.words == expected)
    bench.settle()
    #expect(bench.count("closes") == 1)
  }

  @Test func `an event on the loop does not overtake those of another thread`() throws {
    let call = try bench.open("hold", sink).get()
    bench.onLoop { [bench] in
      _ = PluginBench.elsewhere { bench.emit(call, "first") }
      _ = bench.emit(call, "second")
      _ = bench.done(call)
    }
    _ = try sink.end()
    #expect(sink.words == ["text:first", "text:second"])
  }

  @Test func `the second done is stale, on whichever thread`() throws {
    let call = try bench.open("hold", sink).get()
    let answers = bench.onLoop { [bench] in
      [bench.done(call), bench.done(call, PRV_E_UPSTREAM), PluginBench.elsewhere { bench.done(call) }]
    }
    #expect(answers == [PRV_OK, PRV_E_STALE, PRV_E_STALE])
    #expect(isSucceeded(try sink.end()))
    bench.settle()
    #expect(sink.ends.count == 1)
    #expect(bench.count("closes") == 1)
  }

  @Test func `of many threads that say done one is heard`() throws {
    for _ in 0..<50 {
      let sink = RecordingSink()
      let call = try bench.open("hold", sink).get()
      let answers = PluginBench.together(4) { [bench] in bench.done(call) }
      _ = try sink.end()
      bench.settle()
      #expect(answers.filter { $0 == PRV_OK }.count == 1)
      #expect(sink.ends.count == 1)
    }
    #expect(bench.count("closes") == 50)
  }

  @Test func `an event after done is stale`() throws {
    let call = try bench.open("hold", sink).get()
    let answers = bench.onLoop { [bench] in
      [bench.done(call), bench.emit(call, "late"), PluginBench.elsewhere { bench.emit(call, "late") }]
    }
    #expect(answers == [PRV_OK, PRV_E_STALE, PRV_E_STALE])
    _ = try sink.end()
    #expect(sink.words.isEmpty)
  }

  @Test func `a handle of an earlier generation does not reach the slot's new call`() throws {
    let old = try bench.open("hold", sink).get()
    _ = bench.onLoop { [bench] in bench.done(old) }
    bench.settle()
    let newSink = RecordingSink()
    let new = try bench.open("hold", newSink).get()
    #expect(old != new)
    let slots = [old, new].map { CallHandle.slot($0.rawValue) }
    #expect(slots[0] == slots[1])
    #expect(bench.emit(old, "stale") == PRV_E_STALE)
    #expect(bench.done(old) == PRV_E_STALE)
    bench.onLoop { [bench] in bench.provider.cancel(old, reason: .client, on: bench.loop) }
    #expect(bench.count("cancels") == 0)
    #expect(bench.done(new) == PRV_OK)
    _ = try newSink.end()
  }

  @Test func `handles that were never given out are stale`() throws {
    for raw: UInt64 in [0, 1, .max, 1 << 32, 1 << 24, 0xFFFF_FFFF] {
      #expect(bench.emit(ProviderCallID(rawValue: raw), "x") == PRV_E_STALE)
      #expect(bench.done(ProviderCallID(rawValue: raw)) == PRV_E_STALE)
    }
  }

  @Test func `cancel is told once, with its reason, and the call ends as cancelled`() throws {
    let call = try bench.open("hold", sink).get()
    bench.onLoop { [bench] in
      bench.provider.cancel(call, reason: .deadline, on: bench.loop)
      bench.provider.cancel(call, reason: .client, on: bench.loop)
    }
    try sink.requireCancelled()
    bench.settle()
    #expect(bench.count("cancels") == 1)
    #expect(bench.count("cancel_reason") == 2)
    #expect(bench.count("closes") == 1)
  }

  @Test func `a cancel from inside an event reaches the plugin after it has left the host`() throws {
    let call = Box<ProviderCallID>()
    call.value = try bench.open("hold", sink).get()
    sink.onEvent = { [bench] in bench.provider.cancel(call.value!, reason: .client, on: bench.loop) }
    let cancelsInside = bench.onLoop { [bench] in
      _ = bench.emit(call.value!, "x")
      return bench.count("cancels")
    }
    #expect(cancelsInside == 0)
    _ = try sink.end()
    #expect(bench.count("cancels") == 1)
    sink.onEvent = nil
  }

  @Test func `an event after cancel is answered with cancelled`() throws {
    bench.beDeaf()
    let call = try bench.open("hold", sink).get()
    bench.onLoop { [bench] in bench.provider.cancel(call, reason: .client, on: bench.loop) }
    #expect(bench.emit(call, "late") == PRV_CANCELLED)
    let answer = bench.onLoop { [bench] in bench.emit(call, "late") }
    #expect(answer == PRV_CANCELLED)
    #expect(sink.words.isEmpty)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `after release a late done harms nobody and frees the slot`() throws {
    bench.beDeaf()
    let call = try bench.open("hold", sink).get()
    bench.onLoop { [bench] in bench.provider.release(call, reason: .client, on: bench.loop) }
    bench.settle()
    #expect(bench.count("cancels") == 1)
    #expect(bench.provider.openCalls == 1)
    #expect(bench.emit(call, "late") == PRV_CANCELLED)
    #expect(bench.done(call) == PRV_OK)
    bench.settle()
    #expect(bench.count("closes") == 1)
    #expect(bench.provider.openCalls == 0)
    #expect(sink.ends.isEmpty && sink.words.isEmpty)
  }

  @Test func `a released sink is let go at once`() throws {
    bench.beDeaf()
    weak var gone: RecordingSink?
    let call = try {
      let sink = RecordingSink()
      gone = sink
      return try bench.open("hold", sink).get()
    }()
    bench.onLoop { [bench] in bench.provider.release(call, reason: .client, on: bench.loop) }
    bench.settle()
    #expect(gone == nil)
    #expect(bench.done(call) == PRV_OK)
  }

  @Test func `a plugin that does not end a cancelled call is named in the log`() throws {
    let bench = try PluginBench(graceMilliseconds: 1)
    bench.beDeaf()
    let call = try bench.open("hold", sink).get()
    bench.onLoop { bench.provider.cancel(call, reason: .client, on: bench.loop) }
    #expect(
      try bench.log.line() == "warning plugin did not end a cancelled call plugin=org.example.calls provider=bench "
        + "request_id=request-1 rule=PRV-R010 function=call_cancel expected=\"done within 1 ms of call_cancel\" "
        + "found=none")
    #expect(bench.provider.openCalls == 1)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `a text that is not UTF-8 fails the call`() throws {
    let call = try bench.open("hold", sink).get()
    let answer = bench.onLoop { [bench] in bench.emit(call, [0x61, 0xC3]) }
    #expect(answer == PRV_E_INVALID_ARGUMENT)
    let failure = try sink.failure()
    #expect(failure.status == PRV_E_INTERNAL)
    #expect(
      failure.message
        == "the plugin org.example.calls broke PRV-R007: expected a prv_event.text that is UTF-8 by itself, "
        + "found 2 bytes that are not, from byte 1 on")
    bench.settle()
    #expect(bench.count("cancels") == 1)
    #expect(bench.count("closes") == 1)
    #expect(sink.ends.count == 1)
  }

  @Test func `a text that is not UTF-8 fails the call from another thread too, before its done`() throws {
    bench.beDeaf()
    let call = try bench.open("hold", sink).get()
    let answers = PluginBench.elsewhere { [bench] in [bench.emit(call, [0xFF]), bench.done(call)] }
    #expect(answers == [PRV_E_INVALID_ARGUMENT, PRV_OK])
    _ = try sink.failure()
    bench.settle()
    #expect(bench.count("closes") == 1)
    #expect(sink.ends.count == 1)
  }

  @Test func `events of unknown kinds are counted and ignored`() throws {
    let call = try bench.open("hold", sink).get()
    let answer = bench.onLoop { [bench] in bench.emit(call, Array("x".utf8), kind: 4242) }
    #expect(answer == PRV_OK)
    #expect(sink.words.isEmpty)
    #expect(bench.provider.unknownEvents == 1)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `a failure keeps what the plugin says of it, and an unknown code is internal`() throws {
    let call = try bench.open("hold", sink).get()
    #expect(bench.done(call, -4242) == PRV_OK)
    let failure = try sink.failure()
    #expect(failure.status == PRV_E_INTERNAL)
  }

  @Test func `stopping cancels what is open, and the instance is freed when all is closed`() throws {
    let call = try bench.open("hold", sink).get()
    bench.provider.stop()
    try sink.requireCancelled()
    bench.settle()
    #expect(bench.count("cancel_reason") == 3)
    #expect(bench.count("stops") == 1)
    #expect(bench.emit(call, "late") == PRV_E_STALE)
    #expect(throws: ProviderFailure.self) { try bench.open("hold", sink).get() }
    #expect(bench.provider.destroy())
    #expect(bench.count("destroys") == 1)
    #expect(!bench.provider.destroy())
  }

  @Test func `an instance with an open call is not freed`() throws {
    bench.beDeaf()
    let call = try bench.open("hold", sink).get()
    bench.provider.stop()
    bench.settle()
    #expect(!bench.provider.destroy())
    #expect(bench.count("destroys") == 0)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
    bench.settle()
    #expect(bench.provider.destroy())
  }
}
