/// Texts that are not what a reader of settings hopes for.
enum HostileText {
  private static let largeBytes = 1 << 20
  private static let depth = 10_000

  /// Each with what it is; the random ones are drawn from `seed`.
  static func samples(seed: UInt64) -> [(meaning: String, bytes: [UInt8])] {
    var random = SplitMix(seed: seed)
    let noise = (0..<largeBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let valid = #"{"base_url":"http://127.0.0.1:9/v1","models":[],"has_key":true}"#
    var result: [(String, [UInt8])] = [
      ("an empty text", []), ("half an object", Array(#"{"base_url":"#.utf8)), ("a string", Array(#""text""#.utf8)),
      ("a number", Array("17".utf8)), ("null", Array("null".utf8)), ("an array", Array("[]".utf8)),
      ("an object with something behind it", Array("{} {}".utf8)),
      ("a key that is not UTF-8", Array(#"{""#.utf8) + [0xC3, 0x28] + Array(#"":1}"#.utf8)),
      ("a megabyte of noise", noise),
      ("a megabyte of spaces", [UInt8](repeating: 0x20, count: largeBytes)),
      ("a deep array", [UInt8](repeating: 0x5B, count: depth)),
      ("a deep object", Array(String(repeating: #"{"a":"#, count: depth).utf8)),
    ]
    for _ in 0..<64 {
      var bytes = Array(valid.utf8)
      bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      result.append(("settings with one byte changed", bytes))
    }
    return result
  }
}

/// A small generator of random numbers: the same seed gives the same run (SplitMix64, Steele et al. 2014).
package struct SplitMix: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
