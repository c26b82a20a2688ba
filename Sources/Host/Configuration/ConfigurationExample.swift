/// Writes `patchbay.example.json5` from the schema: every setting with its default, unit, bounds and reason.
package enum ConfigurationExample {
  private static let columns = 116

  /// Where a line stands: `margin`, then a comment sign inside what is commented out, then `inset`.
  private struct Place {
    var margin: String
    var inset = ""
    var isHidden = false

    var deeper: Place {
      var copy = self
      if isHidden { copy.inset += "  " } else { copy.margin += "  " }
      return copy
    }

    func line(_ content: String) -> String { margin + (isHidden ? "// " : "") + inset + content }
  }

  package static var text: String {
    var lines = head
    lines.append("{")
    for (index, setting) in ConfigurationSchema.settings.enumerated() {
      if index > 0 { lines.append("") }
      lines += self.lines(setting.facts, at: Place(margin: "  "))
    }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  private static let head = [
    "// The configuration of Patchbay: every setting with its default. Copy it to patchbay.json5 and keep what you change;",
    "// `patchbay check` says what is wrong with it.",
    "//",
    "// What is commented out is absent by default, follows from other settings, or has no effect in this version.",
    "// Seconds have at most three digits after the point. Relative paths stand beside the file. A secret is written",
    "// \"env:NAME\" (an environment variable) or \"file:/path\" (a file that holds it alone).",
  ]

  private static func lines(_ facts: SettingFacts, at place: Place) -> [String] {
    var lines = comment(described(facts), at: place)
    // A default that is not empty shows; of the lists only that of the listeners is none.
    let hasDefault =
      switch facts.shape {
      case .value: facts.standard != nil
      case .object: facts.sample.isEmpty
      case .list: facts.key == "listeners"
      }
    var own = place
    own.isHidden = place.isHidden || !facts.isInForce || facts.isDerived || !hasDefault
    switch facts.shape {
    case .value:
      lines.append(own.line("\(facts.key): \(facts.standard ?? facts.sample.joined()),"))
    case .object(let children) where facts.sample.isEmpty:
      lines.append(own.line("\(facts.key): {"))
      for child in children { lines += self.lines(child, at: own.deeper) }
      lines.append(own.line("},"))
    case .object:
      lines.append(own.line("\(facts.key): { \(facts.sample.joined()) },"))
    case .list(let children):
      lines += keys(children, at: place, indent: "  ")
      lines.append(own.line("\(facts.key): ["))
      lines += facts.sample.map(own.deeper.line)
      lines.append(own.line("],"))
    }
    return lines
  }

  /// The keys of an element, a comment each.
  private static func keys(_ children: [SettingFacts], at place: Place, indent: String) -> [String] {
    children.flatMap { facts -> [String] in
      var text = "`\(facts.key)`\(facts.isRequired ? ", required" : ""): \(described(facts))"
      if let standard = facts.standard, !facts.isDerived { text += " Default: \(standard)." }
      let lines = comment(text, at: place, indent: indent)
      guard case .object(let inner) = facts.shape else { return lines }
      return lines + keys(inner, at: place, indent: indent + "  ")
    }
  }

  /// Reason, bounds and limitation, a sentence each.
  private static func described(_ facts: SettingFacts) -> String {
    let domain =
      switch (facts.shape, facts.bounds) {
      case (.value, .count(let range)): "\(range.words) \(facts.unit)"
      case (.value, .milliseconds(let range)): "\(ConfigurationReader.words(range)) seconds"
      case (.value, _): facts.expected.prefix(1).uppercased() + facts.expected.dropFirst()
      default: ""
      }
    return [facts.reason, domain.isEmpty ? "" : "\(domain).", facts.limitation].filter { !$0.isEmpty }
      .joined(separator: " ")
  }

  private static func comment(_ text: String, at place: Place, indent: String = "") -> [String] {
    var lines: [String] = []
    var line = indent
    for word in text.split(separator: " ") {
      if line.count > indent.count, place.line("// \(line) \(word)").count > columns {
        lines.append(place.line("// \(line)"))
        line = indent.isEmpty ? "" : indent + "  "
      }
      line += line.allSatisfy { $0 == " " } ? word : " \(word)"
    }
    return lines + [place.line("// \(line)")]
  }
}
