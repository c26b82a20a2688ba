/// What a host must show to pass, and the judgement.
package struct Criteria: Equatable, Sendable {
  /// Percent of the calls that must succeed, at least.
  package var successPercent = 95.0
  /// Percent of the calls that may end in an error, not reached.
  package var errorPercent = 5.0
  /// Seconds that the 95th percentile of the successful calls must stay under.
  package var p95Seconds = 5.0
  /// Seconds that the 99th percentile of the successful calls must stay under.
  package var p99Seconds = 10.0
  /// Percent by which memory may rise over the last half of the run, not reached.
  package var memoryPercent = 5.0
  /// Seconds that the samples of memory must span to be judged.
  package var memorySeconds = 50.0

  package init() {}

  package enum Judgement: String, Sendable { case passed, failed, notJudged = "not_judged" }

  /// One row of the checklist.
  package struct Verdict: Equatable, Sendable {
    package var name: String
    package var judgement: Judgement
    /// What was found, for people.
    package var found: String
    /// What it was held against, for people.
    package var expected: String
  }

  /// What a run has shown.
  package struct Observation: Sendable {
    package var tally: Tally
    package var latencies: LatencyHistogram
    package var before: HostFigures
    /// nil: the host could not be asked any more.
    package var after: HostFigures?
    package var memory: MemoryTrend

    package init(
      tally: Tally, latencies: LatencyHistogram, before: HostFigures, after: HostFigures?, memory: MemoryTrend
    ) {
      self.tally = tally
      self.latencies = latencies
      self.before = before
      self.after = after
      self.memory = memory
    }
  }

  package func judge(_ run: Observation) -> [Verdict] {
    [
      share(
        "success", run.tally.successPercent, expected: "at least \(successPercent.text(decimals: 2)) %",
        isGood: { $0 >= successPercent }),
      share(
        "errors", run.tally.errorPercent, expected: "under \(errorPercent.text(decimals: 2)) %",
        isGood: { $0 < errorPercent }),
      latency("p95", run.latencies.percentile(95), seconds: p95Seconds),
      latency("p99", run.latencies.percentile(99), seconds: p99Seconds),
      permits(before: run.before, after: run.after),
      upstream(successes: run.tally.successes, before: run.before, after: run.after),
      memory(run.memory, isReported: run.before.residentBytes != nil),
    ]
  }

  private func share(_ name: String, _ percent: Double?, expected: String, isGood: (Double) -> Bool) -> Verdict {
    guard let percent else {
      return Verdict(name: name, judgement: .failed, found: "no call ended", expected: expected)
    }
    return Verdict(
      name: name, judgement: isGood(percent) ? .passed : .failed, found: "\(percent.text(decimals: 2)) %",
      expected: expected)
  }

  private func latency(_ name: String, _ microseconds: UInt64?, seconds: Double) -> Verdict {
    let expected = "under \(seconds.text(decimals: 3)) s"
    guard let microseconds else {
      return Verdict(name: name, judgement: .failed, found: "no call succeeded", expected: expected)
    }
    let found = Double(microseconds) / 1_000_000
    return Verdict(
      name: name, judgement: found < seconds ? .passed : .failed, found: "\(found.text(decimals: 6)) s",
      expected: expected)
  }

  private func permits(before: HostFigures, after: HostFigures?) -> Verdict {
    let expected = "as many in flight as before, none dropped, none overdue"
    guard let after else {
      return Verdict(name: "permits", judgement: .failed, found: "the host cannot be asked", expected: expected)
    }
    let leaked = max(0, after.inFlight - before.inFlight)
    let dropped = max(0, after.droppedPermits - before.droppedPermits)
    let overdue = max(0, after.overdueLeases - before.overdueLeases)
    return Verdict(
      name: "permits", judgement: leaked + dropped + overdue == 0 ? .passed : .failed,
      found: "\(leaked) leaked, \(dropped) dropped, \(overdue) overdue", expected: expected)
  }

  /// Every prompt is new, so each success must have cost a call upstream; fewer: something else gave the answers.
  private func upstream(successes: Int, before: HostFigures, after: HostFigures?) -> Verdict {
    let expected = "at least one for each of \(successes) successes"
    for (name, path) in [("upstream calls", \HostFigures.upstreamCalls), ("admitted calls", \.admitted)] {
      guard let first = before[keyPath: path], let last = after?[keyPath: path] else { continue }
      return Verdict(
        name: "upstream", judgement: last - first >= successes ? .passed : .failed, found: "\(last - first) \(name)",
        expected: expected)
    }
    return Verdict(
      name: "upstream", judgement: .notJudged,
      found: after == nil ? "the host cannot be asked" : "the host does not count them", expected: expected)
  }

  private func memory(_ trend: MemoryTrend, isReported: Bool) -> Verdict {
    let expected = "a rise under \(memoryPercent.text(decimals: 2)) % over the last half"
    guard isReported else {
      return Verdict(name: "memory", judgement: .notJudged, found: "the host does not say", expected: expected)
    }
    guard let slope = trend.slope(minimumSeconds: memorySeconds) else {
      return Verdict(
        name: "memory", judgement: .notJudged,
        found: "\(trend.count) samples over \(trend.spanSeconds.text(decimals: 1)) s are too few; "
          + "run for \(memorySeconds.text(decimals: 0)) s or longer",
        expected: expected)
    }
    return Verdict(
      name: "memory", judgement: slope.risePercent < memoryPercent ? .passed : .failed,
      found: "\(slope.risePercent.text(decimals: 2)) %", expected: expected)
  }
}
