/// The grammar of JSON5 over a cursor; recursion is bounded by `JSON5.depthLimit`.
struct JSON5Parser {
  private var cursor: JSON5Cursor
  private var depth = 0

  init(_ text: UnsafeRawBufferPointer) throws(JSON5Error) { cursor = try JSON5Cursor(text) }

  mutating func document() throws(JSON5Error) -> JSON5Node {
    try skipSpace()
    let node = try value()
    try skipSpace()
    guard cursor.current == nil else { throw cursor.unexpected(expected: "the end of the text") }
    return node
  }

  // MARK: Values

  private mutating func value() throws(JSON5Error) -> JSON5Node {
    let start = cursor.location
    let value: JSON5Node.Value
    switch cursor.current {
    case "{": value = .object(try members())
    case "[": value = .array(try elements())
    case "\"", "'": value = .string(try string())
    case "+", "-", ".": value = try number()
    case let scalar? where scalar.isDecimalDigit: value = try number()
    case let scalar? where scalar.startsJSON5Identifier: value = try word()
    default: throw cursor.unexpected(expected: "a value")
    }
    return JSON5Node(value: value, line: start.line, column: start.column)
  }

  private mutating func word() throws(JSON5Error) -> JSON5Node.Value {
    let start = cursor.location
    let name = try identifier()
    switch name {
    case "null": return .null
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "Infinity": return .number(.infinity, integer: nil)
    case "NaN": return .number(.nan, integer: nil)
    default:
      throw cursor.failure("found the word \(name.prefix(40)), expected a value; text stands in quotes", at: start)
    }
  }

  private mutating func elements() throws(JSON5Error) -> [JSON5Node] {
    try open()
    var elements: [JSON5Node] = []
    while true {
      try skipSpace()
      if try close("]") { return elements }
      elements.append(try value())
      try skipSpace()
      if try cursor.take(",") { continue }
      if try close("]") { return elements }
      throw cursor.unexpected(expected: "',' or ']'")
    }
  }

  private mutating func members() throws(JSON5Error) -> [JSON5Node.Member] {
    try open()
    var members: [JSON5Node.Member] = []
    var lines: [String: Int] = [:]
    while true {
      try skipSpace()
      if try close("}") { return members }
      let start = cursor.location
      let key = try key()
      if let line = lines.updateValue(start.line, forKey: key) {
        let shown = String(key.unicodeScalars.prefix(80).map(\.described).joined())
        throw cursor.failure("found the key \(shown) again, expected it once; line \(line) has it", at: start)
      }
      try skipSpace()
      guard try cursor.take(":") else { throw cursor.unexpected(expected: "':' after the key") }
      try skipSpace()
      members.append(.init(key: key, line: start.line, column: start.column, node: try value()))
      try skipSpace()
      if try cursor.take(",") { continue }
      if try close("}") { return members }
      throw cursor.unexpected(expected: "',' or '}'")
    }
  }

  private mutating func open() throws(JSON5Error) {
    guard depth < JSON5.depthLimit else {
      throw cursor.failure(
        "found more than \(JSON5.depthLimit) arrays and objects in each other, expected at most that many",
        at: cursor.location)
    }
    depth += 1
    try cursor.advance()
  }

  private mutating func close(_ bracket: Unicode.Scalar) throws(JSON5Error) -> Bool {
    guard try cursor.take(bracket) else { return false }
    depth -= 1
    return true
  }

  // MARK: Names

  private mutating func key() throws(JSON5Error) -> String {
    switch cursor.current {
    case "\"", "'": return try string()
    case "\\": return try identifier()
    case let scalar? where scalar.startsJSON5Identifier: return try identifier()
    default: throw cursor.unexpected(expected: "a key or '}'")
    }
  }

  private mutating func identifier() throws(JSON5Error) -> String {
    var name = String.UnicodeScalarView()
    while let scalar = cursor.current {
      let start = cursor.location
      if scalar == "\\" {
        try cursor.advance()
        guard try cursor.take("u") else { throw cursor.unexpected(expected: "'u' and four hexadecimal digits") }
        let escaped = Unicode.Scalar(try hexadecimal(digits: 4))
        guard let escaped, name.isEmpty ? escaped.startsJSON5Identifier : escaped.continuesJSON5Identifier else {
          throw cursor.failure("found an escape of a character that no key without quotes has", at: start)
        }
        name.append(escaped)
      } else if name.isEmpty ? scalar.startsJSON5Identifier : scalar.continuesJSON5Identifier {
        name.append(scalar)
        try cursor.advance()
      } else {
        break
      }
    }
    return String(name)
  }

  // MARK: Strings

  private mutating func string() throws(JSON5Error) -> String {
    let start = cursor.location
    let quote = cursor.current
    try cursor.advance()
    var content = String.UnicodeScalarView()
    while let scalar = cursor.current {
      switch scalar {
      case quote:
        try cursor.advance()
        return String(content)
      case "\\":
        if let escaped = try escape() { content.append(escaped) }
      case "\n", "\r":
        throw cursor.unexpected(expected: "the end of the string that begins in column \(start.column)")
      default:
        content.append(scalar)
        try cursor.advance()
      }
    }
    throw cursor.failure("found the end of the text, expected the end of the string that begins here", at: start)
  }

  /// The scalar an escape stands for; nil for a continued line.
  private mutating func escape() throws(JSON5Error) -> Unicode.Scalar? {
    let start = cursor.location
    try cursor.advance()
    guard let scalar = cursor.current else { throw cursor.unexpected(expected: "an escaped character") }
    if scalar.isJSON5LineTerminator {
      try cursor.advance()
      if scalar == "\r" { _ = try cursor.take("\n") }
      return nil
    }
    if ("1"..."9").contains(scalar) { throw cursor.unexpected(expected: "an escape; octal ones are not JSON5") }
    try cursor.advance()
    switch scalar {
    case "b": return "\u{08}"
    case "f": return "\u{0C}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "v": return "\u{0B}"
    case "0":
      if cursor.current?.isDecimalDigit == true {
        throw cursor.unexpected(expected: "no digit after \\0; octal escapes are not JSON5")
      }
      return "\0"
    case "x": return Unicode.Scalar(try hexadecimal(digits: 2))
    case "u": return try surrogates(first: try hexadecimal(digits: 4), at: start)
    default: return scalar
    }
  }

  private mutating func surrogates(first: UInt32, at start: JSON5Cursor.Location) throws(JSON5Error) -> Unicode.Scalar {
    if let scalar = Unicode.Scalar(first) { return scalar }
    if first < 0xDC00, try cursor.take("\\"), try cursor.take("u") {
      let second = try hexadecimal(digits: 4)
      if (0xDC00...0xDFFF).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        return scalar
      }
    }
    throw cursor.failure("found half of a surrogate pair, expected both halves", at: start)
  }

  private mutating func hexadecimal(digits: Int) throws(JSON5Error) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<digits {
      guard let digit = cursor.current?.hexadecimalValue else {
        throw cursor.unexpected(expected: "a hexadecimal digit; the escape has \(digits)")
      }
      value = value << 4 | digit
      try cursor.advance()
    }
    return value
  }

  // MARK: Numbers

  private mutating func number() throws(JSON5Error) -> JSON5Node.Value {
    var isNegative = false
    if try cursor.take("-") {
      isNegative = true
    } else {
      _ = try cursor.take("+")
    }
    let magnitude: JSON5Node.Value
    if cursor.current == "I" || cursor.current == "N" {
      magnitude = try word()
    } else {
      magnitude = try digits()
    }
    guard case .number(let double, let integer) = magnitude else {
      throw cursor.unexpected(expected: "a number")
    }
    guard isNegative else { return magnitude }
    return .number(-double, integer: integer.map { 0 - $0 })
  }

  private mutating func digits() throws(JSON5Error) -> JSON5Node.Value {
    if try cursor.take("0") {
      if cursor.current == "x" || cursor.current == "X" { return try hexadecimalNumber() }
      if cursor.current?.isDecimalDigit == true {
        throw cursor.unexpected(expected: "no digit after a leading 0")
      }
      return try decimal("0")
    }
    let whole = try run()
    guard !whole.isEmpty || cursor.current == "." else { throw cursor.unexpected(expected: "a digit") }
    return try decimal(whole)
  }

  /// The rest of a decimal number of which `whole` was read.
  private mutating func decimal(_ whole: String) throws(JSON5Error) -> JSON5Node.Value {
    var literal = whole.isEmpty ? "0" : whole
    var isWhole = true
    if try cursor.take(".") {
      let fraction = try run()
      guard !whole.isEmpty || !fraction.isEmpty else { throw cursor.unexpected(expected: "a digit") }
      literal += fraction.isEmpty ? "" : ".\(fraction)"
      isWhole = false
    }
    if cursor.current == "e" || cursor.current == "E" {
      try cursor.advance()
      literal += "e"
      if try cursor.take("-") {
        literal += "-"
      } else {
        _ = try cursor.take("+")
      }
      let exponent = try run()
      guard !exponent.isEmpty else { throw cursor.unexpected(expected: "a digit of the exponent") }
      literal += exponent
      isWhole = false
    }
    try endNumber()
    let double = Double(literal) ?? .infinity
    return .number(double, integer: isWhole ? Int64(literal) : Self.integer(double))
  }

  private mutating func hexadecimalNumber() throws(JSON5Error) -> JSON5Node.Value {
    try cursor.advance()
    var digits = String.UnicodeScalarView()
    while let scalar = cursor.current, scalar.hexadecimalValue != nil {
      digits.append(scalar)
      try cursor.advance()
    }
    guard !digits.isEmpty else { throw cursor.unexpected(expected: "a hexadecimal digit") }
    try endNumber()
    // Rounded once, as a whole: digit by digit, a long number would be rounded again and again.
    return .number(Double("0x\(digits)") ?? .infinity, integer: Int64(String(digits), radix: 16))
  }

  private mutating func run() throws(JSON5Error) -> String {
    var digits = String.UnicodeScalarView()
    while let digit = cursor.current, digit.isDecimalDigit {
      digits.append(digit)
      try cursor.advance()
    }
    return String(digits)
  }

  private func endNumber() throws(JSON5Error) {
    guard let scalar = cursor.current, scalar == "." || scalar.continuesJSON5Identifier else { return }
    throw cursor.unexpected(expected: "the end of the number")
  }

  /// Doubles hold every whole number up to 2^53.
  private static func integer(_ double: Double) -> Int64? {
    guard double <= 9_007_199_254_740_992, double.rounded() == double else { return nil }
    return Int64(double)
  }

  // MARK: Space

  private mutating func skipSpace() throws(JSON5Error) {
    while let scalar = cursor.current {
      if scalar.isJSON5Space {
        try cursor.advance()
      } else if scalar == "/" {
        try skipComment()
      } else {
        return
      }
    }
  }

  private mutating func skipComment() throws(JSON5Error) {
    let start = cursor.location
    try cursor.advance()
    if try cursor.take("/") {
      while let scalar = cursor.current, !scalar.isJSON5LineTerminator { try cursor.advance() }
      return
    }
    guard try cursor.take("*") else { throw cursor.unexpected(expected: "'/' or '*' of a comment") }
    while cursor.current != nil {
      if try cursor.take("*") {
        if try cursor.take("/") { return }
      } else {
        try cursor.advance()
      }
    }
    throw cursor.failure("found the end of the text, expected the end of the comment that begins here", at: start)
  }
}
