import JSON
import Testing

@testable import ProviderValidator

struct ValidationReportTests {
  private static func finding(
    _ id: String, _ category: Check.Category, _ verdict: Verdict, calls: [String] = [], output: String = ""
  ) -> Finding {
    let check = Check(id, rule: "PRV-R002", category: category, needs: .file, proves: "") { _ throws(CheckStop) in
      .pass()
    }
    var finding = Finding(check, verdict)
    finding.seconds = 1.01
    finding.calls = calls
    finding.output = output
    return finding
  }

  private static let result = ValidationResult(
    file: "a & <b>.so", sha256: String(repeating: "0f", count: 32), seed: 7, seconds: 12.3456,
    findings: [
      finding("elf-arch", .elf, .pass()),
      finding("load-time", .load, .warn(expected: "at most 20 ms", found: "31.00 ms")),
      finding(
        "entry-answers", .entry, .fail(expected: "\"yes\"", found: "no\u{1B}[31m\u{0}", rule: "PRV-R003"),
        calls: ["dlopen(a.so) returned", "prv_plugin_entry_v1(flags 0) = -3"], output: "a\u{0}b\u{FFFE}\n]]>\n"),
      finding("create-basic", .create, Verdict(status: .crash, expected: "life", found: "SIGSEGV")),
      finding("create-time", .create, Verdict(status: .timeout, expected: "an end", found: "none")),
      finding("create-unknown-id", .create, .skip("needs create-basic, which crashed")),
    ])

  @Test func `the table names what did not pass, and how to see it again`() {
    let text = ValidationReport.text(Self.result)
    #expect(text.contains("  pass    elf-arch           PRV-R002\n"))
    #expect(text.contains("FAIL entry-answers (PRV-R003)\n  found      no [31m \n  expected   \"yes\"\n"))
    #expect(text.contains("  last calls dlopen(a.so) returned\n             prv_plugin_entry_v1(flags 0) = -3\n"))
    #expect(text.contains("patchbay plugin validate a & <b>.so --include entry-answers --seed 7"))
    #expect(text.hasSuffix("6 checks in 12.35 s: 1 pass, 1 warn, 1 fail, 1 crash, 1 timeout, 1 skip"))
    #expect(!ValidationReport.text(Self.result, onlyFailed: true).contains("elf-arch"))
  }

  @Test func `no control character of a plugin reaches the terminal`() {
    #expect(
      ValidationReport.text(Self.result).unicodeScalars.allSatisfy {
        $0 == "\n" || $0.properties.generalCategory != .control
      })
  }

  @Test func `the JSON holds every finding as it is`() throws {
    let json = try JSONValue(parsing: ValidationReport.json(Self.result))
    #expect(json["ok"]?.bool == false && json["seed"]?.integer == 7 && json["seconds"]?.double == 12.346)
    #expect(json["counts"]?["crash"]?.integer == 1)
    let finding = try #require(json["findings"]?[2])
    #expect(finding["check"]?.string == "entry-answers" && finding["category"]?.string == "entry")
    #expect(finding["rule"]?.string == "PRV-R003" && finding["found"]?.string == "no\u{1B}[31m\u{0}")
    #expect(finding["last_call"]?.string == "prv_plugin_entry_v1(flags 0) = -3")
    #expect(json["findings"]?[0]?["last_call"] == .null)
  }

  @Test func `the JUnit report has a case for each finding and no character that XML forbids`() {
    let xml = ValidationReport.junit(Self.result)
    #expect(xml.contains(#"<testsuites name="a &amp; &lt;b&gt;.so">"#))
    #expect(xml.contains(#"<testsuite name="create" tests="3" failures="0" errors="2" skipped="1" time="3.03">"#))
    #expect(xml.contains(#"<failure type="PRV-R003" message="PRV-R003: found no [31m ; expected &quot;yes&quot;">"#))
    #expect(xml.contains(#"<error type="timeout""#) && xml.contains("<skipped message="))
    #expect(xml.contains("]]&gt;"))
    #expect(xml.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0xFFFE || $0 == "\n" })
  }

  @Test(arguments: [
    (0.0, "0.00"), (0.004, "0.00"), (0.005, "0.01"), (0.994, "0.99"), (0.995, "1.00"), (59.999, "60.00"),
  ])
  func `seconds have two decimals`(seconds: Double, text: String) {
    #expect(ValidationReport.seconds(seconds) == text)
  }

  @Test func `a verdict crosses the pipe`() {
    for status in Status.allCases {
      let verdict = Verdict(status: status, expected: "\"a\"\n", found: "\u{1F600}\u{0}", rule: "PRV-R001")
      #expect(Verdict(answer: Array(verdict.json.utf8)) == verdict)
      #expect(Verdict(answer: Array(verdict.json.utf8.dropLast())) == nil)
    }
    #expect(Verdict(answer: []) == nil)
    #expect(Verdict(answer: Array(#"{"status":"well","expected":"","found":""}"#.utf8)) == nil)
  }
}
