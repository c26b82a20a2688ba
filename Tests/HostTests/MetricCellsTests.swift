import Testing

@testable import Host

/// Counts and buckets as a loop writes them.
struct MetricCellsTests {
  @Test(arguments: [(0, 0), (9, 0), (10, 0), (11, 1), (19, 1), (20, 1), (21, 2), (.max, 2)] as [(UInt64, Int)])
  func `a value is in the first bucket whose bound it does not pass`(value: UInt64, bucket: Int) {
    #expect(BucketBounds([10, 20], perUnit: 1).bucket(of: value) == bucket)
  }

  @Test func `a histogram counts cumulatively, with its sum in the metric's unit`() throws {
    let bounds = BucketBounds([1_000, 2_000], perUnit: 1_000)
    let cells = MetricCells(count: 1 + bounds.words)
    defer { cells.free() }
    for value: UInt64 in [1, 1_000, 1_001, 5_000] { cells.observe(value, at: 1, bounds) }
    var words = Array(repeating: UInt64(0), count: 1 + bounds.words)
    cells.merge(into: &words)
    let seen = try #require(MetricSnapshot.Distribution(words[...], at: 1, bounds))
    #expect(seen == .init(bounds: [1, 2], counts: [2, 3], sum: 7.002, count: 4))
    #expect(words[0] == 0, "what lies beside it is untouched")
  }

  @Test func `of fewer bounds the counts are the same`() throws {
    let bounds = BucketBounds([1, 2, 4], perUnit: 1)
    let words: [UInt64] = [3, 5, 7, 11, 99]
    let seen = try #require(MetricSnapshot.Distribution(words[...], at: 0, bounds, shown: [2]))
    #expect(seen == .init(bounds: [2], counts: [8], sum: 99, count: 26))
  }

  @Test func `a histogram that observed nothing is not there`() {
    #expect(MetricSnapshot.Distribution([0, 0, 0][...], at: 0, BucketBounds([1], perUnit: 1)) == nil)
  }

  @Test func `a sum that passes the greatest number begins again instead of trapping`() {
    let cells = MetricCells(count: 1)
    defer { cells.free() }
    cells.add(.max, at: 0)
    cells.add(2, at: 0)
    #expect(cells[0] == 1)
  }

  @Test func `every histogram's bounds ascend, and OpenTelemetry's are among ours`() {
    for declaration in DeclaredMetrics.all where declaration.kind == .histogram {
      #expect(!declaration.bounds.isEmpty && declaration.bounds == Array(Set(declaration.bounds)).sorted())
    }
    #expect(DeclaredMetrics.genAIDuration.bounds.count == 14 && DeclaredMetrics.genAIFirstToken.bounds.count == 16)
  }
}
