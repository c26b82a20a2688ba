internal import JSON

/// A result as a person, a program or a CI server reads it.
package enum ValidationReport {
  /// A table, and below it all that is known of what did not pass.
  ///
  /// - Parameter onlyFailed: leave out what passed.
  package static func text(_ result: ValidationResult, onlyFailed: Bool = false) -> String {
    var lines = ["\(result.file)  sha256 \(result.sha256.prefix(16))…  seed \(result.seed)", ""]
    let width = result.findings.map(\.check.count).max() ?? 0
    for category in Check.Category.allCases {
      let findings = result.findings.filter { $0.category == category && !(onlyFailed && $0.status == .pass) }
      if findings.isEmpty { continue }
      lines.append(category.rawValue)
      lines += findings.map { row($0, width) }
    }
    for finding in result.findings where finding.status.isBad || finding.status == .warn {
      lines += [""] + details(finding, of: result)
    }
    return (lines + ["", summary(result)]).joined(separator: "\n")
  }

  private static func row(_ finding: Finding, _ width: Int) -> String {
    let mark = finding.status == .pass ? "pass   " : padded(finding.status.rawValue.uppercased(), 7)
    let row = "  \(mark) \(padded(finding.check, width))  \(padded(finding.rule, 8))  \(line(finding.found))"
    return String(row.reversed().drop { $0 == " " }.reversed())
  }

  private static func details(_ finding: Finding, of result: ValidationResult) -> [String] {
    var lines = ["\(finding.status.rawValue.uppercased()) \(finding.check) (\(finding.rule))"]
    lines.append("  found      \(line(finding.found))")
    lines.append("  expected   \(line(finding.expected))")
    for (index, call) in finding.calls.suffix(4).enumerated() {
      lines.append("  \(index == 0 ? "last calls" : "          ") \(line(call))")
    }
    let output = finding.output.split(separator: "\n").suffix(8)
    for (index, text) in output.enumerated() {
      lines.append("  \(index == 0 ? "output    " : "          ") \(line(text))")
    }
    lines.append(
      "  again      patchbay plugin validate \(result.file) --include \(finding.check) --seed \(result.seed)")
    return lines
  }

  private static func summary(_ result: ValidationResult) -> String {
    let counts = Status.allCases.map { "\(result.count($0)) \($0.rawValue)" }.joined(separator: ", ")
    return "\(result.findings.count) checks in \(seconds(result.seconds)) s: \(counts)"
  }

  package static func json(_ result: ValidationResult) -> String {
    JSONValue.object([
      .init("file", .string(result.file)), .init("sha256", .string(result.sha256)),
      .init("seed", .integer(Int64(bitPattern: result.seed))), .init("seconds", .double(rounded(result.seconds))),
      .init("ok", .bool(!result.isBad)),
      .init(
        "counts", .object(Status.allCases.map { .init($0.rawValue, .integer(Int64(result.count($0)))) })),
      .init("findings", .array(result.findings.map(\.json))),
    ]).text
  }

  // MARK: - Text

  /// One line without control characters, whatever a plugin wrote.
  private static func line(_ text: some StringProtocol) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }

  /// Two decimals.
  static func seconds(_ seconds: Double) -> String {
    let hundredths = Int((seconds * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }
}
