import CProviderABI
import Testing

@testable import Host

/// Back-pressure between a sink that is slow and a plugin that is fast.
@Suite struct PluginPressureTests {
  private let bench: PluginBench
  private let sink = RecordingSink()

  init() throws { bench = try PluginBench() }

  @Test func `a pause is answered to the plugin, and resume is told`() throws {
    let call = try bench.open("hold", sink).get()
    sink.answer(.pause)
    let answer = bench.onLoop { [bench] in bench.emit(call, "a") }
    #expect(answer == PRV_PAUSE)
    #expect(bench.count("resumes") == 0)
    sink.answer(.proceed)
    bench.onLoop { [bench] in
      bench.provider.resume(call, on: bench.loop)
      bench.provider.resume(call, on: bench.loop)
    }
    bench.settle()
    #expect(bench.count("resumes") == 1)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `what another thread emits during a pause waits, and the end behind it`() throws {
    let call = try bench.open("hold", sink).get()
    sink.answer(.pause)
    let first = PluginBench.elsewhere { [bench] in bench.emit(call, "a") }
    #expect(first == PRV_OK)
    bench.settle()
    let answers = PluginBench.elsewhere { [bench] in [bench.emit(call, "b"), bench.emit(call, "c"), bench.done(call)] }
    #expect(answers == [PRV_PAUSE, PRV_PAUSE, PRV_OK])
    bench.settle()
    #expect(sink.words == ["text:a"])
    #expect(sink.ends.isEmpty)
    bench.onLoop { [bench] in bench.provider.resume(call, on: bench.loop) }
    bench.settle()
    #expect(sink.words == ["text:a", "text:b"])
    sink.answer(.proceed)
    bench.onLoop { [bench] in bench.provider.resume(call, on: bench.loop) }
    _ = try sink.end()
    #expect(sink.words == ["text:a", "text:b", "text:c"])
    bench.settle()
    #expect(bench.count("closes") == 1)
  }

  @Test func `cancelling a paused call whose end waits lets it end as cancelled`() throws {
    let call = try bench.open("hold", sink).get()
    sink.answer(.pause)
    _ = PluginBench.elsewhere { [bench] in [bench.emit(call, "a"), bench.emit(call, "b"), bench.done(call)] }
    bench.settle()
    #expect(sink.ends.isEmpty)
    bench.onLoop { [bench] in bench.provider.cancel(call, reason: .client, on: bench.loop) }
    try sink.requireCancelled()
    bench.settle()
    #expect(bench.count("cancels") == 0)
    #expect(bench.count("closes") == 1)
  }

  @Test func `another thread is told to wait at the limit of events, and to go on when they are taken`() throws {
    let call = try bench.open("hold", sink).get()
    let answers = bench.onLoop { [bench] in
      PluginBench.elsewhere { (0...CallSlot.copiedEventsLimit).map { _ in bench.emit(call, "x") } }
    }
    #expect(answers.dropLast().allSatisfy { $0 == PRV_OK })
    #expect(answers.last == PRV_PAUSE)
    bench.settle()
    #expect(bench.count("resumes") == 1)
    #expect(sink.words.count == CallSlot.copiedEventsLimit + 1)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `another thread is told to wait at the limit of bytes`() throws {
    let call = try bench.open("hold", sink).get()
    let whole = [UInt8](repeating: 0x61, count: CallSlot.copiedBytesLimit)
    let answers = bench.onLoop { [bench] in
      PluginBench.elsewhere { [bench.emit(call, whole), bench.emit(call, "x")] }
    }
    #expect(answers == [PRV_OK, PRV_PAUSE])
    bench.settle()
    #expect(bench.count("resumes") == 1)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `a plugin that never waits has its call failed`() throws {
    let call = try bench.open("hold", sink).get()
    let piece = [UInt8](repeating: 0x61, count: CallSlot.copiedBytesLimit)
    let answers = bench.onLoop { [bench] in
      PluginBench.elsewhere { (0..<20).map { _ in bench.emit(call, piece) } }
    }
    #expect(answers.contains(PRV_E_LIMIT))
    #expect(answers.last == PRV_CANCELLED)
    let expected = "broke PRV-R015: expected no more events after PRV_PAUSE, until call_resume"
    #expect(try sink.failure().message.contains(expected))
    bench.settle()
    #expect(bench.count("closes") == 1)
    #expect(bench.provider.openCalls == 0)
  }
}
