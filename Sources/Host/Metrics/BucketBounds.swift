/// The upper bounds of a histogram's buckets, as the hot path compares them and as a scrape shows them.
///
/// `@unchecked Sendable`: immutable, and what `cells` points to is never freed; there is one for each declaration.
struct BucketBounds: @unchecked Sendable {
  /// In the unit in which values are observed: nanoseconds, or tokens. Ascending.
  let cells: UnsafePointer<UInt64>
  let count: Int
  /// How many of that unit make one of the metric's own.
  let perUnit: Double

  /// - Parameters:
  ///   - bounds: in the unit in which values are observed, ascending; one bucket more takes what is beyond.
  ///   - perUnit: how many of that unit make one of the metric's.
  init(_ bounds: [UInt64], perUnit: Double) {
    let cells = UnsafeMutablePointer<UInt64>.allocate(capacity: bounds.count)
    cells.initialize(from: bounds, count: bounds.count)
    self.cells = UnsafePointer(cells)
    count = bounds.count
    self.perUnit = perUnit
  }

  /// In the metric's own unit: seconds, or tokens.
  var shown: [Double] { (0..<count).map { Double(cells[$0]) / perUnit } }

  /// Words that a histogram of these bounds takes: a count for each bucket, one for what is beyond, and the sum.
  var words: Int { count + 2 }

  /// The bucket of a value: the first whose bound is not below it.
  @inline(__always)
  func bucket(of value: UInt64) -> Int {
    var index = 0
    while index < count, cells[index] < value { index &+= 1 }
    return index
  }
}

extension BucketBounds {
  private static func microseconds(_ bounds: [UInt64]) -> BucketBounds {
    BucketBounds(bounds.map { $0 * 1_000 }, perUnit: 1e9)
  }

  private static func milliseconds(_ bounds: [UInt64]) -> BucketBounds {
    BucketBounds(bounds.map { $0 * 1_000_000 }, perUnit: 1e9)
  }

  /// A whole request. From 10 ms to 82 s they are those that OpenTelemetry advises for gen_ai.server.request.duration.
  static let duration = microseconds(
    [1_000, 2_500, 5_000]
      + [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240, 20_480, 40_960, 81_920, 163_840, 327_680].map {
        $0 * 1_000
      })
  /// From 1 ms to 10 s those that OpenTelemetry advises for gen_ai.server.time_to_first_token.
  static let firstToken = microseconds(
    [100, 250, 500]
      + [1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000, 30_000, 60_000].map {
        $0 * 1_000
      })
  static let interChunk = microseconds([
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
  ])
  static let queueWait = milliseconds([
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000,
  ])
  static let stage = microseconds([
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000,
  ])
  static let cancel = microseconds([
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000,
  ])
  static let turn = microseconds([
    10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
  ])
  /// As OpenTelemetry advises for gen_ai.server.time_per_output_token.
  static let perToken = milliseconds([10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1_000, 2_500])
  /// As OpenTelemetry advises for gen_ai.client.token.usage: powers of four.
  static let tokens = BucketBounds((0...13).map { 1 << (2 * $0) }, perUnit: 1)
}
