/// UTF-8 as RFC 3629 defines it, read the slow way: a scalar's value is put together, then held against the table.
enum ReferenceUTF8 {
  enum Verdict { case whole, unfinished, wrong }

  /// Whether `bytes` are characters; unfinished: they are up to the last one, which more bytes could complete.
  static func check(_ bytes: UnsafeRawBufferPointer) -> Verdict {
    var index = 0
    while index < bytes.count {
      let lead = bytes[index]
      if lead < 0x80 {
        index += 1
        continue
      }
      let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
      guard lead >= 0xC0, lead < 0xF8 else { return .wrong }
      var value = UInt32(lead) & (0x7F >> UInt32(length))
      // What missing bytes could still make of it, at least and at most.
      var (least, most) = (value, value)
      for place in 1..<length {
        guard index + place < bytes.count else {
          (least, most) = (least << 6, most << 6 | 0x3F)
          continue
        }
        let byte = bytes[index + place]
        guard byte & 0xC0 == 0x80 else { return .wrong }
        value = value << 6 | UInt32(byte & 0x3F)
        (least, most) = (value, value)
      }
      let shortest: UInt32 = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80
      let isUnfinished = index + length > bytes.count
      guard isUnfinished ? canBe(least...most, shortest) : isScalar(value, shortest) else { return .wrong }
      if isUnfinished { return .unfinished }
      index += length
    }
    return .whole
  }

  private static func isScalar(_ value: UInt32, _ shortest: UInt32) -> Bool {
    value >= shortest && value <= 0x10FFFF && !(0xD800...0xDFFF).contains(value)
  }

  private static func canBe(_ values: ClosedRange<UInt32>, _ shortest: UInt32) -> Bool {
    let good = max(values.lowerBound, shortest)
    let last = min(values.upperBound, 0x10FFFF)
    guard good <= last else { return false }
    return !(good >= 0xD800 && last <= 0xDFFF)
  }
}
