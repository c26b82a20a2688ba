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
    guard let last = text.last else { return [] }
    let padding = last != 0x3D ? 0 : text[text.count - 2] != 0x3D ? 1 : 2
    let count = text.count / 4 * 3 - padding
    var isWhole = true
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { bytes, written in
      written = count
      var position = 0
      for start in stride(from: 0, to: text.count, by: 4) {
        let shown = start + 4 == text.count ? 4 - padding : 4
        var bits: UInt32 = 0
        for place in 0..<4 {
          let value = place < shown ? values[Int(text[start + place])] : 0
          // Bits above the six mark what is no character of base64.
          if value > 63 { isWhole = false }
          bits = bits << 6 | UInt32(value & 63)
        }
        for place in 0..<(shown - 1) {
          bytes[position] = UInt8(truncatingIfNeeded: bits >> UInt32(16 - 8 * place))
          position += 1
        }
        // Bits that fall under the padding must be zero, or two texts would mean the same bytes.
        if shown < 4, bits & ((1 << UInt32(8 * (4 - shown))) - 1) != 0 { isWhole = false }
      }
    }
    return isWhole ? bytes : nil
  }

  /// The bytes of URL-safe text without padding; nil when it is malformed in any way.
  public static func decodeURLSafe(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard !text.contains(where: { $0 == 0x2B || $0 == 0x2F || $0 == 0x3D }) else { return nil }
    var padded = text.map { byte -> UInt8 in byte == 0x2D ? 0x2B : byte == 0x5F ? 0x2F : byte }
    while padded.count % 4 != 0 { padded.append(0x3D) }
    return padded.withUnsafeBytes { decode($0) }
  }

  /// The value of each byte of the standard alphabet; 0xFF: it is none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 0xFF, count: 256)
    for value in 0..<64 { values[Int(standard.utf8Start[value])] = UInt8(value) }
    return values
  }()
}
