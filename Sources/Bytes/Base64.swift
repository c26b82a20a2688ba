/// Base64 (RFC 4648 §4, §5).
public enum Base64 {
  private static var standard: StaticString { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" }
  private static var urlSafe: StaticString { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" }

  public static func encode(_ bytes: UnsafeRawBufferPointer) -> String { encode(bytes, standard, isPadded: true) }

  /// The URL-safe alphabet, without padding.
  public static func encodeURLSafe(_ bytes: UnsafeRawBufferPointer) -> String {
    encode(bytes, urlSafe, isPadded: false)
  }

  private static func encode(_ bytes: UnsafeRawBufferPointer, _ alphabet: StaticString, isPadded: Bool) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
      for position in 0..<4 {
        if position <= group.count {
          text.append(alphabet.utf8Start[Int(bits >> UInt32(18 - 6 * position) & 63)])
        } else if isPadded {
          text.append(0x3D)
        }
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes of padded standard text; nil when it is malformed in any way.
  public static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: text.count, by: 4) {
      let group = text[start..<start + 4]
      let isLast = start + 4 == text.count
      let padding = isLast ? group.reversed().prefix { $0 == 0x3D }.count : 0
      guard padding <= 2 else { return nil }
      var bits: UInt32 = 0
      for byte in group.dropLast(padding) {
        guard let value = value(of: byte) else { return nil }
        bits = bits << 6 | value
      }
      bits <<= UInt32(6 * padding)
      // Bits that fall under the padding must be zero, or two texts would mean the same bytes.
      guard bits & (padding == 0 ? 0 : (1 << UInt32(8 * padding)) - 1) == 0 else { return nil }
      for position in 0..<3 - padding { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(16 - 8 * position))) }
    }
    return bytes
  }

  private static func value(of byte: UInt8) -> UInt32? {
    switch byte {
    case 0x41...0x5A: UInt32(byte - 0x41)
    case 0x61...0x7A: UInt32(byte - 0x61 + 26)
    case 0x30...0x39: UInt32(byte - 0x30 + 52)
    case 0x2B: 62
    case 0x2F: 63
    default: nil
    }
  }
}
