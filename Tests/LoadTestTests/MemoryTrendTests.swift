import Testing

@testable import LoadTest

struct MemoryTrendTests {
  /// One sample a second from 0 to `seconds`.
  private func trend(seconds: Int, bytes: (Double) -> Double) -> MemoryTrend {
    var trend = MemoryTrend()
    for second in 0...seconds { trend.add(seconds: Double(second), bytes: bytes(Double(second))) }
    return trend
  }

  @Test func `a straight line is found`() throws {
    let slope = try #require(trend(seconds: 60) { 1_000_000 + 10 * $0 }.slope(minimumSeconds: 50))
    #expect(abs(slope.bytesPerHour - 36_000) < 0.001)
    #expect(slope.spanSeconds == 30 && slope.samples == 31)
    #expect(abs(slope.risePercent - 300 * 100 / 1_000_300) < 0.000_001)
  }

  @Test func `flat memory has no slope, falling memory a negative one`() throws {
    #expect(try #require(trend(seconds: 60) { _ in 5000 }.slope(minimumSeconds: 1)).bytesPerHour == 0)
    #expect(try #require(trend(seconds: 60) { 5000 - $0 }.slope(minimumSeconds: 1)).risePercent < 0)
  }

  @Test func `what memory did in the first half is not judged`() throws {
    let slope = try #require(trend(seconds: 100) { $0 < 50 ? 1000 * $0 : 50_000 }.slope(minimumSeconds: 50))
    #expect(slope.bytesPerHour == 0)
  }

  @Test func `noise around a level is no slope to speak of`() throws {
    let slope = try #require(
      trend(seconds: 1000) { 1_000_000 + (Int($0).isMultiple(of: 2) ? 500 : -500) }.slope(minimumSeconds: 50))
    #expect(abs(slope.risePercent) < 0.01)
  }

  @Test(arguments: [(49, false), (50, true), (51, true)])
  func `a run that spans too little is not judged`(seconds: Int, isJudged: Bool) {
    #expect((trend(seconds: seconds) { $0 }.slope(minimumSeconds: 50) != nil) == isJudged)
  }

  @Test func `too few samples in the last half are not judged`() {
    func sparse(_ count: Int) -> MemoryTrend {
      var trend = MemoryTrend()
      for index in 0..<count { trend.add(seconds: Double(index * 10), bytes: 1) }
      return trend
    }
    // Of 18 samples 9 are in the last half, of 19 ten.
    #expect(sparse(18).slope(minimumSeconds: 1) == nil)
    #expect(sparse(19).slope(minimumSeconds: 1) != nil)
    #expect(MemoryTrend().slope(minimumSeconds: 0) == nil)
  }

  @Test func `samples of one moment have no slope`() {
    var trend = MemoryTrend()
    for _ in 0..<50 { trend.add(seconds: 0, bytes: 1) }
    #expect(trend.slope(minimumSeconds: 0) == nil)
  }

  @Test func `a day of samples is bounded, evenly spaced and keeps its slope`() throws {
    let seconds = 86_400
    let day = trend(seconds: seconds) { 1_000_000 + 2 * $0 }
    #expect(day.count < MemoryTrend.samplesLimit && day.count >= MemoryTrend.samplesLimit / 2)
    #expect(day.spanSeconds > Double(seconds) * 0.99)
    let slope = try #require(day.slope(minimumSeconds: 50))
    #expect(abs(slope.bytesPerHour - 7200) < 0.01)
    #expect(abs(Double(slope.samples) - Double(day.count) / 2) <= 1)
  }

  @Test func `time that goes back is a fault of ours`() async {
    await #expect(processExitsWith: .failure) {
      var trend = MemoryTrend()
      trend.add(seconds: 2, bytes: 1)
      trend.add(seconds: 1, bytes: 1)
    }
  }
}
