import Bytes
import Testing

/// `UTF8Validator` against the standard library's own, whole and in pieces.
@Suite struct UTF8DifferentialTests {
  private static func isValidThere(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    String(validating: bytes, as: UTF8.self) != nil
  }

  /// Every one of one and of two bytes, and of three behind every lead byte. Behind other first bytes the borders stand
  /// for all: in a debug build sixteen million comparisons take a minute.
  @Test(arguments: [0x00...0xC1, 0xC2...0xDF, 0xE0...0xE7, 0xE8...0xEF, 0xF0...0xFF] as [ClosedRange<UInt8>])
  func `every sequence of one to three bytes is judged as the standard library does`(firsts: ClosedRange<UInt8>) {
    let borders: [UInt8] = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xF4, 0xFF]
    let every = Array(UInt8.min...UInt8.max)
    var bytes = [UInt8](repeating: 0, count: 3)
    var differences: [[UInt8]] = []
    bytes.withUnsafeMutableBufferPointer { bytes in
      let (one, two, three) = (
        UnsafeBufferPointer(start: bytes.baseAddress, count: 1),
        UnsafeBufferPointer(start: bytes.baseAddress, count: 2),
        UnsafeBufferPointer(start: bytes.baseAddress, count: 3)
      )
      func compare(_ text: UnsafeBufferPointer<UInt8>) {
        if UTF8Validator.isValid(UnsafeRawBufferPointer(text)) != Self.isValidThere(text) {
          differences.append(Array(text))
        }
      }
      for first in firsts {
        bytes[0] = first
        compare(one)
        let thirds = (0xC2...0xF4).contains(first) ? every : borders
        for second in every {
          bytes[1] = second
          compare(two)
          for third in thirds {
            bytes[2] = third
            compare(three)
          }
        }
      }
    }
    #expect(differences.isEmpty)
  }

  @Test func `random sequences of four bytes and more are judged as the standard library does`() {
    var random = SplitMix(seed: 1)
    for _ in 0..<200_000 {
      let bytes = Self.nearlyUTF8(&random, characters: 1 + random.below(3))
      let isValid = bytes.withUnsafeBufferPointer { Self.isValidThere($0) }
      if bytes.withUnsafeBytes({ UTF8Validator.isValid($0) }) != isValid { Issue.record("\(bytes)") }
    }
  }

  @Test func `a text that comes in two pieces is judged as the whole, cut anywhere`() {
    var random = SplitMix(seed: 2)
    for _ in 0..<3_000 {
      let bytes = Self.nearlyUTF8(&random, characters: 1 + random.below(40))
      let isValid = bytes.withUnsafeBufferPointer { Self.isValidThere($0) }
      for cut in 0...bytes.count where Self.isValid(bytes, cuts: [cut]) != isValid {
        Issue.record("\(bytes) cut at \(cut)")
      }
    }
  }

  @Test func `a long text in pieces is judged as the whole, and fails at the first byte that is wrong`() {
    var random = SplitMix(seed: 3)
    for _ in 0..<200 {
      let bytes = Self.nearlyUTF8(&random, characters: 2_000)
      let isValid = bytes.withUnsafeBufferPointer { Self.isValidThere($0) }
      #expect(Self.isValid(bytes, cuts: (0..<20).map { _ in random.below(bytes.count + 1) }.sorted()) == isValid)
      var validator = UTF8Validator()
      let good = bytes.prefix { byte in withUnsafeBytes(of: byte) { validator.validate($0) } }
      // Up to there some text goes on, and with the next byte none does.
      #expect(Self.isBeginning(good) && (good.count == bytes.count || !Self.isBeginning(bytes[...good.count])))
    }
  }

  /// Whether more bytes could make a text of these.
  private static func isBeginning(_ bytes: ArraySlice<UInt8>) -> Bool {
    let ends: [[UInt8]] = [[], [0x80], [0x80, 0x80], [0x80, 0x80, 0x80], [0xA0], [0xA0, 0x80], [0x90, 0x80, 0x80]]
    // A character has four bytes at most, so the last sixteen decide about what is unfinished.
    let start = max(0, bytes.count - 16)
    let first = bytes.dropFirst(start).firstIndex { $0 & 0xC0 != 0x80 } ?? bytes.endIndex
    let isWhole = Array(bytes[..<first]).withUnsafeBufferPointer { isValidThere($0) }
    return isWhole
      && ends.contains { end in (Array(bytes[first...]) + end).withUnsafeBufferPointer { isValidThere($0) } }
  }

  private static func isValid(_ bytes: [UInt8], cuts: [Int]) -> Bool {
    var validator = UTF8Validator()
    return bytes.withUnsafeBytes { bytes in
      var start = 0
      for end in cuts + [bytes.count] {
        guard validator.validate(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) else { return false }
        start = end
      }
      return validator.isComplete
    }
  }

  /// Characters of every length and at every border, one time in two with a byte that is changed, lost or added.
  private static func nearlyUTF8(_ random: inout SplitMix, characters: Int) -> [UInt8] {
    let borders: [UInt32] = [
      0x00, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0xD7FF, 0xE000, 0xFFFF, 0x1_0000, 0x3_FFFF, 0x10_FFFF,
    ]
    var bytes: [UInt8] = []
    for _ in 0..<characters {
      switch random.below(4) {
      case 0: bytes += [UInt8](repeating: 0x61, count: 1 + random.below(40))
      case 1: bytes += Array(String(UnicodeScalar(borders[random.below(borders.count)])!).utf8)
      default:
        guard let scalar = UnicodeScalar(UInt32(random.below(random.below(2) == 0 ? 0x1_0000 : 0x11_0000))) else {
          continue
        }
        bytes += Array(String(scalar).utf8)
      }
    }
    guard random.below(2) == 0, !bytes.isEmpty else { return bytes }
    let place = random.below(bytes.count)
    switch random.below(3) {
    case 0: bytes[place] = UInt8(random.below(256))
    case 1: bytes.remove(at: place)
    default: bytes.insert(UInt8(0x80 + random.below(128)), at: place)
    }
    return bytes
  }
}

/// Numbers from a seed: the same in every run.
private struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
