import Decisions
import Testing

@testable import Host

private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

private func label(_ name: String, _ value: String) -> MetricSnapshot.Label { .init(name: name, value: value) }

private func counter(_ name: String, _ series: [([String: String], Double)]) -> MetricSnapshot.Family {
  .init(
    name: name, help: "", kind: .counter,
    series: series.map { labels, value in
      .init(labels: labels.sorted { $0.key < $1.key }.map { label($0.key, $0.value) }, value: .number(value))
    })
}

private func histogram(_ name: String, _ series: [(String, String, [UInt64])]) -> MetricSnapshot.Family {
  .init(
    name: name, help: "", kind: .histogram,
    series: series.map { provider, model, counts in
      .init(
        labels: [label("provider", provider), label("model", model)],
        value: .distribution(
          .init(bounds: [0.1, 1, 10], counts: Array(counts.prefix(3)), sum: 0, count: counts.last ?? 0)))
    })
}

extension HistorySample {
  fileprivate subscript(_ metric: String, _ values: String...) -> Double? {
    points.first { $0.series == HistorySeries(metric: metric, values: values) }?.value
  }
}

struct HistorySamplerTests {
  private static let requests = "patchbay_requests_total"
  private static let duration = "patchbay_request_duration_seconds"

  @Test func `counters become rates a second, put together over the labels that are not kept`() {
    var sampler = HistorySampler()
    func take(_ a: Double, _ b: Double, _ now: UInt64) -> HistorySample {
      let family = counter(
        Self.requests,
        [
          (["provider": "kimi", "model": "a", "tool": "chat", "outcome": "complete"], a),
          (["provider": "kimi", "model": "b", "tool": "chat", "outcome": "complete"], b),
          (["provider": "kimi", "model": "b", "tool": "chat", "outcome": "failed"], 4),
        ])
      return sampler.take(MetricSnapshot(families: [family]), at: Int64(now), now: at(now))
    }
    #expect(take(10, 5, 1_000).points.isEmpty, "there is nothing to compare the first with")
    let second = take(30, 15, 11_000)
    #expect(second[Self.requests, "kimi", "complete"] == 3)
    #expect(second[Self.requests, "kimi", "failed"] == 0)
    #expect(second.at == 11_000)
    #expect(take(2, 3, 13_000)[Self.requests, "kimi", "complete"] == 2.5, "less than before: it began anew at 0")
    #expect(take(2, 3, 13_000)[Self.requests, "kimi", "complete"] == nil, "no time has passed")
  }

  @Test func `a series that comes later began at 0`() {
    var sampler = HistorySampler()
    _ = sampler.take(MetricSnapshot(families: [counter(Self.requests, [])]), at: 0, now: at(1_000))
    let family = counter(Self.requests, [(["provider": "glm", "outcome": "complete"], 20)])
    let sample = sampler.take(MetricSnapshot(families: [family]), at: 0, now: at(11_000))
    #expect(sample[Self.requests, "glm", "complete"] == 2)
  }

  @Test func `gauges stay as they are, and what is no number is left out`() {
    var sampler = HistorySampler()
    func gauge(_ name: String, _ value: Double) -> MetricSnapshot.Family {
      .init(name: name, help: "", kind: .gauge, series: [.init(labels: [], value: .number(value))])
    }
    let snapshot = MetricSnapshot(families: [
      gauge("patchbay_connections", 7), gauge("patchbay_sessions", .nan),
      gauge("process_open_fds", .infinity), gauge("patchbay_something_else", 1),
    ])
    let sample = sampler.take(snapshot, at: 5, now: at(0))
    #expect(sample.points == [.init(series: .init(metric: "patchbay_connections", values: []), value: 7)])
  }

  @Test func `percentiles are of what came since the sample before, models together`() {
    var sampler = HistorySampler()
    func take(_ a: [UInt64], _ b: [UInt64], _ now: UInt64) -> HistorySample {
      let family = histogram(Self.duration, [("kimi", "a", a), ("kimi", "b", b)])
      return sampler.take(MetricSnapshot(families: [family]), at: 0, now: at(now))
    }
    #expect(take([100, 100, 100, 100], [0, 0, 0, 0], 0).points.isEmpty)
    let second = take([100, 110, 110, 110], [0, 10, 10, 10], 10_000)
    #expect(second["\(Self.duration):p50", "kimi"] == 0.55, "half way from 0.1 to 1, the old hundred left out")
    #expect(abs((second["\(Self.duration):p99", "kimi"] ?? 0) - 0.991) < 1e-9)
    #expect(take([100, 110, 110, 110], [0, 10, 10, 10], 20_000).points.isEmpty, "nothing came")
    #expect(take([0, 0, 0, 0], [0, 0, 4, 4], 30_000)["\(Self.duration):p50", "kimi"] == 5.5, "it began anew")
  }

  @Test(
    arguments: [
      ([4, 4, 4, 4], 0.5, 0.05), ([0, 0, 4, 4], 1, 10), ([0, 0, 0, 4], 0.5, 10), ([1, 2, 3, 4], 0.25, 0.1),
      ([1, 2, 3, 4], 0.5, 1), ([0, 0, 0, 0], 0.5, nil), ([2, 2, 2, 2], 0, 0),
    ] as [([UInt64], Double, Double?)])
  func `a quantile is linear within its bucket`(counts: [UInt64], quantile: Double, value: Double?) {
    let distribution = MetricSnapshot.Distribution(
      bounds: [0.1, 1, 10], counts: Array(counts.prefix(3)), sum: 0, count: counts[3])
    let found = distribution.quantile(quantile)
    #expect((found == nil) == (value == nil) && abs((found ?? 0) - (value ?? 0)) < 1e-9, "\(found as Any)")
  }

  @Test func `a bound that is infinite gives the last one that is not`() {
    let distribution = MetricSnapshot.Distribution(bounds: [1, .infinity], counts: [0, 3], sum: 0, count: 3)
    #expect(distribution.quantile(0.5) == 1)
    #expect(MetricSnapshot.Distribution(bounds: [], counts: [], sum: 0, count: 3).quantile(0.5) == nil)
  }

  @Test(arguments: [-1, 0, 1])
  func `the series of a sample are bounded`(more: Int) {
    var sampler = HistorySampler()
    let count = HistorySampler.seriesLimit + more
    let family = MetricSnapshot.Family(
      name: "patchbay_permits_queued", help: "", kind: .gauge,
      series: (0..<count).map { .init(labels: [label("provider", "p\($0)")], value: .number(1)) })
    let sample = sampler.take(MetricSnapshot(families: [family]), at: 0, now: at(0))
    #expect(sample.points.count == min(count, HistorySampler.seriesLimit))
    #expect(sampler.leftOut == UInt64(max(0, more)))
  }

  @Test func `every metric has a name of its own, and a family that it comes from`() {
    #expect(Set(HistoryMetric.all.map(\.name)).count == HistoryMetric.all.count)
    #expect(HistoryMetric.all.allSatisfy { $0.name.hasPrefix($0.family) })
    #expect(HistoryMetric.named("patchbay_loop_lag_seconds:p99")?.combination == .largest)
    #expect(HistoryMetric.named("patchbay_loop_lag_seconds:p50")?.combination == .mean)
    #expect(HistoryMetric.named("patchbay_loop_lag_seconds") == nil)
  }
}
