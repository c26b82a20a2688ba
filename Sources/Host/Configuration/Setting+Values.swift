internal import JSON

/// The kinds of single values.
extension Setting {
  static func count(
    _ key: String, _ keyPath: any WritableKeyPath<Root, Int> & Sendable, _ range: ClosedRange<Int>, unit: String,
    _ reason: String
  ) -> Setting {
    let facts = Self.countFacts(key, range, unit, reason, standard: "\(Root.blank[keyPath: keyPath])")
    return Setting(facts) { reader, node, path, root in
      if let count = reader.count(node, path, facts, range) { root[keyPath: keyPath] = count }
    }.showing { "\($0[keyPath: keyPath])" }.viewed { .integer(Int64($0[keyPath: keyPath])) }
  }

  /// A count that is absent by default.
  static func count(
    _ key: String, _ keyPath: any WritableKeyPath<Root, Int?> & Sendable, _ range: ClosedRange<Int>, unit: String,
    _ reason: String
  ) -> Setting {
    let facts = Self.countFacts(key, range, unit, reason, standard: nil)
    return Setting(facts) { reader, node, path, root in
      if let count = reader.count(node, path, facts, range) { root[keyPath: keyPath] = count }
    }.showing { $0[keyPath: keyPath].map { "\($0)" } }
      .viewed { $0[keyPath: keyPath].map { .integer(Int64($0)) } }
  }

  private static func countFacts(
    _ key: String, _ range: ClosedRange<Int>, _ unit: String, _ reason: String, standard: String?
  ) -> SettingFacts {
    SettingFacts(
      key: key, expected: "a whole number of \(unit) from \(range.words)", bounds: .count(range), unit: unit,
      reason: reason, standard: standard)
  }

  /// A duration: seconds in the file, with up to three digits after the point, milliseconds in `Root`.
  static func seconds(
    _ key: String, _ keyPath: any WritableKeyPath<Root, UInt64> & Sendable, _ range: ClosedRange<UInt64>,
    _ reason: String
  ) -> Setting {
    let facts = SettingFacts(
      key: key, expected: "a number of seconds from \(ConfigurationReader.words(range))", bounds: .milliseconds(range),
      unit: "seconds",
      reason: reason, standard: ConfigurationReader.seconds(Root.blank[keyPath: keyPath]))
    return Setting(facts) { reader, node, path, root in
      if let milliseconds = reader.milliseconds(node, path, facts, range) { root[keyPath: keyPath] = milliseconds }
    }.showing { ConfigurationReader.seconds($0[keyPath: keyPath]) }
      .viewed { .double(Double($0[keyPath: keyPath]) / 1000) }
  }

  static func flag(_ key: String, _ keyPath: any WritableKeyPath<Root, Bool> & Sendable, _ reason: String) -> Setting {
    let facts = SettingFacts(
      key: key, expected: "true or false", reason: reason, standard: "\(Root.blank[keyPath: keyPath])")
    return Setting(facts) { reader, node, path, root in
      guard case .bool(let flag) = node.value else {
        reader.report(wrongType: node, path, expected: facts.expected)
        return
      }
      root[keyPath: keyPath] = flag
    }.showing { "\($0[keyPath: keyPath])" }.viewed { .bool($0[keyPath: keyPath]) }
  }

  /// One of some words.
  static func choice<Value: Equatable & Sendable>(
    _ key: String, _ keyPath: any WritableKeyPath<Root, Value> & Sendable, _ choices: [(name: String, value: Value)],
    _ reason: String
  ) -> Setting {
    let standard = choices.first { $0.value == Root.blank[keyPath: keyPath] }
    let facts = SettingFacts(
      key: key, expected: ConfigurationReader.words(choices.map(\.name)), reason: reason,
      standard: standard.map { "\"\($0.name)\"" })
    return Setting(facts) { reader, node, path, root in
      if let index = reader.choice(node, path, choices.map(\.name)) { root[keyPath: keyPath] = choices[index].value }
    }.showing { root in choices.first { $0.value == root[keyPath: keyPath] }?.name }
      .viewed { root in choices.first { $0.value == root[keyPath: keyPath] }.map { .string($0.name) } }
  }

  static func text(
    _ key: String, _ keyPath: any WritableKeyPath<Root, String> & Sendable, _ characters: ClosedRange<Int>,
    _ format: TextFormat, _ reason: String
  ) -> Setting {
    let facts = Self.textFacts(
      key, characters, format, reason, standard: ConfigurationReader.quoted(Root.blank[keyPath: keyPath]))
    return Setting(facts) { reader, node, path, root in
      if let text = reader.text(node, path, facts.expected, characters, format) { root[keyPath: keyPath] = text }
    }.showing { ConfigurationReader.quoted($0[keyPath: keyPath]) }.viewed { .string($0[keyPath: keyPath]) }
  }

  /// A text that is absent by default.
  static func text(
    _ key: String, _ keyPath: any WritableKeyPath<Root, String?> & Sendable, _ characters: ClosedRange<Int>,
    _ format: TextFormat, _ reason: String
  ) -> Setting {
    let facts = Self.textFacts(key, characters, format, reason, standard: nil)
    return Setting(facts) { reader, node, path, root in
      if let text = reader.text(node, path, facts.expected, characters, format) { root[keyPath: keyPath] = text }
    }.showing { $0[keyPath: keyPath].map(ConfigurationReader.quoted) }
      .viewed { $0[keyPath: keyPath].map(JSONValue.string) }
  }

  private static func textFacts(
    _ key: String, _ characters: ClosedRange<Int>, _ format: TextFormat, _ reason: String, standard: String?
  ) -> SettingFacts {
    SettingFacts(
      key: key, expected: "\(format.expected), \(characters.words) characters", bounds: .characters(characters),
      reason: reason, standard: standard)
  }

  /// An array of texts.
  static func texts(
    _ key: String, _ keyPath: any WritableKeyPath<Root, [String]> & Sendable, _ entries: ClosedRange<Int>,
    characters: ClosedRange<Int>, _ format: TextFormat, _ reason: String
  ) -> Setting {
    let each = "\(format.expected), \(characters.words) characters"
    let facts = SettingFacts(
      key: key, expected: "an array of \(entries.words) texts", bounds: .entries(entries), reason: reason,
      standard: "[" + Root.blank[keyPath: keyPath].map(ConfigurationReader.quoted).joined(separator: ", ") + "]")
    return Setting(facts) { reader, node, path, root in
      guard let elements = reader.elements(node, path, facts) else { return }
      root[keyPath: keyPath] = elements.compactMap { node, path in
        reader.text(node, path, each, characters, format)
      }
    }.showing { "[" + $0[keyPath: keyPath].map(ConfigurationReader.quoted).joined(separator: ", ") + "]" }
      .viewed { .array($0[keyPath: keyPath].map(JSONValue.string)) }
  }

  /// A token or key of at least `characters` characters.
  static func secret(
    _ key: String, _ store: @escaping @Sendable (inout Root, Secret) -> Void,
    _ load: @escaping @Sendable (Root) -> Secret?, characters: Int, _ reason: String
  ) -> Setting {
    let facts = SettingFacts(
      key: key, expected: "\"env:NAME\" or \"file:/path\" of a secret of at least \(characters) characters",
      reason: reason)
    var setting = Setting(facts) { reader, node, path, root in
      if let secret = reader.secret(node, path, characters: characters) { store(&root, secret) }
    }
    setting.show = { root, path in
      let secret = load(root)
      return [ShownSetting(path: path, value: secret == nil ? nil : "a secret", secret: secret)]
    }
    setting.view = { load($0) == nil ? nil : ConfigurationView.hidden }
    return setting
  }
}

extension ConfigurationReader {
  /// "0.1 to 3,600": milliseconds as seconds.
  static func words(_ range: ClosedRange<UInt64>) -> String {
    func grouped(_ milliseconds: UInt64) -> String {
      milliseconds.isMultiple(of: 1000) ? Self.grouped(Int64(milliseconds / 1000)) : seconds(milliseconds)
    }
    return "\(grouped(range.lowerBound)) to \(grouped(range.upperBound))"
  }

  /// "a, b or c", each in quotes.
  static func words(_ names: [String]) -> String {
    let quoted = names.map { "\"\($0)\"" }
    guard quoted.count > 1 else { return quoted.joined() }
    return quoted.dropLast().joined(separator: ", ") + " or " + quoted[quoted.count - 1]
  }

  mutating func count(_ node: JSON5Node, _ path: String, _ facts: SettingFacts, _ range: ClosedRange<Int>) -> Int? {
    guard case .number(let double, let integer) = node.value else {
      report(wrongType: node, path, expected: facts.expected)
      return nil
    }
    guard let integer else {
      let isFraction = double.isFinite && double.rounded() != double
      report(
        isFraction ? .wrongType : .outOfRange, path, found: node.described, expected: facts.expected, line: node.line)
      return nil
    }
    guard range.contains(Int(integer)) else {
      report(.outOfRange, path, found: node.described, expected: facts.expected, line: node.line)
      return nil
    }
    return Int(integer)
  }

  mutating func milliseconds(
    _ node: JSON5Node, _ path: String, _ facts: SettingFacts, _ range: ClosedRange<UInt64>
  ) -> UInt64? {
    guard case .number(let seconds, _) = node.value else {
      report(wrongType: node, path, expected: facts.expected)
      return nil
    }
    let exact = seconds * 1000
    // Bounds first: the conversion would trap on what no UInt64 holds.
    guard exact > Double(range.lowerBound) - 0.5, exact < Double(range.upperBound) + 0.5 else {
      report(.outOfRange, path, found: node.described, expected: facts.expected, line: node.line)
      return nil
    }
    let milliseconds = UInt64(exact.rounded())
    guard abs(exact - exact.rounded()) < 1e-4 else {
      report(
        .malformed, path, found: node.described, expected: "at most three digits after the point", line: node.line)
      return nil
    }
    return milliseconds
  }

  mutating func choice(_ node: JSON5Node, _ path: String, _ names: [String]) -> Int? {
    guard case .string(let word) = node.value else {
      report(wrongType: node, path, expected: Self.words(names))
      return nil
    }
    guard let index = names.firstIndex(of: word) else {
      let near = NearName.closest(to: word, among: names)
      report(
        .malformed, path, found: node.described, expected: Self.words(names),
        remedy: near.map { "did you mean \"\($0)\"?" } ?? "", line: node.line)
      return nil
    }
    return index
  }

  mutating func text(
    _ node: JSON5Node, _ path: String, _ expected: String, _ characters: ClosedRange<Int>, _ format: TextFormat
  ) -> String? {
    guard case .string(let text) = node.value else {
      report(wrongType: node, path, expected: expected)
      return nil
    }
    let count = text.unicodeScalars.count
    guard characters.contains(count) else {
      report(.outOfRange, path, found: "\(count) characters", expected: expected, line: node.line)
      return nil
    }
    guard format.accepts(text) else {
      report(
        .malformed, path, found: format.hidesValue ? "another text" : node.described, expected: expected,
        line: node.line)
      return nil
    }
    return text
  }
}
