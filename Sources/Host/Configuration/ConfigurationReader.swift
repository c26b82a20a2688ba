internal import JSON

/// Collects what one reading of a configuration finds: every fault, warning and setting without effect.
struct ConfigurationReader {
  /// More faults than this are counted, not shown.
  static let errorLimit = 100

  let file: String?
  let environment: (String) -> String?
  let readFile: (String) -> ConfigurationFile
  private(set) var errors: [ConfigurationError] = []
  private(set) var omittedErrors = 0
  private(set) var warnings: [String] = []
  private(set) var notYetInForce: [String] = []
  /// The line of each key that the file has, by its path.
  private(set) var lines: [String: Int] = [:]

  init(
    file: String?, environment: @escaping (String) -> String?, readFile: @escaping (String) -> ConfigurationFile
  ) {
    self.file = file
    self.environment = environment
    self.readFile = readFile
  }

  func isSet(_ path: String) -> Bool { lines[path] != nil }
  mutating func note(_ path: String, line: Int) { lines[path] = line }
  mutating func warn(_ warning: String) { warnings.append(warning) }
  mutating func noteNotInForce(_ path: String, _ what: String) {
    notYetInForce.append("\(path): \(what) has no effect in this version")
  }

  mutating func report(
    _ kind: ConfigurationError.Kind, _ path: String, found: String, expected: String, remedy: String = "",
    line: Int? = nil
  ) {
    append(
      ConfigurationError(
        kind, path: path, file: file, line: line ?? self.line(of: path), found: found, expected: expected,
        remedy: remedy))
  }

  /// A fault of an environment variable.
  mutating func report(
    _ kind: ConfigurationError.Kind, variable name: String, found: String, expected: String, remedy: String = ""
  ) {
    append(
      ConfigurationError(
        kind, path: name, found: found + " in this environment variable", expected: expected, remedy: remedy))
  }

  mutating func report(wrongType node: JSON5Node, _ path: String, expected: String) {
    report(
      .wrongType, path, found: node.described, expected: expected,
      remedy: node.value == .null ? "leave the key out for its default" : "", line: node.line)
  }

  /// Every fault, and how many more there are.
  var allErrors: [ConfigurationError] {
    guard omittedErrors > 0 else { return errors }
    return errors + [
      ConfigurationError(
        .omitted, path: "", file: file, found: "\(omittedErrors) more faults", expected: "none",
        remedy: "correct those above first")
    ]
  }

  func hasErrors(below path: String) -> Bool { errors.contains { $0.path.hasPrefix(path) } }

  private mutating func append(_ error: ConfigurationError) {
    if errors.count < Self.errorLimit { errors.append(error) } else { omittedErrors += 1 }
  }

  /// A path as the host opens it: relative ones stand beside the file.
  func resolved(_ path: String) -> String {
    guard !path.hasPrefix("/"), let file, let slash = file.lastIndex(of: "/") else { return path }
    let relative = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
    return file[...slash] + relative
  }

  /// A listener's address with the whole path of its socket.
  func resolved(address: String) -> String {
    address.hasPrefix("unix:") ? "unix:" + resolved(String(address.dropFirst(5))) : address
  }

  /// The line of the key, or of the nearest one around it.
  private func line(of path: String) -> Int? {
    var path = path[...]
    while true {
      if let line = lines[String(path)] { return line }
      guard let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { return nil }
      path = path[..<end]
    }
  }
}

extension JSON5Node {
  /// The value as an error shows it. Texts are shortened; secrets are never described by it.
  var described: String {
    switch value {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .number(let double, let integer): integer.map { "\($0)" } ?? JSON5Node.text(of: double)
    case .string(let text): ConfigurationReader.quoted(text)
    case .array: "an array"
    case .object: "an object"
    }
  }

  private static func text(of double: Double) -> String {
    if double.isNaN { return "NaN" }
    if double.isInfinite { return double < 0 ? "-Infinity" : "Infinity" }
    return "\(double)"
  }
}

extension ConfigurationReader {
  /// At most 60 characters of `text`, in quotes, without control characters.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars.prefix(60) {
      let isPlain = scalar.value >= 0x20 && scalar.value != 0x7F && scalar != "\"" && scalar != "\\"
      result += isPlain ? String(scalar) : scalar.escaped(asASCII: true)
    }
    return result + (text.unicodeScalars.count > 60 ? "…\"" : "\"")
  }

  /// "10,000": what people read without counting digits.
  static func grouped(_ number: Int64) -> String {
    let digits = String(number.magnitude)
    var result = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { result += "," }
      result.append(digit)
    }
    return result
  }

  /// "0.75": milliseconds as seconds, exactly.
  static func seconds(_ milliseconds: UInt64) -> String {
    let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    guard rest > 0 else { return "\(whole)" }
    var digits = String(rest + 1000).dropFirst()
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)"
  }
}
