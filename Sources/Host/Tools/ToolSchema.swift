import JSON

/// The JSON Schema of a tool's arguments, as far as the host checks it (provider_abi.h, prv.tools/1): type, properties,
/// required, additionalProperties, items, enum, and the bounds of numbers, strings and arrays. Other keywords are left
/// to the plugin.
struct ToolSchema: Sendable, Equatable {
  enum Kind: String, Sendable, CaseIterable {
    case null, boolean, integer, number, string, array, object
  }

  private(set) var kinds: [Kind] = []
  private(set) var properties: [Property] = []
  private(set) var required: [String] = []
  private(set) var refusesOthers = false
  /// One, or none: of a struct in itself the compiler wants an array.
  private var items: [ToolSchema] = []
  private var choices: [JSONValue] = []
  private var minimum: Double?
  private var maximum: Double?
  private var characters: Bounds = .init()
  private var elements: Bounds = .init()

  struct Property: Sendable, Equatable {
    var name: String
    var schema: ToolSchema
  }

  private struct Bounds: Sendable, Equatable {
    var least: Int64?
    var most: Int64?

    func contains(_ count: Int) -> Bool { (least ?? 0) <= Int64(count) && Int64(count) <= most ?? .max }

    func rule(_ unit: String, _ count: Int) -> String {
      switch (least, most) {
      case (let least?, let most?): "must have \(least) to \(most) \(unit), got \(count)"
      case (let least?, nil): "must have at least \(least) \(unit), got \(count)"
      default: "must have at most \(most ?? .max) \(unit), got \(count)"
      }
    }
  }

  subscript(_ property: String) -> ToolSchema? { properties.first { $0.name == property }?.schema }

  // MARK: - Reading

  /// Why a schema cannot be used: where, what was found, what was expected.
  struct Fault: Error, Equatable {
    var reason: String
  }

  static func json(_ text: String) throws(Fault) -> JSONValue {
    do throws(JSONError) {
      return try JSONValue(parsing: text)
    } catch {
      throw Fault(reason: "it is not JSON: \(error.reason) at byte \(error.offset)")
    }
  }

  /// The schema of a whole tool: it must be of an object.
  init(_ json: JSONValue) throws(Fault) {
    try self.init(json, at: "")
    guard kinds == [.object] else { throw Fault(reason: "it must have \"type\": \"object\"") }
  }

  private init(_ json: JSONValue, at place: String) throws(Fault) {
    guard json.members != nil else { throw Fault(reason: "\(Self.name(place)) must be an object, got \(json.text)") }
    kinds = try Self.kinds(json["type"], at: place)
    for member in json["properties"]?.members ?? [] {
      properties.append(Property(name: member.key, schema: try ToolSchema(member.value, at: "\(place).\(member.key)")))
    }
    required = json["required"]?.array?.compactMap(\.string) ?? []
    refusesOthers = json["additionalProperties"] == .bool(false)
    if let schema = json["items"] { items = [try ToolSchema(schema, at: "\(place)[]")] }
    choices = json["enum"]?.array ?? []
    minimum = json["minimum"]?.double
    maximum = json["maximum"]?.double
    characters = Bounds(least: json["minLength"]?.integer, most: json["maxLength"]?.integer)
    elements = Bounds(least: json["minItems"]?.integer, most: json["maxItems"]?.integer)
  }

  private static func kinds(_ json: JSONValue?, at place: String) throws(Fault) -> [Kind] {
    guard let json else { return [] }
    var kinds: [Kind] = []
    for word in json.array ?? [json] {
      guard let kind = word.string.flatMap(Kind.init) else {
        throw Fault(
          reason: "\(name(place)) has the type \(word.text), expected one of "
            + Kind.allCases.map(\.rawValue).joined(separator: ", "))
      }
      kinds.append(kind)
    }
    return kinds
  }

  private static func name(_ place: String) -> String { place.isEmpty ? "it" : String(place.dropFirst()) }

  // MARK: - Checking

  /// - Parameter field: how a message names the value: `filters[0].name`.
  func check(_ value: JSONView, _ field: String) throws(CallError) {
    try checkKind(value, field)
    if !choices.isEmpty, !choices.contains(JSONValue(value)) {
      let known = choices.map(\.text).joined(separator: ", ")
      throw Self.fault(field, "must be one of \(known), got \(Self.shown(value))", value)
    }
    switch value.kind {
    case .number: try checkNumber(value, field)
    case .string:
      let count = value.characterCount ?? 0
      guard characters.contains(count) else { throw Self.fault(field, characters.rule("characters", count), value) }
    case .array: try checkElements(value, field)
    case .object: try checkMembers(value, field)
    case .null, .bool: break
    }
  }

  /// That everything required is among `given`.
  func checkRequired(_ given: [String], _ field: String) throws(CallError) {
    guard let missing = required.first(where: { !given.contains($0) }) else { return }
    throw .invalid(field.isEmpty ? missing : "\(field).\(missing)", "is required", found: "")
  }

  /// One member of an object.
  func checkMember(_ key: JSONView, _ value: JSONView, _ field: String) throws(CallError) {
    let name = key.string() ?? ""
    let place = field.isEmpty ? name : "\(field).\(name)"
    if let schema = self[name] { return try schema.check(value, place) }
    guard refusesOthers else { return }
    let known = properties.map(\.name).joined(separator: ", ")
    throw Self.fault(CallError.shortened(place), "is not known here; known: \(known)", value)
  }

  private func checkMembers(_ value: JSONView, _ field: String) throws(CallError) {
    var given: [String] = []
    for (key, member) in value.members() {
      try checkMember(key, member, field)
      if !required.isEmpty { given.append(key.string() ?? "") }
    }
    try checkRequired(given, field)
  }

  private func checkElements(_ value: JSONView, _ field: String) throws(CallError) {
    var count = 0
    for element in value.elements() {
      try items.first?.check(element, "\(field)[\(count)]")
      count += 1
    }
    guard elements.contains(count) else { throw Self.fault(field, elements.rule("entries", count), value) }
  }

  private func checkNumber(_ value: JSONView, _ field: String) throws(CallError) {
    guard let number = value.double() else { throw Self.fault(field, "must be a number that can be held", value) }
    if let minimum, number < minimum {
      throw Self.fault(field, "must be at least \(Self.words(minimum)), got \(Self.shown(value))", value)
    }
    if let maximum, number > maximum {
      throw Self.fault(field, "must be at most \(Self.words(maximum)), got \(Self.shown(value))", value)
    }
  }

  private func checkKind(_ value: JSONView, _ field: String) throws(CallError) {
    let fits = kinds.contains { kind in
      switch (kind, value.kind) {
      case (.null, .null), (.boolean, .bool), (.number, .number), (.string, .string), (.array, .array),
        (.object, .object):
        true
      case (.integer, .number): value.int() != nil
      default: false
      }
    }
    guard kinds.isEmpty || fits else {
      let expected = kinds.map(\.rawValue).joined(separator: " or ")
      let found = value.kind == .number ? Self.shown(value) : "\(value.kind)"
      throw Self.fault(field, "must be of type \(expected), got \(found)", value)
    }
  }

  // MARK: - Words

  private static func fault(_ field: String, _ rule: String, _ value: JSONView) -> CallError {
    .invalid(field, rule, found: shown(value))
  }

  private static func shown(_ value: JSONView) -> String {
    CallError.shortened(String(decoding: value.bytes.prefix(400), as: UTF8.self))
  }

  private static func words(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
  }
}
