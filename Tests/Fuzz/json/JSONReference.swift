import Bytes

/// RFC 8259 read the slow way: each rule of its grammar is a function that takes bytes off the front of what is left.
///
/// As our scanner it refuses half a surrogate pair and more than `depthLimit` containers in each other.
struct JSONReference {
  private var rest: Slice<UnsafeRawBufferPointer>
  private let depthLimit: Int

  /// Whether `text` is one value.
  static func accepts(_ text: UnsafeRawBufferPointer, depthLimit: Int) -> Bool {
    guard ReferenceUTF8.check(text) == .whole else { return false }
    var reader = JSONReference(rest: text[...], depthLimit: depthLimit)
    reader.space()
    guard reader.value(0) else { return false }
    reader.space()
    return reader.rest.isEmpty
  }

  private mutating func space() { rest = rest.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) } }

  private mutating func take(_ character: Character) -> Bool {
    guard rest.first == character.asciiValue else { return false }
    rest = rest.dropFirst()
    return true
  }

  private mutating func take(word: StaticString) -> Bool {
    let bytes = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard rest.starts(with: bytes) else { return false }
    rest = rest.dropFirst(bytes.count)
    return true
  }

  private mutating func value(_ depth: Int) -> Bool {
    if rest.first == 0x22 { return string() != nil }
    if take("{") { return depth < depthLimit && list("}") { $0.member(depth + 1) } }
    if take("[") { return depth < depthLimit && list("]") { $0.value(depth + 1) } }
    return take(word: "null") || take(word: "true") || take(word: "false") || number()
  }

  private mutating func list(_ end: Character, _ element: (inout JSONReference) -> Bool) -> Bool {
    space()
    if take(end) { return true }
    while true {
      guard element(&self) else { return false }
      space()
      if take(end) { return true }
      guard take(",") else { return false }
      space()
    }
  }

  private mutating func member(_ depth: Int) -> Bool {
    guard string() != nil else { return false }
    space()
    guard take(":") else { return false }
    space()
    return value(depth)
  }

  /// The number of scalars in the string.
  private mutating func string() -> Int? {
    guard take("\"") else { return nil }
    var scalars = 0
    var wantsLowHalf = false
    while let byte = rest.first, byte != 0x22 {
      rest = rest.dropFirst()
      guard byte >= 0x20 else { return nil }
      var unit: UInt32 = 0
      if byte == 0x5C {
        guard let escaped = rest.first else { return nil }
        rest = rest.dropFirst()
        if escaped == UInt8(ascii: "u") {
          let digits = String(decoding: rest.prefix(4), as: UTF8.self)
          guard digits.utf8.count == 4, digits.first != "+", digits.first != "-", let value = UInt32(digits, radix: 16)
          else { return nil }
          unit = value
          rest = rest.dropFirst(4)
        } else if !"\"\\/bfnrt".utf8.contains(escaped) {
          return nil
        }
      }
      let isLowHalf = (0xDC00...0xDFFF).contains(unit)
      guard isLowHalf == wantsLowHalf else { return nil }
      wantsLowHalf = (0xD800...0xDBFF).contains(unit)
      if byte & 0xC0 != 0x80, !wantsLowHalf { scalars += 1 }
    }
    guard take("\""), !wantsLowHalf else { return nil }
    return scalars
  }

  private mutating func digits() -> Bool {
    let after = rest.drop { (0x30...0x39).contains($0) }
    defer { rest = after }
    return after.count < rest.count
  }

  private mutating func number() -> Bool {
    _ = take("-")
    if !take("0") {
      guard digits() else { return false }
    } else if let next = rest.first, (0x30...0x39).contains(next) {
      return false
    }
    if take(".") {
      guard digits() else { return false }
    }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      return digits()
    }
    return true
  }
}
