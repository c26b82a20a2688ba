import Testing

@testable import LoadTest

struct LatencyHistogramTests {
  private func histogram(_ values: some Sequence<UInt64>) -> LatencyHistogram {
    var histogram = LatencyHistogram()
    for value in values { histogram.record(microseconds: value) }
    return histogram
  }

  @Test func `without values there is no percentile`() {
    let none = LatencyHistogram()
    #expect(none.percentile(50) == nil && none.percentile(100) == nil && none.maximum == 0)
  }

  @Test(arguments: [1, 50, 95, 99, 100]) func `one value is every percentile`(percent: Int) {
    #expect(histogram([7]).percentile(percent) == 7)
  }

  @Test(arguments: [(1, 1), (50, 50), (95, 95), (99, 99), (100, 100)])
  func `of 1 to 100 each percentile is its number`(percent: Int, expected: UInt64) {
    #expect(histogram((1...100).reversed()).percentile(percent) == expected)
  }

  @Test(arguments: [(1, 2), (50, 51), (95, 96), (99, 100), (100, 101)])
  func `of 1 to 101 the rank is rounded up`(percent: Int, expected: UInt64) {
    #expect(histogram(1...101).percentile(percent) == expected)
  }

  @Test func `of 99 values the 99th percentile is the last`() {
    #expect(histogram(1...99).percentile(99) == 99)
  }

  @Test func `equal values share their ranks`() {
    let tied = histogram(Array(repeating: 5, count: 95) + Array(repeating: 9, count: 5))
    #expect(tied.percentile(95) == 5 && tied.percentile(96) == 9)
    #expect(histogram(Array(repeating: 5, count: 94) + Array(repeating: 9, count: 6)).percentile(95) == 9)
  }

  @Test func `0 is a latency`() {
    #expect(histogram([0]).percentile(50) == 0)
  }

  @Test(arguments: [2046, 2047, 2048, 2049, 4095, 4096, 4097, 65_535, 1_000_000, 5_000_000, 10_000_001, 1 << 41])
  func `a long latency is told at most a thousandth too long and never too short`(value: UInt64) throws {
    // The longer second value keeps the maximum from hiding the bucket's end.
    let told = try #require(histogram([value, value * 2]).percentile(50))
    #expect(told >= value && Double(told) <= Double(value) * 1.001)
    if value < 2048 { #expect(told == value) }
  }

  @Test func `the longest value is told exactly`() {
    #expect(histogram([10_000_001]).percentile(99) == 10_000_001)
    #expect(histogram([3, 10_000_001]).maximum == 10_000_001)
  }

  @Test func `longer than the longest counts as that`() {
    #expect(histogram([.max]).percentile(100) == LatencyHistogram.longestMicroseconds)
  }

  @Test func `against a sorted list percentiles are by nearest rank`() throws {
    var random = SplitMix(state: 11)
    for count in [1, 2, 19, 20, 21, 999, 1000, 1001] {
      let values = (0..<count).map { _ in random.next() % 2048 }
      let sorted = values.sorted()
      let told = histogram(values)
      for percent in 1...100 {
        let rank = (Double(count) * Double(percent) / 100).rounded(.up)
        #expect(told.percentile(percent) == sorted[max(Int(rank), 1) - 1], "\(percent) % of \(count)")
      }
    }
  }

  @Test func `a percentile of 0 or 101 is a fault of ours`() async {
    await #expect(processExitsWith: .failure) { _ = LatencyHistogram().percentile(0) }
    await #expect(processExitsWith: .failure) { _ = LatencyHistogram().percentile(101) }
  }
}

/// Numbers that are the same in every run.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
