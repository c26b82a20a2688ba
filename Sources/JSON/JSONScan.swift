/// Byte loops that look at eight bytes at a time. Every pointer is borrowed for the call.
enum JSONScan {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highs: UInt64 = 0x8080_8080_8080_8080

  /// Marks the high bit of each byte of `word` that equals `byte`; bytes above the first mark may be marked falsely.
  @inline(__always)
  private static func matches(_ word: UInt64, _ byte: UInt8) -> UInt64 {
    let difference = word ^ (ones &* UInt64(byte))
    return (difference &- ones) & ~difference & highs
  }

  /// The index of the first byte at or after `index` that a string must not pass over: a quote, a backslash, a control
  /// character, or (with `stopsAtHighBit`) a byte beyond ASCII; `end` when there is none.
  @inline(__always)
  static func endOfPlainText(
    _ base: UnsafePointer<UInt8>, _ index: Int, _ end: Int, stopsAtHighBit: Bool
  ) -> Int {
    var index = index
    while index &+ 8 <= end {
      let word = UInt64(
        littleEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
      // A byte under 0x20 borrows from its high bit; one above 0x7F is masked out, then decided by `stopsAtHighBit`.
      var marks = matches(word, 0x22) | matches(word, 0x5C) | ((word &- ones &* 0x20) & ~word & highs)
      if stopsAtHighBit { marks |= word & highs }
      if marks != 0 { return index &+ marks.trailingZeroBitCount >> 3 }
      index &+= 8
    }
    while index < end {
      let byte = base[index]
      if byte == 0x22 || byte == 0x5C || byte < 0x20 || (stopsAtHighBit && byte >= 0x80) { return index }
      index &+= 1
    }
    return end
  }

  @inline(__always)
  static func skipSpace(_ base: UnsafePointer<UInt8>, _ index: Int, _ end: Int) -> Int {
    var index = index
    while index < end {
      let byte = base[index]
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { break }
      index &+= 1
    }
    return index
  }

  // MARK: - Over text that was validated

  /// The index behind the closing quote of the string whose opening quote is at `index`.
  @inline(__always)
  static func skipString(_ base: UnsafePointer<UInt8>, _ index: Int, _ end: Int) -> Int {
    var index = index &+ 1
    while true {
      index = endOfPlainText(base, index, end, stopsAtHighBit: false)
      if base[index] == 0x22 { return index &+ 1 }
      index &+= 2
    }
  }

  /// The index behind the value that begins at `index`.
  @inline(__always)
  static func skipValue(_ base: UnsafePointer<UInt8>, _ index: Int, _ end: Int) -> Int {
    switch base[index] {
    case 0x22: skipString(base, index, end)
    case 0x7B, 0x5B: skipContainer(base, index, end)
    default: skipScalar(base, index, end)
    }
  }

  private static func skipContainer(_ base: UnsafePointer<UInt8>, _ index: Int, _ end: Int) -> Int {
    var index = index
    var depth = 0
    while index < end {
      switch base[index] {
      case 0x22:
        index = skipString(base, index, end)
        continue
      case 0x7B, 0x5B: depth &+= 1
      case 0x7D, 0x5D:
        depth &-= 1
        if depth == 0 { return index &+ 1 }
      default: break
      }
      index &+= 1
    }
    return end
  }

  private static func skipScalar(_ base: UnsafePointer<UInt8>, _ index: Int, _ end: Int) -> Int {
    var index = index
    while index < end {
      switch base[index] {
      case 0x2C, 0x7D, 0x5D, 0x20, 0x0A, 0x0D, 0x09: return index
      default: index &+= 1
      }
    }
    return end
  }
}
