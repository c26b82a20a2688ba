extension Configuration {
  /// The timeouts as `patchbay check` prints them: the hierarchy with its ratios, then the other clocks. No newline
  /// at the end.
  package func timeoutTable() -> String {
    let tool = timeouts.toolMilliseconds
    let hierarchy: [(name: String, milliseconds: UInt64, lowest: String)] = [
      ("tool", tool, ""), ("daemon", timeouts.daemonMilliseconds, "1.5"), ("shim", timeouts.shimMilliseconds, "2.0"),
      ("client", timeouts.clientMilliseconds, "2.5"),
    ]
    var rows = [["timeout", "seconds", "× tool", "at least"]]
    for (name, milliseconds, lowest) in hierarchy {
      rows.append([name, ConfigurationReader.seconds(milliseconds), Self.ratio(milliseconds, tool), lowest])
    }
    let others: [(String, UInt64)] = [
      ("hello", timeouts.helloMilliseconds), ("connect", timeouts.connectMilliseconds),
      ("first_token", timeouts.firstTokenMilliseconds), ("progress", timeouts.progressMilliseconds),
      ("heartbeat", timeouts.heartbeatMilliseconds), ("queue", limits.queueMilliseconds),
      ("message", timeouts.messageMilliseconds), ("client_stall", timeouts.clientStallMilliseconds),
      ("drain", timeouts.drainMilliseconds),
    ]
    for (name, milliseconds) in others { rows.append([name, ConfigurationReader.seconds(milliseconds), "", ""]) }
    return rows.map(Self.line).joined(separator: "\n")
  }

  /// "1.50", rounded down: a ratio that is too small never looks sufficient.
  private static func ratio(_ milliseconds: UInt64, _ tool: UInt64) -> String {
    let (product, isOver) = milliseconds.multipliedReportingOverflow(by: 100)
    guard !isOver, tool > 0 else { return "" }
    let hundredths = product / tool
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
  }

  private static func line(_ cells: [String]) -> String {
    func padding(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.unicodeScalars.count))
    }
    let line =
      cells[0] + padding(cells[0], 14) + padding(cells[1], 9) + cells[1] + padding(cells[2], 9) + cells[2]
      + padding(cells[3], 11) + cells[3]
    return String(
      line.prefix(1 + (line.lastIndex { $0 != " " }.map { line.distance(from: line.startIndex, to: $0) } ?? 0)))
  }
}
