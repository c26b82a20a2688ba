import Testing

@testable import Host

/// Every bound of the schema at −1, at and +1; the cases come from the table itself.
@Suite struct ConfigurationBoundsTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var path: String
    var value: String
    var document: String
    var isWithin: Bool
    var testDescription: String { "\(path): \(value.prefix(30)) is \(isWithin ? "within" : "beyond") its bounds" }
  }

  /// What an element needs beside the setting under test.
  private static let needed: [String: [(key: String, value: String)]] = [
    "listeners": [("address", "'127.0.0.1:0'")],
    "principals": [("name", "'a'"), ("token", "'0123456789abcdef'")],
    "providers": [("id", "'a'")],
    "fallback": [("from", "'a'"), ("to", "['b']")],
    "principal": [("burst", "1"), ("per_second", "1")], "address": [("burst", "1"), ("per_second", "1")],
    "global": [("burst", "1"), ("per_second", "1")],
  ]

  static let cases: [Case] = cases(
    ConfigurationSchema.settings.map(\.facts) as [SettingFacts], path: "", of: "", in: { $0 })

  private static func cases(
    _ settings: [SettingFacts], path: String, of owner: String, in document: (String) -> String
  ) -> [Case] {
    settings.flatMap { facts -> [Case] in
      let settingPath = path.isEmpty ? facts.key : "\(path).\(facts.key)"
      let siblings = (needed[owner] ?? []).filter { $0.key != facts.key }.map { "\($0.key): \($0.value), " }.joined()
      func place(_ value: String) -> String { document("{ \(siblings)\(facts.key): \(value) }") }
      let own = values(facts).map { value, isWithin in
        Case(path: settingPath, value: value, document: place(value), isWithin: isWithin)
      }
      switch facts.shape {
      case .value: return own
      case .object(let children):
        return own + cases(children, path: settingPath, of: facts.key, in: place)
      case .list(let children):
        return own + cases(children, path: settingPath + "[0]", of: facts.key) { place("[\($0)]") }
      }
    }
  }

  private static func values(_ facts: SettingFacts) -> [(String, Bool)] {
    switch facts.bounds {
    case nil: return []
    case .count(let range):
      return [
        ("\(range.lowerBound - 1)", false), ("\(range.lowerBound)", true), ("\(range.lowerBound + 1)", true),
        ("\(range.upperBound - 1)", true), ("\(range.upperBound)", true), ("\(range.upperBound + 1)", false),
      ]
    case .milliseconds(let range):
      let below = range.lowerBound == 0 ? "-0.001" : ConfigurationReader.seconds(range.lowerBound - 1)
      let beyond = (below, false)
      return [beyond]
        + [
          (range.lowerBound, true), (range.lowerBound + 1, true), (range.upperBound - 1, true),
          (range.upperBound, true), (range.upperBound + 1, false),
        ]
        .map { (ConfigurationReader.seconds($0.0), $0.1) }
    case .characters(let range):
      return counts(range).map { ("'" + String(repeating: "ä", count: $0.0) + "'", $0.1) }
    case .entries(let range):
      let element = if case .list = facts.shape { "{}," } else { "'a'," }
      return counts(range).map { ("[" + String(repeating: element, count: $0.0) + "]", $0.1) }
    }
  }

  private static func counts(_ range: ClosedRange<Int>) -> [(Int, Bool)] {
    [(range.lowerBound - 1, false), (range.lowerBound, true), (range.upperBound, true), (range.upperBound + 1, false)]
      .filter { $0.0 >= 0 }
  }

  @Test func `the table has bounds to try`() {
    #expect(Set(Self.cases.map(\.path)).count > 60)
  }

  @Test(arguments: cases)
  func `a bound holds at −1, at and +1`(bound: Case) {
    let errors = ConfigurationReading.errors(bound.document)
    let isBeyond = errors.contains { $0.path == bound.path && $0.kind == .outOfRange }
    #expect(isBeyond == !bound.isWithin, "\(errors)")
    #expect(errors.allSatisfy { $0.kind != .unknownKey }, "\(errors)")
  }
}
