public import Bytes

// Writing JSON straight into a buffer. Text is UTF-8 as it stands; only what RFC 8259 §7 demands is escaped.
extension ByteBuffer {
  /// Appends a string with its quotes.
  public mutating func appendJSON(string text: String) {
    var text = text
    text.withUTF8 { appendJSON(utf8: UnsafeRawBufferPointer($0)) }
  }

  /// Appends a string with its quotes; `bytes` must be UTF-8.
  public mutating func appendJSON(utf8 bytes: UnsafeRawBufferPointer) {
    append(0x22)
    appendJSONEscaped(bytes)
    append(0x22)
  }

  /// Appends the content of a string, without quotes; `bytes` must be UTF-8.
  public mutating func appendJSONEscaped(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    let base = start.assumingMemoryBound(to: UInt8.self)
    let end = bytes.count
    reserve(end)
    var index = 0
    while index < end {
      let run = JSONScan.endOfPlainText(base, index, end, stopsAtHighBit: false)
      append(UnsafeRawBufferPointer(start: base + index, count: run &- index))
      guard run < end else { return }
      appendEscape(of: base[run])
      index = run &+ 1
    }
  }

  private mutating func appendEscape(of byte: UInt8) {
    append(0x5C)
    switch byte {
    case 0x22, 0x5C: append(byte)
    case 0x08: append(0x62)
    case 0x09: append(0x74)
    case 0x0A: append(0x6E)
    case 0x0C: append(0x66)
    case 0x0D: append(0x72)
    default:
      append("u00")
      append(0x30 &+ byte >> 4)
      append(Self.hexDigits.utf8Start[Int(byte & 15)])
    }
  }

  private static var hexDigits: StaticString { "0123456789abcdef" }

  /// Appends a whole number.
  public mutating func appendDecimal(_ number: Int64) {
    if number < 0 { append(0x2D) }
    appendDecimal(number.magnitude)
  }

  /// Appends a whole number.
  public mutating func appendDecimal(_ number: Int) { appendDecimal(Int64(number)) }

  /// Appends a whole number.
  public mutating func appendDecimal(_ number: UInt64) {
    var rest = number
    var length = 1
    var bound: UInt64 = 10
    while length < 20, rest >= bound {
      length &+= 1
      bound = bound &* 10
    }
    let room = writable(length)
    var position = length &- 1
    while position >= 0 {
      room[position] = UInt8(truncatingIfNeeded: 0x30 &+ rest % 10)
      rest /= 10
      position &-= 1
    }
    commit(length)
  }

  /// Appends the shortest text that reads back as this number; `null` for what JSON cannot say.
  public mutating func appendJSON(double number: Double) {
    guard number.isFinite else { return append("null") }
    if let whole = Int64(exactly: number), whole.magnitude < 1 << 53 { return appendDecimal(whole) }
    append("\(number)")
  }

  /// Appends nanoseconds as milliseconds with one decimal: `812.4`.
  public mutating func appendMilliseconds(nanoseconds: UInt64) {
    appendDecimal(nanoseconds / 1_000_000)
    append(0x2E)
    append(UInt8(truncatingIfNeeded: 0x30 &+ nanoseconds % 1_000_000 / 100_000))
  }
}
