/// A fast 128-bit hash with a secret key: equal inputs are found without keeping them. Not for signatures; whoever does
/// not know the key cannot make two inputs collide on purpose.
public struct KeyedHash: Sendable {
  private let first: UInt64
  private let second: UInt64

  public init(key: (UInt64, UInt64)) { (first, second) = key }

  /// The hash of `parts`, each with its length, so that what stands at a border is not the other side's.
  public func hash(_ parts: UnsafeRawBufferPointer...) -> (high: UInt64, low: UInt64) {
    var high = first
    var low = second
    for part in parts { Self.mix(part, &high, &low) }
    return (Self.fold(high ^ 0x9E37_79B9_7F4A_7C15, low ^ second), Self.fold(low ^ 0xD6E8_FEB8_6659_FD93, high ^ first))
  }

  private static func mix(_ bytes: UnsafeRawBufferPointer, _ high: inout UInt64, _ low: inout UInt64) {
    high ^= UInt64(truncatingIfNeeded: bytes.count) &* 0xA076_1D64_78BD_642F
    guard var next = bytes.baseAddress else { return }
    let end = next + bytes.count
    var (a, b) = (high, low)
    while end - next >= 32 {
      a = fold(
        next.loadUnaligned(as: UInt64.self) ^ a, (next + 8).loadUnaligned(as: UInt64.self) ^ 0xE703_7ED1_A0B4_28DB)
      b = fold(
        (next + 16).loadUnaligned(as: UInt64.self) ^ b,
        (next + 24).loadUnaligned(as: UInt64.self) ^ 0x8EBC_6AF0_9C88_C6E3)
      next += 32
    }
    if end - next >= 16 {
      let (first, second) = (next.loadUnaligned(as: UInt64.self), (next + 8).loadUnaligned(as: UInt64.self))
      a = fold(first ^ a, second ^ 0xE703_7ED1_A0B4_28DB)
      b = fold(second ^ b, first ^ 0x8EBC_6AF0_9C88_C6E3)
      next += 16
    }
    var tail: (UInt64, UInt64) = (0, 0)
    var shift: UInt64 = 0
    if end - next >= 8 {
      tail.0 = next.loadUnaligned(as: UInt64.self)
      next += 8
      while next < end {
        tail.1 |= UInt64(next.load(as: UInt8.self)) << shift
        shift += 8
        next += 1
      }
    } else {
      while next < end {
        tail.0 |= UInt64(next.load(as: UInt8.self)) << shift
        shift += 8
        next += 1
      }
    }
    high = fold(tail.0 ^ a, tail.1 ^ 0x5899_65CC_7537_4CC3)
    low = fold(tail.1 ^ b, tail.0 ^ 0x1D8E_4E27_C47D_124F)
  }

  /// Both halves of the product, one over the other.
  private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
}
