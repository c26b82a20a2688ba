import Glibc

/// Byte loops that look at eight or sixteen bytes at a time. Every pointer is borrowed for the call.
enum JSONScan {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highs: UInt64 = 0x8080_8080_8080_8080

  /// Marks the high bit of each byte of `word` that equals `byte`; bytes above the first mark may be marked falsely.
  @inline(__always)
  private static func matches(_ word: UInt64, _ byte: UInt8) -> UInt64 {
    let difference = word ^ (ones &* UInt64(byte))
    return (difference &- ones) & ~difference & highs
  }

  /// Marks the bytes of `word` that plain text does not have.
  @inline(__always)
  private static func stops(_ word: UInt64, _ stopsAtHighBit: Bool) -> UInt64 {
    // A byte under 0x20 borrows from its high bit; one above 0x7F is masked out, then decided by `stopsAtHighBit`.
    let marks = matches(word, 0x22) | matches(word, 0x5C) | ((word &- ones &* 0x20) & ~word & highs)
    return stopsAtHighBit ? marks | word & highs : marks
  }

  /// The index of the first byte at or after `index` that a string must not pass over: a quote, a backslash, a control
  /// character, or (with `stopsAtHighBit`) a byte beyond ASCII; `end` when there is none.
  @inline(__always)
  static func endOfPlainText(
    _ base: UnsafePointer<UInt8>, _ index: Int, _ end: Int, stopsAtHighBit: Bool
  ) -> Int {
    var index = index
    let quote = SIMD16<UInt8>(repeating: 0x22)
    let backslash = SIMD16<UInt8>(repeating: 0x5C)
    // One comparison for both: a byte beyond ASCII is above every control character, and below all as a signed one.
    let space = SIMD16<UInt8>(repeating: 0x20)
    let signedSpace = SIMD16<Int8>(repeating: 0x20)
    while index &+ 32 <= end {
      let low = UnsafeRawPointer(base + index).loadUnaligned(as: SIMD16<UInt8>.self)
      let high = UnsafeRawPointer(base + (index &+ 16)).loadUnaligned(as: SIMD16<UInt8>.self)
      let delimits = (low .== quote) .| (low .== backslash) .| (high .== quote) .| (high .== backslash)
      if stopsAtHighBit {
        let lowest = unsafeBitCast(low, to: SIMD16<Int8>.self)
        let highest = unsafeBitCast(high, to: SIMD16<Int8>.self)
        if any(delimits .| (lowest .< signedSpace) .| (highest .< signedSpace)) { break }
      } else {
        if any(delimits .| (low .< space) .| (high .< space)) { break }
      }
      index &+= 32
    }
    while index &+ 16 <= end {
      let bytes = UnsafeRawPointer(base + index).loadUnaligned(as: SIMD16<UInt8>.self)
      if stopsAtHighBit {
        let signed = unsafeBitCast(bytes, to: SIMD16<Int8>.self)
        if any((bytes .== quote) .| (bytes .== backslash) .| (signed .< signedSpace)) { break }
      } else {
        if any((bytes .== quote) .| (bytes .== backslash) .| (bytes .< space)) { break }
      }
      index &+= 16
    }
    while index &+ 8 <= end {
      let word = UInt64(
        littleEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
      let marks = stops(word, stopsAtHighBit)
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
    var next = index &+ 1
    while let quote = memchr(base + next, 0x22, end &- next) {
      let position = UnsafeRawPointer(quote) - UnsafeRawPointer(base)
      // A quote is the string's own when an even number of backslashes stands before it.
      var first = position
      while base[first &- 1] == 0x5C { first &-= 1 }
      if (position &- first) & 1 == 0 { return position &+ 1 }
      next = position &+ 1
    }
    return end
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
