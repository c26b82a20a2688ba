/// The JUnit dialect that CI servers agree on: a suite for each category, `failure` for a broken rule, `error` for a
/// child that died, `skipped`; a warning passes and says why in `system-out`.
extension ValidationReport {
  package static func junit(_ result: ValidationResult) -> String {
    var lines = [#"<?xml version="1.0" encoding="UTF-8"?>"#, "<testsuites name=\(quoted(result.file))>"]
    for category in Check.Category.allCases {
      let findings = result.findings.filter { $0.category == category }
      if findings.isEmpty { continue }
      lines.append(suite(category, findings))
      lines += findings.map { testcase($0, seed: result.seed) }
      lines.append("  </testsuite>")
    }
    return (lines + ["</testsuites>", ""]).joined(separator: "\n")
  }

  private static func suite(_ category: Check.Category, _ findings: [Finding]) -> String {
    let failures = findings.count { $0.status == .fail }
    let errors = findings.count { $0.status == .crash || $0.status == .timeout }
    let skipped = findings.count { $0.status == .skip }
    return "  <testsuite name=\(quoted(category.rawValue)) tests=\"\(findings.count)\" failures=\"\(failures)\""
      + " errors=\"\(errors)\" skipped=\"\(skipped)\" time=\"\(seconds(findings.reduce(0) { $0 + $1.seconds }))\">"
  }

  private static func testcase(_ finding: Finding, seed: UInt64) -> String {
    let head =
      "    <testcase classname=\(quoted(finding.category.rawValue)) name=\(quoted(finding.check))"
      + " time=\"\(seconds(finding.seconds))\""
    let message = quoted("\(finding.rule): found \(finding.found); expected \(finding.expected)")
    let story = escaped((finding.calls + [finding.output, "seed \(seed)"]).joined(separator: "\n"))
    return switch finding.status {
    case .pass: "\(head)/>"
    case .warn: "\(head)>\n      <system-out>warning, \(message.dropFirst().dropLast())</system-out>\n    </testcase>"
    case .fail:
      "\(head)>\n      <failure type=\(quoted(finding.rule)) message=\(message)>\(story)</failure>\n    </testcase>"
    case .crash, .timeout:
      "\(head)>\n      <error type=\(quoted(finding.status.rawValue)) message=\(message)>\(story)</error>\n    </testcase>"
    case .skip: "\(head)>\n      <skipped message=\(quoted(finding.found))/>\n    </testcase>"
    }
  }

  private static func quoted(_ text: String) -> String { "\"\(escaped(text))\"" }

  /// XML 1.0 has no way to write most control characters, so they become spaces.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
