internal import JSON

/// What settings are read into: a value that begins as its defaults.
protocol Configurable: Sendable {
  static var blank: Self { get }
}

/// What is known of a setting beside how to read it; the example file and the tests go by it.
struct SettingFacts: Sendable {
  enum Bounds: Sendable, Equatable {
    case count(ClosedRange<Int>)
    case milliseconds(ClosedRange<UInt64>)
    case characters(ClosedRange<Int>)
    /// How many elements a list has.
    case entries(ClosedRange<Int>)
  }

  enum Shape: Sendable {
    case value
    case object([SettingFacts])
    case list([SettingFacts])
  }

  var key: String
  var shape = Shape.value
  /// "a whole number from 1 to 10,000"; what errors say was expected.
  var expected: String
  var bounds: Bounds?
  /// "seconds"; empty when there is none.
  var unit = ""
  /// Why one would change it, one sentence or two.
  var reason: String
  var isRequired = false
  /// The default as JSON5; nil: absent.
  var standard: String?
  /// What an operator might write where the default is absent; lines of JSON5.
  var sample: [String] = []
  /// Absent, it follows from other settings.
  var isDerived = false
  /// Whether this version acts on the default.
  var isInForce = true
  /// What of it has no effect in this version, a sentence; empty: nothing.
  var limitation = ""
}

/// A setting's value as the log may show it; secrets are told apart, not shown.
struct ShownSetting: Equatable, Sendable {
  var path: String
  /// nil: absent.
  var value: String?
  /// What is compared instead of the value; never shown.
  var secret: Secret?
}

/// One row of the schema: a key, its facts, and how its value gets into `Root`.
struct Setting<Root: Configurable>: Sendable {
  typealias Read = @Sendable (inout ConfigurationReader, JSON5Node, String, inout Root) -> Void

  var facts: SettingFacts
  let read: Read
  /// What of the value that was read has no effect in this version; nil: nothing.
  var limitation: @Sendable (Root) -> String? = { _ in nil }
  /// The values of a root, by their paths below `path`.
  var show: @Sendable (Root, _ path: String) -> [ShownSetting] = { _, _ in [] }

  /// The value of a root as the operator may see it, secrets hidden; nil: absent.
  var view: @Sendable (Root) -> JSONValue? = { _ in nil }

  init(_ facts: SettingFacts, read: @escaping Read) {
    self.facts = facts
    self.read = read
  }

  /// How the value is shown when it changes; nil: absent.
  func showing(_ value: @escaping @Sendable (Root) -> String?) -> Setting {
    var copy = self
    copy.show = { root, path in [ShownSetting(path: path, value: value(root))] }
    return copy
  }

  /// How the value looks in the configuration in force.
  func viewed(_ value: @escaping @Sendable (Root) -> JSONValue?) -> Setting {
    var copy = self
    copy.view = value
    return copy
  }

  func required() -> Setting {
    var copy = self
    copy.facts.isRequired = true
    copy.facts.standard = nil
    return copy
  }

  func sample(_ lines: String...) -> Setting {
    var copy = self
    copy.facts.sample = lines
    return copy
  }

  /// Absent, it follows from other settings: the example shows what it is then.
  func derived() -> Setting {
    var copy = self
    copy.facts.isDerived = true
    return copy
  }

  /// The default differs from machine to machine, so the example cannot show it.
  func machineDependent() -> Setting {
    var copy = self
    copy.facts.standard = nil
    return copy
  }

  /// Accepted, but `what` has no effect in this version, `unless` the value asks for what is done anyway.
  func notInForce(_ what: String, unless isHarmless: @escaping @Sendable (Root) -> Bool = { _ in false }) -> Setting {
    var copy = self
    copy.limitation = { isHarmless($0) ? nil : what }
    copy.facts.isInForce = isHarmless(.blank)
    copy.facts.limitation = "In this version \(what) has no effect."
    return copy
  }
}

// MARK: Objects

extension ConfigurationReader {
  /// Reads the members of an object by their settings; unknown and missing ones are faults.
  mutating func readObject<Root>(_ settings: [Setting<Root>], _ node: JSON5Node, _ path: String, into root: inout Root)
  {
    guard case .object(let members) = node.value else {
      report(wrongType: node, path, expected: "an object")
      return
    }
    for member in members {
      let memberPath = path.isEmpty ? member.key : "\(path).\(member.key)"
      note(memberPath, line: member.line)
      guard let setting = settings.first(where: { $0.facts.key == member.key }) else {
        reportUnknown(member, path, known: settings.map(\.facts.key))
        continue
      }
      setting.read(&self, member.node, memberPath, &root)
      if let what = setting.limitation(root) { noteNotInForce(memberPath, what) }
    }
    for setting in settings where setting.facts.isRequired && node[setting.facts.key] == nil {
      let memberPath = path.isEmpty ? setting.facts.key : "\(path).\(setting.facts.key)"
      report(.missingKey, memberPath, found: "nothing", expected: setting.facts.expected, line: node.line)
    }
  }

  private mutating func reportUnknown(_ member: JSON5Node.Member, _ path: String, known: [String]) {
    let near = NearName.closest(to: member.key, among: known)
    let place = path.isEmpty ? "the top level" : path
    report(
      .unknownKey, path, found: "the unknown key \(Self.quoted(member.key))", expected: "a key of \(place)",
      remedy: near.map { "did you mean \($0)?" } ?? "known are \(known.joined(separator: ", "))", line: member.line)
  }

  /// The elements of an array with their paths; nil and a fault when it is none or has too many or too few.
  mutating func elements(_ node: JSON5Node, _ path: String, _ facts: SettingFacts) -> [(JSON5Node, String)]? {
    guard case .array(let elements) = node.value else {
      report(wrongType: node, path, expected: facts.expected)
      return nil
    }
    if case .entries(let range) = facts.bounds, !range.contains(elements.count) {
      report(.outOfRange, path, found: "\(elements.count) entries", expected: facts.expected, line: node.line)
      return nil
    }
    return elements.enumerated().map { index, element in
      let elementPath = "\(path)[\(index)]"
      note(elementPath, line: element.line)
      return (element, elementPath)
    }
  }
}

extension Setting {
  /// Settings under one key, that belong to the same root.
  static func object(_ key: String, _ reason: String, _ settings: [Setting]) -> Setting {
    let facts = SettingFacts(
      key: key, shape: .object(settings.map(\.facts)), expected: "an object", reason: reason)
    var object = Setting(facts) { reader, node, path, root in reader.readObject(settings, node, path, into: &root) }
    object.show = { root, path in settings.flatMap { $0.show(root, "\(path).\($0.facts.key)") } }
    object.view = { settings.view(of: $0) }
    return object
  }

  /// An object that may be absent.
  static func optional<Element: Configurable>(
    _ key: String, _ keyPath: any WritableKeyPath<Root, Element?> & Sendable, _ reason: String,
    _ settings: [Setting<Element>]
  ) -> Setting {
    let facts = SettingFacts(
      key: key, shape: .object(settings.map(\.facts)), expected: "an object", reason: reason)
    var optional = Setting(facts) { reader, node, path, root in
      var element = Element.blank
      reader.readObject(settings, node, path, into: &element)
      root[keyPath: keyPath] = element
    }
    optional.show = { root, path in
      guard let element = root[keyPath: keyPath] else { return [] }
      return settings.flatMap { $0.show(element, "\(path).\($0.facts.key)") }
    }
    optional.view = { root in root[keyPath: keyPath].map { settings.view(of: $0) } }
    return optional
  }

  /// An array of objects.
  static func list<Element: Configurable>(
    _ key: String, _ keyPath: any WritableKeyPath<Root, [Element]> & Sendable, _ entries: ClosedRange<Int>,
    _ reason: String, _ settings: [Setting<Element>]
  ) -> Setting {
    let facts = SettingFacts(
      key: key, shape: .list(settings.map(\.facts)), expected: "an array of \(entries.words) objects",
      bounds: .entries(entries), reason: reason)
    var list = Setting(facts) { reader, node, path, root in
      guard let elements = reader.elements(node, path, facts) else { return }
      root[keyPath: keyPath] = elements.map { node, path in
        var element = Element.blank
        reader.readObject(settings, node, path, into: &element)
        return element
      }
    }
    list.show = { root, path in
      root[keyPath: keyPath].enumerated().flatMap { index, element in
        settings.flatMap { $0.show(element, "\(path)[\(index)].\($0.facts.key)") }
      }
    }
    list.view = { root in .array(root[keyPath: keyPath].map { settings.view(of: $0) }) }
    return list
  }
}

extension ClosedRange<Int> {
  /// "1 to 10,000".
  var words: String {
    "\(ConfigurationReader.grouped(Int64(lowerBound))) to \(ConfigurationReader.grouped(Int64(upperBound)))"
  }
}
