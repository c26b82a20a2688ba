import JSON
import Testing

@testable import LoadTest

struct LoadReportTests {
  private func report(_ change: (inout LoadReport) throws -> Void = { _ in }) throws -> LoadReport {
    let observation = try CriteriaTests.observation()
    var report = LoadReport(
      settings: LoadSettings(.stress), url: "ws://127.0.0.1:1", seconds: 60, ending: .complete,
      observation: observation, most: observation.before, unfinished: 3)
    try change(&report)
    return report
  }

  @Test func `a good run passes, for people and for programs`() throws {
    let report = try report()
    #expect(report.isPassed && report.table.hasSuffix("\n\npassed") && !report.table.contains("FAIL"))
    let json = report.json
    #expect(json["passed"]?.bool == true && json["cut_short"] == .null)
    #expect(json["calls"]?["success"]?.integer == 100 && json["calls"]?["unfinished"]?.integer == 3)
    #expect(json["latency_ms"]?["p99"]?.double == 1 && json["admitted_calls"]?.integer == 100)
    #expect(json["upstream_calls"] == .null, "this host does not count them")
    #expect(json["memory"]?["slope_bytes_per_hour"]?.double == 0)
    #expect(json["host"]?["before"]?["threads"]?.integer == 3)
    #expect(json["criteria"]?.array?.count == 7)
  }

  @Test func `a criterion that fails is named`() throws {
    let report = try report { $0.observation.tally = CriteriaTests.tally(successes: 90, errors: 10) }
    #expect(!report.isPassed && report.table.hasSuffix("FAILED: success, errors"))
    #expect(report.table.contains("TIMEOUT") && report.json["error_codes"]?["TIMEOUT"]?.integer == 10)
  }

  @Test(arguments: [LoadReport.Ending.interrupted, .hostLost("it went away")])
  func `a run that was cut short fails and says so`(ending: LoadReport.Ending) throws {
    let report = try report { $0.ending = ending }
    #expect(!report.isPassed && report.table.hasSuffix("FAILED: cut short"))
    #expect(report.json["cut_short"]?.string == report.cutShort && report.cutShort != nil)
  }

  @Test func `a criterion that is not judged does not fail a run`() throws {
    let report = try report { $0.observation.memory = MemoryTrend() }
    #expect(report.isPassed && report.json["memory"]?["slope_bytes_per_hour"] == .null)
  }

  @Test func `a run without calls can be told`() throws {
    let report = try report {
      $0.observation.tally = Tally()
      $0.observation.latencies = LatencyHistogram()
      $0.observation.after = nil
      $0.seconds = 0
    }
    #expect(!report.isPassed && !report.table.isEmpty && report.json["latency_ms"]?["p50"] == .null)
  }

  @Test func `frequent errors are listed first`() throws {
    let report = try report {
      for code in ["B", "A", "C", "C"] {
        $0.observation.tally.add(.error(code: code, message: "", retryAfterSeconds: nil))
      }
    }
    #expect(report.errorCodes.map(\.code) == ["C", "A", "B"])
  }

  @Test(arguments: [
    (0.0, 2, "0.00"), (1.005, 1, "1.0"), (-0.25, 2, "-0.25"), (99.999, 2, "100.00"), (3, 0, "3"),
    (0.000_001, 6, "0.000001"),
    (.nan, 1, "-"), (1e300, 2, "-"),
  ])
  func `numbers are written with fixed decimals`(value: Double, decimals: Int, expected: String) {
    #expect(value.text(decimals: decimals) == expected)
  }
}
