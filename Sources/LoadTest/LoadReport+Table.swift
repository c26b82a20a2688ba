extension LoadReport {
  /// The report for people, without a line end behind it.
  package var table: String {
    var lines = [heading, ""]
    lines += callLines + [""]
    lines += hostLines + [""]
    lines += verdicts.map(Self.line)
    if let cutShort {
      lines += ["", "cut short after \(seconds.text(decimals: 1)) s: \(cutShort)"]
    }
    lines += ["", isPassed ? "passed" : "FAILED" + failedNames]
    return lines.joined(separator: "\n")
  }

  private var heading: String {
    let pace = settings.perSecond.map { ", \($0.text(decimals: 3)) calls a second" } ?? ""
    return "patchbay \(settings.tool.rawValue)  \(url)  \(seconds.text(decimals: 1)) of "
      + "\(settings.durationSeconds.text(decimals: 1)) s, \(settings.connections) connections\(pace), "
      + (settings.model.map { "model \($0)" } ?? "the default model")
  }

  private var failedNames: String {
    let names = verdicts.filter { $0.judgement == .failed }.map(\.name) + (cutShort == nil ? [] : ["cut short"])
    return names.isEmpty ? "" : ": " + names.joined(separator: ", ")
  }

  private var callLines: [String] {
    let tally = observation.tally
    func percent(_ value: Double?) -> String { value.map { "  \($0.text(decimals: 2)) %" } ?? "" }
    let rate = seconds > 0 ? (Double(tally.calls) / seconds).text(decimals: 1) : "-"
    var lines = [
      Self.row("calls", ["\(tally.calls)"]) + "  \(rate) a second",
      Self.row("success", ["\(tally.successes)"]) + percent(tally.successPercent),
      Self.row("wrong content", ["\(tally.wrongContents)"])
        + (tally.firstWrongContent.map { "  first: \($0)" } ?? ""),
      Self.row("errors", ["\(tally.errors)"]) + percent(tally.errorPercent),
    ]
    lines += errorCodes.map { code, count in
      Self.row("  \(code)", ["\(count.count)"]) + "  first: \(count.firstMessage)"
    }
    lines.append(Self.row("unfinished", ["\(unfinished)"]))
    lines.append("")
    lines.append(Self.row("", ["p50", "p95", "p99", "max"]))
    let latencies = observation.latencies
    let shown = [50, 95, 99].map(latencies.percentile) + [latencies.count > 0 ? latencies.maximum : nil]
    lines.append(
      Self.row("latency, ms", shown.map { $0.map { (Double($0) / 1000).text(decimals: 2) } ?? "-" }))
    return lines
  }

  private var hostLines: [String] {
    let figures: [(String, (HostFigures) -> Int?)] = [
      ("permits in flight", { $0.inFlight }), ("waiting", { $0.queued }), ("sessions", { $0.sessions }),
      ("connections", { $0.connections }), ("descriptors", { $0.descriptors }), ("threads", { $0.threads }),
      ("resident, KiB", { $0.residentBytes.map { $0 / 1024 } }),
    ]
    func shown(_ value: Int?) -> String { value.map(String.init) ?? "-" }
    var lines = [Self.row("host", ["before", "after", "most"])]
    lines += figures.map { name, figure in
      Self.row(
        name,
        [
          shown(figure(observation.before)), shown(observation.after.flatMap(figure)), shown(figure(most)),
        ])
    }
    lines.append(Self.row("upstream calls", [shown(rise(\.upstreamCalls))]))
    lines.append(Self.row("admitted calls", [shown(rise(\.admitted))]))
    lines.append(Self.row("refused calls", [shown(rise(\.refused))]))
    if let slope {
      lines.append(
        Self.row("KiB an hour", [(slope.bytesPerHour / 1024).text(decimals: 1)])
          + "  over the last \(slope.spanSeconds.text(decimals: 1)) s, \(slope.samples) samples")
    } else {
      lines.append(Self.row("KiB an hour", ["-"]))
    }
    return lines
  }

  private static func line(_ verdict: Criteria.Verdict) -> String {
    let mark =
      switch verdict.judgement {
      case .passed: "pass"
      case .failed: "FAIL"
      case .notJudged: "-   "
      }
    return "\(mark)  \(padded(verdict.name, to: 10))\(verdict.found); \(verdict.expected)"
  }

  private static func row(_ name: String, _ values: [String]) -> String {
    padded(name, to: 20)
      + values.map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined()
  }

  private static func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
