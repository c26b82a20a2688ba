import Glibc

/// Decides whether a text is exactly one JSON value (RFC 8259), without building anything.
///
/// Stricter than the grammar in two points that would let two readers see two things: escaped lone surrogates are
/// refused, and nesting is bounded. Time is linear, memory is a few words per level.
struct JSONValidator {
  private let base: UnsafePointer<UInt8>
  private let end: Int
  private let maximumDepth: Int
  private let checksUTF8: Bool

  /// Returns the range of the value, without the space around it.
  static func validate(
    _ text: UnsafeRawBufferPointer, maximumDepth: Int, checksUTF8: Bool
  ) throws(JSONError) -> Range<Int> {
    guard let start = text.baseAddress else { throw JSONError(reason: "expected a value, found the end", offset: 0) }
    let validator = JSONValidator(
      base: start.assumingMemoryBound(to: UInt8.self), end: text.count, maximumDepth: maximumDepth,
      checksUTF8: checksUTF8)
    let first = JSONScan.skipSpace(validator.base, 0, validator.end)
    let last = try validator.value(first, depth: 0)
    let rest = JSONScan.skipSpace(validator.base, last, validator.end)
    guard rest == validator.end else { throw validator.unexpected(rest, expected: "the end") }
    return first..<last
  }

  private func value(_ index: Int, depth: Int) throws(JSONError) -> Int {
    guard index < end else { throw unexpected(index, expected: "a value") }
    switch base[index] {
    case 0x22: return try string(index)
    case 0x7B: return try object(index, depth: depth + 1)
    case 0x5B: return try array(index, depth: depth + 1)
    case 0x2D, 0x30...0x39: return try number(index)
    case 0x74: return try literal(index, "true")
    case 0x66: return try literal(index, "false")
    case 0x6E: return try literal(index, "null")
    default: throw unexpected(index, expected: "a value")
    }
  }

  private func object(_ index: Int, depth: Int) throws(JSONError) -> Int {
    try checkDepth(depth, index)
    var index = JSONScan.skipSpace(base, index &+ 1, end)
    if index < end, base[index] == 0x7D { return index &+ 1 }
    while true {
      guard index < end, base[index] == 0x22 else { throw unexpected(index, expected: "a key in quotes") }
      index = JSONScan.skipSpace(base, try string(index), end)
      guard index < end, base[index] == 0x3A else { throw unexpected(index, expected: "':'") }
      index = JSONScan.skipSpace(base, index &+ 1, end)
      index = JSONScan.skipSpace(base, try value(index, depth: depth), end)
      guard index < end else { throw unexpected(index, expected: "',' or '}'") }
      if base[index] == 0x7D { return index &+ 1 }
      guard base[index] == 0x2C else { throw unexpected(index, expected: "',' or '}'") }
      index = JSONScan.skipSpace(base, index &+ 1, end)
    }
  }

  private func array(_ index: Int, depth: Int) throws(JSONError) -> Int {
    try checkDepth(depth, index)
    var index = JSONScan.skipSpace(base, index &+ 1, end)
    if index < end, base[index] == 0x5D { return index &+ 1 }
    while true {
      index = JSONScan.skipSpace(base, try value(index, depth: depth), end)
      guard index < end else { throw unexpected(index, expected: "',' or ']'") }
      if base[index] == 0x5D { return index &+ 1 }
      guard base[index] == 0x2C else { throw unexpected(index, expected: "',' or ']'") }
      index = JSONScan.skipSpace(base, index &+ 1, end)
    }
  }

  private func string(_ opening: Int) throws(JSONError) -> Int {
    var index = opening &+ 1
    while true {
      index = JSONScan.endOfPlainText(base, index, end, stopsAtHighBit: checksUTF8)
      guard index < end else { throw unexpected(index, expected: "the closing quote") }
      switch base[index] {
      case 0x22: return index &+ 1
      case 0x5C: index = try escape(index)
      case 0x80...: index = try character(index)
      default: throw unexpected(index, expected: "an escape instead of a control character")
      }
    }
  }

  /// One escape, or the two that make a surrogate pair; `index` is at the backslash.
  private func escape(_ index: Int) throws(JSONError) -> Int {
    guard index &+ 1 < end else { throw unexpected(index &+ 1, expected: "an escape") }
    switch base[index &+ 1] {
    case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: return index &+ 2
    case 0x75:
      let unit = try codeUnit(index &+ 2)
      switch unit {
      case 0xD800..<0xDC00:
        guard index &+ 7 < end, base[index &+ 6] == 0x5C, base[index &+ 7] == 0x75,
          (0xDC00..<0xE000).contains(try codeUnit(index &+ 8))
        else { throw JSONError(reason: "a high surrogate without its low one", offset: index) }
        return index &+ 12
      case 0xDC00..<0xE000: throw JSONError(reason: "a low surrogate without its high one", offset: index)
      default: return index &+ 6
      }
    default: throw unexpected(index &+ 1, expected: "an escape")
    }
  }

  private func codeUnit(_ index: Int) throws(JSONError) -> UInt32 {
    var unit: UInt32 = 0
    for position in index..<index &+ 4 {
      guard position < end, let digit = JSONText.hexDigit(base[position]) else {
        throw unexpected(position, expected: "four hexadecimal digits")
      }
      unit = unit << 4 | digit
    }
    return unit
  }

  /// One character beyond ASCII (RFC 3629: shortest form, no surrogates, up to U+10FFFF).
  private func character(_ index: Int) throws(JSONError) -> Int {
    func continuation(_ position: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
      position < end && range.contains(base[position])
    }
    let isValid: Bool
    let length: Int
    switch base[index] {
    case 0xC2...0xDF: (isValid, length) = (continuation(index &+ 1), 2)
    case 0xE0: (isValid, length) = (continuation(index &+ 1, 0xA0...0xBF) && continuation(index &+ 2), 3)
    case 0xED: (isValid, length) = (continuation(index &+ 1, 0x80...0x9F) && continuation(index &+ 2), 3)
    case 0xE1...0xEF: (isValid, length) = (continuation(index &+ 1) && continuation(index &+ 2), 3)
    case 0xF0:
      (isValid, length) = (
        continuation(index &+ 1, 0x90...0xBF) && continuation(index &+ 2) && continuation(index &+ 3), 4
      )
    case 0xF1...0xF3:
      (isValid, length) = (continuation(index &+ 1) && continuation(index &+ 2) && continuation(index &+ 3), 4)
    case 0xF4:
      (isValid, length) = (
        continuation(index &+ 1, 0x80...0x8F) && continuation(index &+ 2) && continuation(index &+ 3), 4
      )
    default: (isValid, length) = (false, 1)
    }
    guard isValid else { throw JSONError(reason: "bytes that are not UTF-8", offset: index) }
    return index &+ length
  }

  private func number(_ index: Int) throws(JSONError) -> Int {
    var index = index
    if base[index] == 0x2D { index &+= 1 }
    guard index < end, isDigit(index) else { throw unexpected(index, expected: "a digit") }
    if base[index] == 0x30 {
      index &+= 1
      guard !isDigit(index) else { throw unexpected(index, expected: "no digit after a leading zero") }
    } else {
      index = digits(index)
    }
    if index < end, base[index] == 0x2E {
      guard isDigit(index &+ 1) else { throw unexpected(index &+ 1, expected: "a digit") }
      index = digits(index &+ 1)
    }
    if index < end, base[index] | 0x20 == 0x65 {
      index &+= 1
      if index < end, base[index] == 0x2B || base[index] == 0x2D { index &+= 1 }
      guard isDigit(index) else { throw unexpected(index, expected: "a digit") }
      index = digits(index)
    }
    return index
  }

  private func isDigit(_ index: Int) -> Bool { index < end && base[index] &- 0x30 < 10 }

  private func digits(_ index: Int) -> Int {
    var index = index
    while isDigit(index) { index &+= 1 }
    return index
  }

  private func literal(_ index: Int, _ word: StaticString) throws(JSONError) -> Int {
    let count = word.utf8CodeUnitCount
    guard index &+ count <= end, memcmp(base + index, word.utf8Start, count) == 0 else {
      throw unexpected(index, expected: "\(word)")
    }
    return index &+ count
  }

  private func checkDepth(_ depth: Int, _ index: Int) throws(JSONError) {
    guard depth <= maximumDepth else {
      throw JSONError(reason: "nested deeper than \(maximumDepth) levels", offset: index)
    }
  }

  private func unexpected(_ index: Int, expected: String) -> JSONError {
    guard index < end else { return JSONError(reason: "expected \(expected), found the end", offset: end) }
    let byte = base[index]
    let found =
      byte > 0x20 && byte < 0x7F ? "'\(Character(UnicodeScalar(byte)))'" : "byte 0x\(String(byte, radix: 16))"
    return JSONError(reason: "expected \(expected), found \(found)", offset: index)
  }
}
