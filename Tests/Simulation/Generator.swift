/// Chance, told by a seed (SplitMix64): the only source of it in a simulation.
struct Generator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: UInt64) -> UInt64 { bound == 0 ? 0 : next() % bound }
  mutating func between(_ low: Int, _ high: Int) -> Int { low + Int(below(UInt64(high - low + 1))) }

  /// True once in `times`.
  mutating func once(in times: UInt64) -> Bool { below(times) == 0 }

  /// Nanoseconds between two numbers of milliseconds.
  mutating func milliseconds(_ low: UInt64, _ high: UInt64) -> UInt64 {
    (low + below(high - low + 1)) * 1_000_000 + below(1_000_000)
  }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[Int(below(UInt64(elements.count)))] }
}
