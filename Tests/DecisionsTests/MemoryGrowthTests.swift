import Testing

@testable import Decisions

private let mebibyte = 1_048_576

/// A growth from a sample every two seconds.
private func growth(seconds: Int, _ bytes: (Int) -> Int) -> MemoryGrowth {
  var growth = MemoryGrowth()
  for second in stride(from: 0, through: seconds, by: 2) {
    growth.add(bytes: bytes(second), now: Instant(nanoseconds: 7_000_000_000 + UInt64(second) * 1_000_000_000))
  }
  return growth
}

struct MemoryGrowthTests {
  @Test(arguments: [(58, false), (60, true), (62, true)])
  func `nothing is said before a minute of samples`(seconds: Int, says: Bool) {
    #expect((growth(seconds: seconds) { $0 * mebibyte }.growth != nil) == says)
  }

  @Test func `a steady leak has its rate`() throws {
    let found = try #require(growth(seconds: 300) { 100 * mebibyte + $0 * mebibyte / 10 }.growth)
    #expect(abs(found.bytesPerSecond - 104_857.6) < 2_000)
    #expect(found.spanSeconds == 300 && abs(found.riseBytes - 30 * 1_048_576) < 600_000)
  }

  @Test(arguments: Array(stride(from: 0, through: 300, by: 10)))
  func `one step is no growth, whenever it comes and however large it is`(at: Int) throws {
    let found = try #require(growth(seconds: 300) { $0 < at ? 50 * mebibyte : 5_000 * mebibyte }.growth)
    #expect(found.bytesPerSecond == 0)
  }

  @Test func `a sawtooth is no growth`() throws {
    let found = try #require(growth(seconds: 600) { (50 + $0 % 20) * mebibyte }.growth)
    #expect(abs(found.riseBytes) < 5 * 1_048_576)
  }

  @Test func `only the last ten minutes count`() throws {
    let found = try #require(growth(seconds: 3_600) { $0 < 2_990 ? $0 * mebibyte : 2_990 * mebibyte }.growth)
    #expect(found.spanSeconds == 600 && found.bytesPerSecond == 0)
  }

  @Test func `samples that come too soon are left out`() {
    var growth = MemoryGrowth()
    for millisecond in 0..<4_000 {
      growth.add(bytes: 1, now: Instant(nanoseconds: UInt64(millisecond) * 1_000_000))
    }
    #expect(growth.spanNanoseconds == 2_000_000_000)
  }

  @Test func `a hole in the samples is no ground for a rate`() {
    var growth = MemoryGrowth()
    for second in [0, 2, 4, 596, 598, 600] as [UInt64] {
      growth.add(bytes: Int(second) * mebibyte, now: Instant(nanoseconds: second * 1_000_000_000))
    }
    #expect(growth.growth == nil)
  }
}
