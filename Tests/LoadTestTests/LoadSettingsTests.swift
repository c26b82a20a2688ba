import Testing

@testable import LoadTest

struct LoadSettingsTests {
  private func settings(_ tool: LoadSettings.Tool, _ options: [String: String] = [:]) throws -> LoadSettings {
    try LoadSettings(tool) { options[$0] }
  }

  private func refusal(_ name: String, _ value: String) -> String? {
    do throws(LoadSettingError) {
      _ = try LoadSettings(.stress) { $0 == name ? value : nil }
      return nil
    } catch {
      return error.description
    }
  }

  @Test func `the defaults are the checklist's`() throws {
    let stress = try settings(.stress)
    #expect(stress.durationSeconds == 60 && stress.connections == 10 && stress.perSecond == nil)
    #expect(stress.criteria.successPercent == 95 && stress.criteria.errorPercent == 5)
    #expect(stress.criteria.p95Seconds == 5 && stress.criteria.p99Seconds == 10)
    let soak = try settings(.soak)
    #expect(soak.durationSeconds == 86_400 && soak.connections == 2 && soak.perSecond == 1)
    #expect(soak.criteria == stress.criteria)
  }

  @Test(arguments: [
    ("60", 60.0), ("1", 1), ("1s", 1), ("90s", 90), ("1.5m", 90), ("10m", 600), ("24h", 86_400), ("30d", 2_592_000),
  ])
  func `durations have units`(text: String, seconds: Double) throws {
    #expect(try LoadSettings.duration(text) == seconds)
  }

  @Test(arguments: [
    "", "s", "0.999", "0", "-1", "1w", "31d", "2592001", "nan", "inf", "0x10", "1e3", "10 m", "1.2.3", "m10",
  ])
  func `other durations are refused`(text: String) {
    #expect(refusal("--duration", text)?.contains("'\(text)'") == true)
  }

  @Test(arguments: [
    ("--concurrent", "1", "10000", ["0", "10001", "1.5", "many"]),
    ("--per-second", "0.001", "100000", ["0", "100001"]),
    ("--success", "0", "100", ["100.1", "-1"]), ("--errors", "0", "100", ["101"]),
    ("--p95", "0.000001", "3600", ["0", "3601"]), ("--p99", "0.000001", "3600", ["0", "3601", "nan"]),
    ("--memory", "0", "1000", ["1001"]), ("--memory-span", "1", "86400", ["0.9", "86401"]),
    ("--settle", "0", "600", ["601"]), ("--patience", "0.1", "3600", ["0.09", "3601"]),
  ])
  func `numbers have bounds`(name: String, lowest: String, highest: String, refused: [String]) {
    #expect(refusal(name, lowest) == nil && refusal(name, highest) == nil)
    for value in refused {
      let said = refusal(name, value)
      #expect(said?.contains(name) == true && said?.contains("'\(value)'") == true, "\(value)")
      #expect(said?.contains(lowest) == true && said?.contains(highest) == true, "the bounds are told")
    }
  }

  @Test func `each option has its place`() throws {
    let values = [
      "--model": "echo-1", "--duration": "2", "--concurrent": "3", "--per-second": "4", "--expect": "any",
      "--success": "5", "--errors": "6", "--p95": "7", "--p99": "8", "--memory": "9", "--memory-span": "10",
      "--settle": "11", "--patience": "12",
    ]
    #expect(Set(values.keys) == LoadSettings.optionNames)
    let read = try settings(.stress, values)
    #expect(read.model == "echo-1" && read.durationSeconds == 2 && read.connections == 3 && read.perSecond == 4)
    #expect(read.expectation == .any && read.settleSeconds == 11 && read.patienceSeconds == 12)
    let criteria = read.criteria
    #expect(criteria.successPercent == 5 && criteria.errorPercent == 6 && criteria.p95Seconds == 7)
    #expect(criteria.p99Seconds == 8 && criteria.memoryPercent == 9 && criteria.memorySeconds == 10)
  }

  @Test func `an unknown expectation is refused`() {
    #expect(refusal("--expect", "nothing")?.contains("'nothing'") == true)
  }

  @Test(arguments: [(1.0, 0.05), (6, 0.05), (60, 0.5), (600, 5), (1200, 10), (86_400, 10)])
  func `the host is looked at 120 times in a run, within bounds`(duration: Double, seconds: Double) {
    var settings = LoadSettings(.soak)
    settings.durationSeconds = duration
    #expect(settings.sampleSeconds == seconds)
  }
}
