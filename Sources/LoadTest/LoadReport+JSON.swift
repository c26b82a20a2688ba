package import JSON

extension LoadReport {
  /// The report for programs (docs/load-testing.md).
  package var json: JSONValue {
    .object([
      .init("tool", .string(settings.tool.rawValue)), .init("url", .string(url)),
      .init("model", settings.model.map(JSONValue.string) ?? .null),
      .init("passed", .bool(isPassed)), .init("cut_short", cutShort.map(JSONValue.string) ?? .null),
      .init("asked_seconds", .double(settings.durationSeconds)), .init("seconds", .double(Self.rounded(seconds))),
      .init("concurrent", .integer(Int64(settings.connections))),
      .init("per_second", settings.perSecond.map(JSONValue.double) ?? .null),
      .init("calls", calls), .init("error_codes", codes), .init("latency_ms", latency),
      .init("upstream_calls", Self.number(rise(\.upstreamCalls))),
      .init("admitted_calls", Self.number(rise(\.admitted))),
      .init("refused_calls", Self.number(rise(\.refused))),
      .init("host", host), .init("memory", memory), .init("criteria", .array(verdicts.map(Self.verdict))),
    ])
  }

  private var calls: JSONValue {
    let tally = observation.tally
    return .object([
      .init("ended", .integer(Int64(tally.calls))), .init("success", .integer(Int64(tally.successes))),
      .init("wrong_content", .integer(Int64(tally.wrongContents))), .init("errors", .integer(Int64(tally.errors))),
      .init("unfinished", .integer(Int64(unfinished))),
      .init("success_percent", Self.number(tally.successPercent)),
      .init("error_percent", Self.number(tally.errorPercent)),
      .init("per_second", seconds > 0 ? .double(Self.rounded(Double(tally.calls) / seconds)) : .null),
    ])
  }

  private var codes: JSONValue {
    .object(errorCodes.map { .init($0.code, .integer(Int64($0.count.count))) })
  }

  private var latency: JSONValue {
    func milliseconds(_ value: UInt64?) -> JSONValue { value.map { .double(Double($0) / 1000) } ?? .null }
    let latencies = observation.latencies
    return .object([
      .init("p50", milliseconds(latencies.percentile(50))), .init("p95", milliseconds(latencies.percentile(95))),
      .init("p99", milliseconds(latencies.percentile(99))),
      .init("max", milliseconds(latencies.count > 0 ? latencies.maximum : nil)),
    ])
  }

  private var host: JSONValue {
    .object([
      .init("before", Self.figures(observation.before)),
      .init("after", observation.after.map(Self.figures) ?? .null), .init("most", Self.figures(most)),
    ])
  }

  private static func figures(_ figures: HostFigures) -> JSONValue {
    .object([
      .init("in_flight", number(figures.inFlight)), .init("queued", number(figures.queued)),
      .init("sessions", number(figures.sessions)), .init("connections", number(figures.connections)),
      .init("overdue_leases", number(figures.overdueLeases)),
      .init("dropped_permits", number(figures.droppedPermits)),
      .init("resident_bytes", number(figures.residentBytes)), .init("descriptors", number(figures.descriptors)),
      .init("threads", number(figures.threads)), .init("pid", number(figures.pid)),
    ])
  }

  private var memory: JSONValue {
    .object([
      .init("slope_bytes_per_hour", Self.number(slope?.bytesPerHour)),
      .init("rise_percent", Self.number(slope?.risePercent)), .init("span_seconds", Self.number(slope?.spanSeconds)),
      .init("samples", Self.number(slope?.samples)),
    ])
  }

  private static func verdict(_ verdict: Criteria.Verdict) -> JSONValue {
    .object([
      .init("name", .string(verdict.name)), .init("judgement", .string(verdict.judgement.rawValue)),
      .init("found", .string(verdict.found)), .init("expected", .string(verdict.expected)),
    ])
  }

  private static func number(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }
  private static func number(_ value: Double?) -> JSONValue { value.map { .double(rounded($0)) } ?? .null }
  private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
