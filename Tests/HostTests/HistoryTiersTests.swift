import Testing

@testable import Host

private let minute = HistoryTiers.minute
private let hour = HistoryTiers.hour
private let day = HistoryTiers.day

struct HistoryTiersTests {
  private let tiers = HistoryTiers(sample: 10_000, keep: 30 * day)

  @Test func `samples are kept for hours, minutes for days, tens of minutes for the whole time`() {
    #expect(tiers.tiers.map(\.step) == [10_000, minute, 10 * minute])
    #expect(tiers.tiers.map(\.keep) == [6 * hour, 2 * day, 30 * day])
    #expect(HistoryTiers(sample: 10_000, keep: day).tiers.map(\.keep) == [6 * hour, day, day])
    #expect(tiers.tiers.reduce(0) { $0 + $1.keep / $1.step } == 9_360)
  }

  @Test(
    arguments: [(0, 0, 0), (9, 0, 10), (10, 10, 10), (11, 10, 20), (-1, -10, 0), (-10, -10, -10)]
      as [(Int64, Int64, Int64)])
  func `times are brought to multiples`(at: Int64, floor: Int64, ceiling: Int64) {
    #expect(HistoryTiers.floor(at, 10) == floor && HistoryTiers.ceiling(at, 10) == ceiling)
  }

  @Test func `what is due is whole, and a clock that is set back begins there`() {
    #expect(HistoryTiers.due(step: 60, until: nil, complete: 130) == (120..<120, 120))
    #expect(HistoryTiers.due(step: 60, until: 120, complete: 179) == (120..<120, 120))
    #expect(HistoryTiers.due(step: 60, until: 120, complete: 180) == (120..<180, 180))
    #expect(HistoryTiers.due(step: 60, until: 120, complete: 7_219) == (120..<7_200, 7_200))
    #expect(HistoryTiers.due(step: 60, until: 600, complete: 200) == (180..<180, 180))
  }

  // MARK: - Segments

  /// At 1,000 hours: everything was put together but the last minutes.
  private static let now = 1_000 * hour

  private func segments(_ from: Int64, _ to: Int64, step: Int64) -> [HistoryTiers.Segment] {
    tiers.segments(
      from: Self.now + from, to: Self.now + to, step: step, rolled: [Self.now, Self.now - 10 * minute],
      newest: Self.now + 5_000
    ).map { .init(tier: $0.tier, from: $0.from - Self.now, to: $0.to - Self.now) }
  }

  @Test func `a short range is of samples`() {
    #expect(segments(-hour, minute, step: 10_000) == [.init(tier: 0, from: -hour, to: minute)])
    #expect(segments(-hour, minute, step: 59_999).map(\.tier) == [0])
    #expect(segments(-hour, minute, step: 1_000).map(\.tier) == [0], "finer than samples there is nothing")
  }

  @Test func `what is not put together yet is of finer points`() {
    #expect(
      segments(-hour, minute, step: minute) == [
        .init(tier: 1, from: -hour, to: 0), .init(tier: 0, from: 0, to: minute),
      ])
    #expect(
      segments(-hour, minute, step: 10 * minute) == [
        .init(tier: 2, from: -hour, to: -10 * minute), .init(tier: 1, from: -10 * minute, to: 0),
        .init(tier: 0, from: 0, to: minute),
      ])
  }

  @Test func `what is older than fine points are kept is of coarser ones`() {
    #expect(
      segments(-3 * day, 0, step: 10_000) == [
        .init(tier: 2, from: -3 * day, to: -2 * day + 10 * minute),
        .init(tier: 1, from: -2 * day + 10 * minute, to: -6 * hour + minute),
        .init(tier: 0, from: -6 * hour + minute, to: 0),
      ])
  }

  @Test(arguments: [10_000, 60_000, 600_000, 3_600_000] as [Int64])
  func `segments cover a range without a gap and without a point twice`(step: Int64) {
    let found = segments(-20 * day, hour, step: step)
    #expect(found.first?.from == -20 * day && found.last?.to == hour)
    for (left, right) in zip(found, found.dropFirst()) { #expect(left.to == right.from) }
  }
}

struct HistoryCellTests {
  @Test func `points of several tiers count by the time they stand for`() {
    var cell = HistoryCell()
    #expect(cell.value(.mean) == nil && cell.value(.largest) == nil)
    cell.add(sum: 6, count: 2, largest: 4, weight: 10)
    cell.add(sum: 9, count: 1, largest: 9, weight: 60)
    #expect(cell.value(.mean) == (60.0 + 540) / 80)
    #expect(cell.value(.largest) == 9)
  }
}
