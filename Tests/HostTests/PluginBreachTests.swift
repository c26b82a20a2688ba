import CProviderABI
import Decisions
import ProviderContract
import Testing

@testable import Host

/// What the running host says of a plugin that breaks the contract.
@Suite struct PluginBreachTests {
  private let bench: PluginBench
  private let sink = RecordingSink()

  init() throws { bench = try PluginBench() }

  private func line(_ rule: String, _ rest: String, request: Bool = true) -> String {
    "warning plugin broke a rule plugin=org.example.calls provider=bench \(request ? "request_id=request-1 " : "")"
      + "rule=\(rule) \(rest)"
  }

  @Test func `an event after done is named with its request, and counted`() throws {
    let call = try bench.open("hold", sink).get()
    let answers = bench.onLoop { [bench] in [bench.done(call), bench.emit(call, "late"), bench.emit(call, "later")] }
    #expect(answers == [PRV_OK, PRV_E_STALE, PRV_E_STALE])
    #expect(try bench.log.line() == line("PRV-R006", #"function=emit expected="no event after done" found=one"#))
    #expect(bench.provider.breaches.count(of: .nothingAfterDone) == 2)
    _ = try sink.end()
  }

  @Test func `a second done is named`() throws {
    let call = try bench.open("hold", sink).get()
    _ = bench.onLoop { [bench] in [bench.done(call), bench.done(call)] }
    #expect(try bench.log.line() == line("PRV-R005", #"function=done expected="one done" found="a second one""#))
    #expect(bench.provider.breaches.total == 1)
    _ = try sink.end()
  }

  @Test func `a done for a call that is refused is named`() throws {
    #expect(throws: ProviderFailure.self) { try bench.open("refuse-after-done", sink).get() }
    let expected = #"function=done expected="no done for a call that call_open refused" found=one"#
    #expect(try bench.log.line() == line("PRV-R005", expected))
  }

  @Test func `the handle of a closed call, and one that never was, are named`() throws {
    let call = try bench.open("hold", sink).get()
    _ = bench.onLoop { [bench] in bench.done(call) }
    _ = try sink.end()
    bench.settle()
    #expect(bench.emit(call, "late") == PRV_E_STALE)
    let stale = #"function=emit expected="the handle of a call that is not closed" found="a stale one""#
    #expect(try bench.log.line() == line("PRV-C6", stale, request: false))
    #expect(bench.done(ProviderCallID(rawValue: 1 << 20)) == PRV_E_STALE)
    #expect(bench.provider.breaches.count(of: .handles) == 2)
  }

  @Test func `after destroy whatever comes is named as late`() throws {
    let call = try bench.open("hold", sink).get()
    bench.provider.stop()
    try sink.requireCancelled()
    bench.settle()
    #expect(bench.provider.destroy())
    #expect(bench.emit(call, "late") == PRV_E_STALE)
    let late = #"function=emit expected="no host function after destroy" found=one"#
    #expect(try bench.log.line() == line("PRV-R014", late, request: false))
    #expect(bench.done(ProviderCallID(rawValue: 1 << 20)) == PRV_E_STALE)
    #expect(bench.provider.breaches.count(of: .silentAfterDestroy) == 2)
  }

  @Test func `two emits of one call at the same time are named`() throws {
    let call = try bench.open("hold", sink).get()
    let other = Box<Int32>()
    // While the sink holds the first event, another thread brings the second.
    sink.onEvent = { [bench] in
      guard other.value == nil else { return }
      other.value = PluginBench.elsewhere { bench.emit(call, "second") }
    }
    let answer = bench.onLoop { [bench] in bench.emit(call, "first") }
    #expect(answer == PRV_OK && other.value == PRV_OK)
    #expect(
      try bench.log.line()
        == line("PRV-R015", #"function=emit expected="one emit of a call at a time" found="a second""#))
    sink.onEvent = nil
    _ = bench.onLoop { [bench] in bench.done(call) }
    _ = try sink.end()
  }

  @Test func `many lines of one rule become one a second, with what was left out`() {
    let report = BreachReport()
    let second = BreachReport.quietNanoseconds
    #expect(report.note(.oneDone, now: Instant(nanoseconds: 5)) == 0)
    #expect(report.note(.oneDone, now: Instant(nanoseconds: 5)) == nil)
    #expect(report.note(.handles, now: Instant(nanoseconds: 5)) == 0)
    #expect(report.note(.oneDone, now: Instant(nanoseconds: second + 4)) == nil)
    #expect(report.note(.oneDone, now: Instant(nanoseconds: second + 5)) == 2)
    #expect(report.note(.oneDone, now: Instant(nanoseconds: 2 * second + 6)) == 0)
    #expect(report.count(of: .oneDone) == 5)
    #expect(report.total == 6)
  }
}
