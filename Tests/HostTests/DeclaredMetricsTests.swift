import Foundation
import Testing

@testable import Host

/// The table of declarations against docs/metrics.md, and against what Prometheus asks of names.
struct DeclaredMetricsTests {
  private let document = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("docs/metrics.md")

  private static func row(_ metric: MetricDeclaration) -> String {
    let labels = metric.labels.map { "`\($0)`" }.joined(separator: " ")
    return "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.help) |"
  }

  @Test func `the document has a row for each declared metric, and for no other`() throws {
    let text = try String(contentsOf: document, encoding: .utf8)
    let rows = text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("| `") }
    let declared = DeclaredMetrics.all.map(Self.row)
    #expect(Set(declared).subtracting(rows).sorted() == [], "declared, and not in docs/metrics.md")
    #expect(Set(rows).subtracting(declared).sorted() == [], "in docs/metrics.md, and not declared")
    #expect(rows.count == declared.count)
  }

  @Test(arguments: DeclaredMetrics.all)
  func `names, kinds and labels are as Prometheus has them`(metric: MetricDeclaration) {
    let isWord = { (word: String) in
      word.utf8.first.map { $0 > 0x60 } == true
        && word.utf8.allSatisfy { $0 == 0x5F || ($0 > 0x2F && $0 < 0x3A) || $0 > 0x60 }
    }
    #expect(isWord(metric.name) && metric.labels.allSatisfy(isWord))
    #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter))
    #expect(!metric.labels.contains("le") && Set(metric.labels).count == metric.labels.count)
    #expect(metric.help.hasSuffix(".") && !metric.help.contains("|") && !metric.help.contains("\n"))
    #expect(metric.bounds.isEmpty == (metric.kind != .histogram))
  }

  @Test func `no name is declared twice`() {
    #expect(Set(DeclaredMetrics.all.map(\.name)).count == DeclaredMetrics.all.count)
    // As OpenMetrics has them: a counter's family has no _total, and must not meet a gauge of that name.
    let families = DeclaredMetrics.all.map { $0.name.hasSuffix("_total") ? String($0.name.dropLast(6)) : $0.name }
    #expect(Set(families).count == families.count)
  }
}
