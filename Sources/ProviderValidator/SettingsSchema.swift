internal import JSON

/// The part of JSON Schema that describes a provider's settings: types, bounds, choices, members, items.
///
/// What it does not know (`pattern`, `$ref`, `anyOf`) constrains nothing here.
struct SettingsSchema {
  /// A value of a setting, and why it is right or wrong.
  struct Example {
    var setting: String
    var value: JSONValue
    var meaning: String
  }

  private static let types = ["object", "array", "string", "integer", "number", "boolean", "null"]

  let json: JSONValue

  /// Nil: the text is not a JSON object.
  init?(_ text: String) {
    guard let json = try? JSONValue(parsing: text), json.members != nil else { return nil }
    self.json = json
  }

  /// The settings and their schemas.
  var properties: [JSONValue.Member] { json["properties"]?.members ?? [] }

  /// What is wrong with the schema itself; empty: nothing.
  var faults: [String] {
    var faults = Self.faults(of: json, at: "the schema")
    if json["type"]?.string != "object" { faults.append("the schema's type is not \"object\"") }
    for name in json["required"]?.array ?? [] where !properties.contains(where: { $0.key == name.string }) {
      faults.append("required names \(name.text), which is no property")
    }
    return faults
  }

  // MARK: - Examples

  /// Values that the schema allows: defaults, choices, and each bound.
  var allowed: [Example] {
    properties.flatMap { property -> [Example] in
      var found: [Example] = []
      func add(_ value: JSONValue, _ meaning: String) {
        if Self.fault(of: value, by: property.value) == nil {
          found.append(Example(setting: property.key, value: value, meaning: meaning))
        }
      }
      if let value = property.value["default"] { add(value, "its default") }
      for value in property.value["enum"]?.array ?? [] { add(value, "a choice") }
      if let value = property.value["minimum"] { add(value, "its minimum") }
      if let value = property.value["maximum"] { add(value, "its maximum") }
      return found
    }
  }

  /// Values that the schema forbids: of another type, one beyond each bound, no choice.
  var forbidden: [Example] {
    properties.flatMap { property -> [Example] in
      var found: [Example] = []
      func add(_ value: JSONValue, _ meaning: String) {
        if Self.fault(of: value, by: property.value) != nil {
          found.append(Example(setting: property.key, value: value, meaning: meaning))
        }
      }
      add(.object([.init("a", .integer(1))]), "an object")
      add(.array([.string("a")]), "an array")
      add(.string("x"), "a string")
      add(.integer(-7), "a number")
      add(.bool(true), "a boolean")
      if let bound = property.value["minimum"]?.integer, bound > .min { add(.integer(bound - 1), "one below") }
      if let bound = property.value["maximum"]?.integer, bound < .max { add(.integer(bound + 1), "one above") }
      if property.value["enum"] != nil { add(.string("no choice of this name"), "no choice") }
      return found
    }
  }

  /// An allowed value for each setting that must be there.
  var required: [JSONValue.Member] {
    (json["required"]?.array ?? []).compactMap(\.string).compactMap { name in
      guard let schema = properties.first(where: { $0.key == name })?.value else { return nil }
      let value = allowed.first { $0.setting == name }?.value ?? Self.plain(schema["type"]?.string)
      return JSONValue.Member(name, value)
    }
  }

  private static func plain(_ type: String?) -> JSONValue {
    switch type {
    case "object": .object([])
    case "array": .array([])
    case "integer", "number": .integer(1)
    case "boolean": .bool(true)
    case "null": .null
    default: .string("example")
    }
  }

  // MARK: - Judging

  /// Why `schema` forbids `value`; nil: it does not.
  static func fault(of value: JSONValue, by schema: JSONValue) -> String? {
    if let types = types(of: schema), !types.contains(where: { isOf($0, value) }) {
      return "\(value.text) is not of type \(types.joined(separator: " or "))"
    }
    if let choices = schema["enum"]?.array, !choices.contains(value) { return "\(value.text) is no choice" }
    if let only = schema["const"], only != value { return "\(value.text) is not \(only.text)" }
    if let number = value.double {
      if let bound = schema["minimum"]?.double, number < bound { return "\(value.text) is below the minimum" }
      if let bound = schema["maximum"]?.double, number > bound { return "\(value.text) is above the maximum" }
    }
    if let text = value.string {
      let length = Int64(text.unicodeScalars.count)
      if let bound = schema["minLength"]?.integer, length < bound { return "\(value.text) is too short" }
      if let bound = schema["maxLength"]?.integer, length > bound { return "\(value.text) is too long" }
    }
    if let items = schema["items"], items.members != nil, let elements = value.array {
      for element in elements { if let fault = fault(of: element, by: items) { return fault } }
    }
    for member in value.members ?? [] {
      if let inner = schema["properties"]?[member.key], let fault = fault(of: member.value, by: inner) { return fault }
    }
    return nil
  }

  private static func faults(of schema: JSONValue, at place: String) -> [String] {
    guard schema.members != nil else { return ["\(place) is not an object"] }
    var faults: [String] = []
    if schema["type"] != nil, types(of: schema) == nil { faults.append("\(place) has a type that is not a text") }
    for type in types(of: schema) ?? [] where !types.contains(type) {
      faults.append("\(place) has the unknown type \"\(type)\"")
    }
    if let low = schema["minimum"]?.double, let high = schema["maximum"]?.double, low > high {
      faults.append("\(place) has a minimum above its maximum")
    }
    if let choices = schema["enum"], choices.array?.isEmpty ?? true { faults.append("\(place) has no choices in enum") }
    if let value = schema["default"], let fault = fault(of: value, by: schema) {
      faults.append("the default of \(place) breaks it: \(fault)")
    }
    if let properties = schema["properties"] {
      guard let members = properties.members else { return faults + ["\(place) has properties that are no object"] }
      for member in members { faults += Self.faults(of: member.value, at: "\"\(member.key)\"") }
    }
    if let items = schema["items"], items.bool == nil { faults += Self.faults(of: items, at: "the items of \(place)") }
    return faults
  }

  private static func types(of schema: JSONValue) -> [String]? {
    if let type = schema["type"]?.string { return [type] }
    guard let list = schema["type"]?.array else { return nil }
    let names = list.compactMap(\.string)
    return names.count == list.count ? names : nil
  }

  private static func isOf(_ type: String, _ value: JSONValue) -> Bool {
    switch type {
    case "object": value.members != nil
    case "array": value.array != nil
    case "string": value.string != nil
    case "integer": value.integer != nil
    case "number": value.double != nil
    case "boolean": value.bool != nil
    case "null": value == .null
    default: true
    }
  }
}
