/// Decides whether bytes are UTF-8 (RFC 3629) while they come in pieces; fails at the first byte that cannot be part of
/// any character.
public struct UTF8Validator: Sendable {
  /// Continuation bytes the current character still needs.
  private var missing: UInt8 = 0
  /// What the next one may be: after E0, ED, F0 and F4 the range is narrower.
  private var low: UInt8 = 0x80
  private var high: UInt8 = 0xBF

  public init() {}

  /// Whether no character is left unfinished.
  public var isComplete: Bool { missing == 0 }

  /// false: these bytes, after what came before, are not UTF-8. Do not go on then.
  public mutating func validate(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress else { return true }
    let end = bytes.count
    var index = 0
    while index < end {
      if missing == 0 {
        index = Self.skipMultibyte(start, Self.skipASCII(start, index, end), end)
        guard index < end else { return true }
      }
      guard take(start.load(fromByteOffset: index, as: UInt8.self)) else { return false }
      index &+= 1
    }
    return true
  }

  public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var validator = UTF8Validator()
    return validator.validate(bytes) && validator.isComplete
  }

  @inline(__always)
  private static func skipASCII(_ start: UnsafeRawPointer, _ index: Int, _ end: Int) -> Int {
    var index = index
    while index &+ 32 <= end {
      let words = start.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self)
      guard (words.x | words.y | words.z | words.w) & 0x8080_8080_8080_8080 == 0 else { break }
      index &+= 32
    }
    while index < end, start.load(fromByteOffset: index, as: UInt8.self) < 0x80 { index &+= 1 }
    return index
  }

  /// Skips whole, good characters of two and three bytes; `take` decides about all else.
  @inline(__always)
  private static func skipMultibyte(_ start: UnsafeRawPointer, _ index: Int, _ end: Int) -> Int {
    var index = index
    while index &+ 4 <= end {
      let word = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: index, as: UInt32.self))
      if word & 0x00C0_C0F0 == 0x0080_80E0 {
        // The lead's low bits and the second byte's top one: all zero is overlong, D with it a surrogate.
        let bits = word & 0x200F
        guard bits != 0, bits != 0x200D else { break }
        index &+= 3
      } else if word & 0xC0E0 == 0x80C0, word & 0x1E != 0 {
        index &+= 2
      } else {
        break
      }
    }
    return index
  }

  @inline(__always)
  private mutating func take(_ byte: UInt8) -> Bool {
    if missing > 0 {
      guard byte >= low, byte <= high else { return false }
      missing &-= 1
      (low, high) = (0x80, 0xBF)
      return true
    }
    switch byte {
    case 0x00...0x7F: break
    case 0xC2...0xDF: missing = 1
    case 0xE0: (missing, low) = (2, 0xA0)
    case 0xED: (missing, high) = (2, 0x9F)
    case 0xE1...0xEF: missing = 2
    case 0xF0: (missing, low) = (3, 0x90)
    case 0xF1...0xF3: missing = 3
    case 0xF4: (missing, high) = (3, 0x8F)
    default: return false
    }
    return true
  }
}
