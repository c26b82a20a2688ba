import JSON
import Testing

@testable import LoadTest

struct CriteriaTests {
  /// Figures of a host as its health has them; `changes` replace members.
  static func figures(_ changes: String = "{}") throws -> HostFigures {
    let plain = """
      {"global_in_flight":0,"queued":0,"sessions":1,"connections":1,"overdue_leases":0,"dropped_permits":0,
       "counters":{"admitted":100,"refused":0},"process":{"pid":7,"resident_bytes":1000,"descriptors":9,"threads":3}}
      """
    var members = try JSONValue(parsing: plain).members ?? []
    for change in try JSONValue(parsing: changes).members ?? [] {
      members.removeAll { $0.key == change.key }
      members.append(change)
    }
    return try #require(HostFigures(health: .object(members)))
  }

  static func tally(successes: Int, wrong: Int = 0, errors: Int = 0) -> Tally {
    var tally = Tally()
    for _ in 0..<successes { tally.add(.success) }
    for _ in 0..<wrong { tally.add(.wrongContent("x")) }
    for _ in 0..<errors { tally.add(.error(code: "TIMEOUT", message: "late", retryAfterSeconds: nil)) }
    return tally
  }

  /// A run in which all is well.
  static func observation() throws -> Criteria.Observation {
    var latencies = LatencyHistogram()
    for _ in 0..<100 { latencies.record(microseconds: 1000) }
    var memory = MemoryTrend()
    for second in 0...60 { memory.add(seconds: Double(second), bytes: 1000) }
    return Criteria.Observation(
      tally: tally(successes: 100), latencies: latencies, before: try figures(),
      after: try figures(#"{"counters":{"admitted":200}}"#), memory: memory)
  }

  private func judge(_ name: String, _ criteria: Criteria = Criteria(), of run: Criteria.Observation) throws
    -> Criteria.Judgement
  {
    try #require(criteria.judge(run).first { $0.name == name }).judgement
  }

  @Test func `a run in which all is well passes everything`() throws {
    let verdicts = Criteria().judge(try Self.observation())
    #expect(verdicts.map(\.name) == ["success", "errors", "p95", "p99", "permits", "upstream", "memory"])
    #expect(verdicts.allSatisfy { $0.judgement == .passed }, "\(verdicts)")
  }

  @Test(arguments: [(94, Criteria.Judgement.failed), (95, .passed), (96, .passed)])
  func `success is at least its bound`(successes: Int, expected: Criteria.Judgement) throws {
    var run = try Self.observation()
    run.tally = Self.tally(successes: successes, wrong: 100 - successes)
    #expect(try judge("success", of: run) == expected)
    #expect(try judge("errors", of: run) == .passed, "wrong content is no error")
  }

  @Test(arguments: [(4, Criteria.Judgement.passed), (5, .failed), (6, .failed)])
  func `errors stay under their bound`(errors: Int, expected: Criteria.Judgement) throws {
    var run = try Self.observation()
    run.tally = Self.tally(successes: 100 - errors, errors: errors)
    #expect(try judge("errors", of: run) == expected)
  }

  @Test func `a run without calls fails what is judged by calls`() throws {
    var run = try Self.observation()
    run.tally = Tally()
    run.latencies = LatencyHistogram()
    for name in ["success", "errors", "p95", "p99"] { #expect(try judge(name, of: run) == .failed, "\(name)") }
  }

  @Test(arguments: [(UInt64(4_999_999), Criteria.Judgement.passed), (5_000_000, .failed), (5_000_001, .failed)])
  func `the 95th percentile stays under its bound`(microseconds: UInt64, expected: Criteria.Judgement) throws {
    var run = try Self.observation()
    run.latencies = LatencyHistogram()
    for _ in 0..<94 { run.latencies.record(microseconds: 1000) }
    for _ in 0..<6 { run.latencies.record(microseconds: microseconds) }
    #expect(try judge("p95", of: run) == expected)
    #expect(try judge("p99", of: run) == .passed)
  }

  @Test(arguments: [(UInt64(9_999_999), Criteria.Judgement.passed), (10_000_000, .failed), (10_000_001, .failed)])
  func `the 99th percentile stays under its bound`(microseconds: UInt64, expected: Criteria.Judgement) throws {
    var run = try Self.observation()
    run.latencies = LatencyHistogram()
    for _ in 0..<98 { run.latencies.record(microseconds: 1000) }
    for _ in 0..<2 { run.latencies.record(microseconds: microseconds) }
    #expect(try judge("p99", of: run) == expected)
    #expect(try judge("p95", of: run) == .passed)
  }

  @Test(arguments: [
    (#"{"global_in_flight":2}"#, Criteria.Judgement.passed), (#"{"global_in_flight":3}"#, .passed),
    (#"{"global_in_flight":4}"#, .failed), (#"{"dropped_permits":1}"#, .failed), (#"{"overdue_leases":1}"#, .failed),
  ])
  func `permits are as before the run`(after: String, expected: Criteria.Judgement) throws {
    var run = try Self.observation()
    run.before = try Self.figures(#"{"global_in_flight":3}"#)
    run.after = try Self.figures(after)
    #expect(try judge("permits", of: run) == expected)
  }

  @Test func `a host that cannot be asked any more has not shown its permits`() throws {
    var run = try Self.observation()
    run.after = nil
    #expect(try judge("permits", of: run) == .failed)
    #expect(try judge("upstream", of: run) == .notJudged)
  }

  @Test(arguments: [(99, Criteria.Judgement.failed), (100, .passed), (101, .passed)])
  func `each success has cost a call upstream`(calls: Int, expected: Criteria.Judgement) throws {
    var run = try Self.observation()
    run.before = try Self.figures(#"{"providers":{"a":{"upstream_calls":5},"b":{"upstream_calls":10}}}"#)
    run.after = try Self.figures(#"{"providers":{"a":{"upstream_calls":5},"b":{"upstream_calls":\#(10 + calls)}}}"#)
    #expect(try judge("upstream", of: run) == expected)
  }

  @Test func `admitted calls stand in for upstream calls; without either nothing is judged`() throws {
    var run = try Self.observation()
    run.after = try Self.figures(#"{"counters":{"admitted":199}}"#)
    #expect(try judge("upstream", of: run) == .failed)
    run.after = try Self.figures(#"{"counters":null}"#)
    #expect(try judge("upstream", of: run) == .notJudged)
  }

  @Test(arguments: [(4.99, Criteria.Judgement.passed), (5, .failed), (5.01, .failed)])
  func `memory rises less than its bound`(percent: Double, expected: Criteria.Judgement) throws {
    var run = try Self.observation()
    run.memory = MemoryTrend()
    // The line begins to be judged at second 30 and ends at 60.
    for second in 0...60 {
      run.memory.add(seconds: Double(second), bytes: 300_000 + 100 * percent * Double(second - 30))
    }
    #expect(try judge("memory", of: run) == expected)
  }

  @Test func `memory of a short run, or of a host that does not say, is not judged`() throws {
    var run = try Self.observation()
    run.memory = MemoryTrend()
    for second in 0...49 { run.memory.add(seconds: Double(second), bytes: Double(second * 1_000_000)) }
    #expect(try judge("memory", of: run) == .notJudged)
    run.before = try Self.figures(#"{"process":null}"#)
    let verdict = try #require(Criteria().judge(run).last)
    #expect(verdict.judgement == .notJudged && verdict.found == "the host does not say")
  }

  @Test func `every bound can be set`() throws {
    var run = try Self.observation()
    run.tally = Self.tally(successes: 98, errors: 2)
    var criteria = Criteria()
    criteria.successPercent = 99
    criteria.errorPercent = 2
    criteria.p95Seconds = 0.001
    criteria.p99Seconds = 0.001
    criteria.memoryPercent = 0
    for name in ["success", "errors", "p95", "p99", "memory"] {
      #expect(try judge(name, criteria, of: run) == .failed, "\(name)")
    }
  }
}
