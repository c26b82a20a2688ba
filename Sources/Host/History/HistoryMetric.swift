/// One of the figures whose past is kept: how it is read from a snapshot, and how its points are put together.
struct HistoryMetric: Sendable, Equatable {
  /// How a value comes from the family's series.
  enum Reading: Sendable, Equatable {
    /// Of a counter: how much it grew, a second.
    case rate
    /// As it is at the moment.
    case gauge
    /// Of a histogram: of what was observed since the sample before.
    case quantile(Double)
  }

  /// What a coarser point keeps of the finer ones that it stands for.
  enum Combination: Sendable, Equatable {
    case mean
    /// What one looks for in last week's chart is whether a limit was touched.
    case largest
  }

  /// As it is asked for: the family's name, and of a histogram what of it: `…_seconds:p99`.
  var name: String
  var family: String
  var reading: Reading
  /// What its series are told apart by; the others of the family are put together.
  var labels: [String]
  var unit: String

  /// A mean of 99th percentiles says nothing, the largest does: no finer point was above it.
  var combination: Combination {
    switch reading {
    case .rate: .mean
    case .gauge: .largest
    case .quantile(let quantile): quantile > 0.5 ? .largest : .mean
    }
  }

  static let all: [HistoryMetric] =
    [
      rate("patchbay_requests_total", ["provider", "outcome"], "requests/s"),
      rate("patchbay_tokens_total", ["provider", "direction"], "tokens/s"),
    ]
    + quantiles("patchbay_request_duration_seconds", ["provider"])
    + quantiles("patchbay_time_to_first_token_seconds", ["provider"])
    + [
      gauge("patchbay_permits_in_flight", ["provider"], "calls"),
      gauge("patchbay_permits_queued", ["provider"], "calls"),
      gauge("patchbay_host_permits_in_flight", [], "calls"),
      gauge("patchbay_connections", [], "connections"),
      gauge("patchbay_sessions", [], "sessions"),
      gauge("process_resident_memory_bytes", [], "bytes"),
      gauge("process_open_fds", [], "descriptors"),
      gauge("patchbay_worker_resident_bytes", ["provider"], "bytes"),
    ]
    + quantiles("patchbay_loop_lag_seconds", [])

  static func named(_ name: String) -> HistoryMetric? { all.first { $0.name == name } }

  private static func rate(_ name: String, _ labels: [String], _ unit: String) -> HistoryMetric {
    HistoryMetric(name: name, family: name, reading: .rate, labels: labels, unit: unit)
  }

  private static func gauge(_ name: String, _ labels: [String], _ unit: String) -> HistoryMetric {
    HistoryMetric(name: name, family: name, reading: .gauge, labels: labels, unit: unit)
  }

  private static func quantiles(_ name: String, _ labels: [String]) -> [HistoryMetric] {
    [("p50", 0.5), ("p99", 0.99)].map { word, quantile in
      HistoryMetric(
        name: "\(name):\(word)", family: name, reading: .quantile(quantile), labels: labels, unit: "seconds")
    }
  }
}

/// One line of a chart: a metric and what tells it from the metric's others.
struct HistorySeries: Hashable, Sendable {
  var metric: String
  /// Values of the metric's labels, in their order.
  var values: [String]
}

/// The host's figures at one moment, as they are kept.
struct HistorySample: Sendable, Equatable {
  struct Point: Sendable, Equatable {
    var series: HistorySeries
    var value: Double
  }

  /// Milliseconds since 1970.
  var at: Int64
  var points: [Point]
}
