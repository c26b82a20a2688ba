import Testing

@testable import Host

private let now: Int64 = 1_800_000_000_123

struct HistoryQueryTests {
  private func refusal(_ query: String) throws -> String {
    try #require(throws: HistoryQuery.Malformed.self) { _ = try HistoryQuery(query, now: now) }.message
  }

  @Test func `a question is taken as it stands, its ends at multiples of the step`() throws {
    let query = try #require(
      try HistoryQuery(
        "metric=patchbay_request_duration_seconds%3Ap99&from=1000001&to=1020001&step=10&provider=kimi", now: now))
    #expect(query.metric.name == "patchbay_request_duration_seconds:p99")
    #expect(query.from == 1_000_000 && query.to == 1_030_000 && query.step == 10_000 && query.pointCount == 3)
    #expect(query.provider == "kimi")
  }

  @Test func `without a range it is the last hour, in steps that fit`() throws {
    let query = try #require(try HistoryQuery("metric=patchbay_sessions", now: now))
    #expect(query.step == 2_000 && query.to == 1_800_000_002_000 && query.to - query.from == 3_602_000)
    #expect(query.pointCount <= 2_000)
    #expect(try HistoryQuery("metric=patchbay_sessions", now: now, sample: 10_000)?.step == 10_000)
    #expect(try HistoryQuery("metric=patchbay_sessions", now: now, sample: 2_001)?.step == 3_000)
  }

  @Test func `nothing asks for the names`() throws {
    #expect(try HistoryQuery(nil, now: now) == nil)
    #expect(try HistoryQuery("", now: now) == nil)
    #expect(try HistoryQuery("&&", now: now) == nil)
  }

  @Test(arguments: [
    ("from=1", "metric: found nothing"), ("metric=nope", #"metric: found "nope", expected one of the names"#),
    ("metric=", "metric: found no value"), ("metric", "metric: found no value"),
    ("metric=%zz", "metric: found no value"),
    ("metric=%ff", "metric: found no value"), ("METRIC=a", #"found the parameter "METRIC""#),
    ("metrics=a", #"expected one of metric, from, to, step, provider"#),
    ("metric=patchbay_sessions&metric=patchbay_sessions", "metric: found it twice"),
    ("metric=patchbay_sessions&from=x", #"from: found "x", expected a whole number of milliseconds since 1970 from 0"#),
    ("metric=patchbay_sessions&from=-1", "from: found"), ("metric=patchbay_sessions&from=1.5", "from: found"),
    ("metric=patchbay_sessions&from=%2B1", "from: found"), ("metric=patchbay_sessions&from=1e3", "from: found"),
    ("metric=patchbay_sessions&to=99999999999999999999", "to: found"),
    ("metric=patchbay_sessions&to=0", "to: found"), ("metric=patchbay_sessions&step=0", "step: found"),
    ("metric=patchbay_sessions&step=2678401", "step: found"),
    ("metric=patchbay_sessions&from=5&to=5", "from: found 5, expected less than to, which is 5"),
    ("metric=patchbay_sessions&from=6&to=5", "from: found 6, expected less than to"),
    ("metric=patchbay_sessions&provider=a", "provider: found \"a\", expected none"),
    ("metric=patchbay_permits_queued&provider=\(String(repeating: "p", count: 65))", "provider: found 65 characters"),
  ])
  func `a bad question is told what was found and expected`(query: String, refusal: String) throws {
    let found = try self.refusal(query)
    #expect(found.contains(refusal), "\(found)")
  }

  @Test(
    arguments: [
      (0, nil), (1, nil), (9_999_999_999_998, nil), (9_999_999_999_999, "less than to"),
      (10_000_000_000_000, "whole number"),
    ] as [(Int64, String?)])
  func `times are bounded`(from: Int64, refusal: String?) throws {
    let query = "metric=patchbay_sessions&from=\(from)&to=9999999999999&step=2678400"
    if let refusal {
      #expect(try self.refusal(query).contains(refusal))
    } else {
      // Not every range fits into the points, but the times are good.
      do { _ = try HistoryQuery(query, now: now) } catch { #expect(error.message.hasPrefix("step:")) }
    }
  }

  @Test(arguments: [1_999, 2_000, 2_001] as [Int64])
  func `a series has at most 2000 points, and the least step is told`(count: Int64) throws {
    let query = "metric=patchbay_sessions&from=0&to=\(count * 10_000)&step=10"
    if count <= 2_000 {
      #expect(try #require(try HistoryQuery(query, now: now)).pointCount == Int(count))
    } else {
      #expect(
        try refusal(query).contains("step: found 10, which makes 2001 points, expected at least 11 for this range"))
      #expect(try HistoryQuery(query.replacingStep(11), now: now) != nil)
    }
  }
}

extension String {
  fileprivate func replacingStep(_ seconds: Int) -> String { dropLast(2) + "\(seconds)" }
}
