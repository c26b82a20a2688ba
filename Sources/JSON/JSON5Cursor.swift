/// Walks over the scalars of a text, checking its UTF-8 on the way and counting lines and columns.
struct JSON5Cursor {
  struct Location: Equatable {
    var line: Int
    var column: Int
  }

  /// The scalar at the cursor; nil at the end.
  private(set) var current: Unicode.Scalar?
  private(set) var location = Location(line: 1, column: 1)
  private let text: UnsafeRawBufferPointer
  private var offset = 0
  private var currentBytes = 0

  init(_ text: UnsafeRawBufferPointer) throws(JSON5Error) {
    self.text = text
    try decode()
  }

  /// Steps over the current scalar. CR LF counts as one line terminator.
  mutating func advance() throws(JSON5Error) {
    guard let scalar = current else { return }
    offset += currentBytes
    let endsLine = scalar.isJSON5LineTerminator && !(scalar == "\r" && offset < text.count && text[offset] == 0x0A)
    if endsLine {
      location = Location(line: location.line + 1, column: 1)
    } else {
      location.column += 1
    }
    try decode()
  }

  /// Steps over `scalar` when it is the current one.
  mutating func take(_ scalar: Unicode.Scalar) throws(JSON5Error) -> Bool {
    guard current == scalar else { return false }
    try advance()
    return true
  }

  /// An error at the cursor that names what stands there.
  func unexpected(expected: String) -> JSON5Error {
    failure("found \(described), expected \(expected)", at: location)
  }

  func failure(_ reason: String, at location: Location) -> JSON5Error {
    JSON5Error(line: location.line, column: location.column, reason: reason)
  }

  private var described: String {
    guard let current else { return "the end of the text" }
    if current.isJSON5LineTerminator { return "the end of the line" }
    return current.isVisible ? "'\(current)'" : "the character \(current.described)"
  }

  private mutating func decode() throws(JSON5Error) {
    guard offset < text.count else {
      current = nil
      currentBytes = 0
      return
    }
    var iterator = text[offset..<min(offset + 4, text.count)].makeIterator()
    var decoder = Unicode.UTF8()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator) else {
      throw failure("found bytes that are not UTF-8, expected UTF-8 text", at: location)
    }
    current = scalar
    currentBytes = UTF8.width(scalar)
  }
}

extension Unicode.Scalar {
  /// Whether it can stand in a message as it is: it ends no line and moves no cursor.
  var isVisible: Bool {
    value >= 0x20 && value != 0x7F && !isJSON5LineTerminator && properties.generalCategory != .control
      && properties.generalCategory != .format
  }

  /// For a message.
  var described: String { isVisible ? "\(self)" : "U+\(String(value, radix: 16, uppercase: true))" }

  var isJSON5LineTerminator: Bool {
    self == "\n" || self == "\r" || self == "\u{2028}" || self == "\u{2029}"
  }

  /// White space and line terminators (ECMAScript 5.1 §7.2, §7.3).
  var isJSON5Space: Bool {
    switch self {
    case " ", "\t", "\u{0B}", "\u{0C}", "\u{A0}", "\u{FEFF}": true
    default: isJSON5LineTerminator || (!isASCII && properties.generalCategory == .spaceSeparator)
    }
  }

  /// ECMAScript 5.1 §7.6, IdentifierStart without the escape.
  var startsJSON5Identifier: Bool {
    if isASCII { return self == "$" || self == "_" || properties.isAlphabetic }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .letterNumber: return true
    default: return false
    }
  }

  /// ECMAScript 5.1 §7.6, IdentifierPart without the escape.
  var continuesJSON5Identifier: Bool {
    if startsJSON5Identifier || isDecimalDigit { return true }
    if isASCII { return false }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .decimalNumber, .connectorPunctuation: return true
    default: return self == "\u{200C}" || self == "\u{200D}"
    }
  }

  var isDecimalDigit: Bool { ("0"..."9").contains(self) }

  var hexadecimalValue: UInt32? {
    switch self {
    case "0"..."9": value - 0x30
    case "a"..."f": value - 0x61 + 10
    case "A"..."F": value - 0x41 + 10
    default: nil
    }
  }
}
