/// The content of JSON strings: reading what is escaped. Works on validated text only.
enum JSONText {
  @inline(__always)
  static func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x30...0x39: UInt32(byte &- 0x30)
    case 0x41...0x46: UInt32(byte &- 0x37)
    case 0x61...0x66: UInt32(byte &- 0x57)
    default: nil
    }
  }

  /// Hands over the content between the quotes in pieces: runs as they stand, and each escape as its UTF-8.
  @inline(__always)
  static func forEachPiece(_ content: UnsafeRawBufferPointer, _ piece: (UnsafeRawBufferPointer) -> Void) {
    guard let start = content.baseAddress else { return }
    let base = start.assumingMemoryBound(to: UInt8.self)
    let end = content.count
    var index = 0
    while index < end {
      let run = JSONScan.endOfPlainText(base, index, end, stopsAtHighBit: false)
      if run > index { piece(UnsafeRawBufferPointer(start: base + index, count: run &- index)) }
      guard run < end else { return }
      index = escape(base, run, piece)
    }
  }

  /// The escape at `index`; returns the index behind it.
  private static func escape(
    _ base: UnsafePointer<UInt8>, _ index: Int, _ piece: (UnsafeRawBufferPointer) -> Void
  ) -> Int {
    let scalar: UInt32
    var next = index &+ 2
    switch base[index &+ 1] {
    case 0x62: scalar = 0x08
    case 0x66: scalar = 0x0C
    case 0x6E: scalar = 0x0A
    case 0x72: scalar = 0x0D
    case 0x74: scalar = 0x09
    case 0x75:
      let unit = codeUnit(base + index + 2)
      next = index &+ 6
      if unit & 0xFC00 == 0xD800 {
        scalar = 0x10000 &+ ((unit & 0x3FF) << 10 | codeUnit(base + index + 8) & 0x3FF)
        next = index &+ 12
      } else {
        scalar = unit
      }
    case let itself: scalar = UInt32(itself)
    }
    let encoded = UTF8.encode(UnicodeScalar(scalar) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter
    withUnsafeTemporaryAllocation(byteCount: 4, alignment: 1) { bytes in
      var count = 0
      for byte in encoded {
        bytes[count] = byte
        count &+= 1
      }
      piece(UnsafeRawBufferPointer(start: bytes.baseAddress, count: count))
    }
    return next
  }

  private static func codeUnit(_ digits: UnsafePointer<UInt8>) -> UInt32 {
    var unit: UInt32 = 0
    for position in 0..<4 { unit = unit << 4 | (hexDigit(digits[position]) ?? 0) }
    return unit
  }
}
