import Bytes
import Testing

private func hash(_ parts: String..., key: (UInt64, UInt64) = (1, 2)) -> [UInt64] {
  let bytes = parts.map { Array($0.utf8) }
  let hash = KeyedHash(key: key)
  func three(_ index: Int) -> UnsafeRawBufferPointer {
    bytes[index].withUnsafeBytes { UnsafeRawBufferPointer($0) }
  }
  let result = bytes.count == 1 ? hash.hash(three(0)) : hash.hash(three(0), three(1))
  return [result.high, result.low]
}

struct KeyedHashTests {
  @Test func `equal inputs have equal hashes, and each bit, length, border and key makes another`() {
    let text = String(repeating: "abcdefgh", count: 9)
    #expect(hash(text) == hash(text))
    var seen: Set<[UInt64]> = []
    for length in 0...72 {
      #expect(seen.insert(hash(String(text.prefix(length)))).inserted, "\(length) bytes")
    }
    for index in 0..<72 {
      var changed = Array(text.utf8)
      changed[index] ^= 1
      #expect(seen.insert(hash(String(decoding: changed, as: UTF8.self))).inserted, "byte \(index)")
    }
    for border in 1..<20 {
      #expect(
        seen.insert(hash(String(text.prefix(border)), String(text.dropFirst(border)))).inserted, "border \(border)")
    }
    #expect(seen.insert(hash(text, key: (1, 3))).inserted)
    #expect(seen.insert(hash(text, key: (3, 2))).inserted)
  }

  @Test func `many inputs that differ little have no hash in common, in either half`() {
    var highs: Set<UInt64> = []
    var lows: Set<UInt64> = []
    for number in 0..<20_000 {
      let result = hash("prompt \(number)")
      highs.insert(result[0])
      lows.insert(result[1])
    }
    #expect(highs.count == 20_000)
    #expect(lows.count == 20_000)
  }
}
