internal import Decisions

/// Makes samples of snapshots: counters become rates, histograms the percentiles of what came since the sample before.
///
/// The first sample has neither, since it has nothing to compare with. Thread: its owner's.
struct HistorySampler {
  /// Series of one sample; what is beyond is left out. The labels of the registry are bounded, so this is never met by a
  /// host of sensible size.
  static let seriesLimit = 4_096

  /// Series that were left out so far.
  private(set) var leftOut: UInt64 = 0
  private var counters: [HistorySeries: Double] = [:]
  private var distributions: [HistorySeries: MetricSnapshot.Distribution] = [:]
  private var takenAt: Instant?

  /// - Parameters:
  ///   - at: milliseconds since 1970, for the sample.
  ///   - now: when the snapshot was taken, for the rates.
  mutating func take(_ snapshot: MetricSnapshot, at: Int64, now: Instant) -> HistorySample {
    let families = Dictionary(snapshot.families.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let seconds = takenAt.map { Double(now.nanoseconds(since: $0)) / 1e9 } ?? 0
    var sample = HistorySample(at: at, points: [])
    var nextCounters: [HistorySeries: Double] = [:]
    var nextDistributions: [HistorySeries: MetricSnapshot.Distribution] = [:]
    for metric in HistoryMetric.all {
      guard let family = families[metric.family] else { continue }
      switch metric.reading {
      case .gauge:
        for (series, value) in Self.numbers(family, metric) { add(series, value, to: &sample) }
      case .rate:
        for (series, total) in Self.numbers(family, metric) {
          nextCounters[series] = total
          guard seconds > 0 else { continue }
          add(series, Self.growth(total, since: counters[series] ?? 0) / seconds, to: &sample)
        }
      case .quantile(let quantile):
        for (series, total) in Self.distributions(family, metric) {
          nextDistributions[series] = total
          guard seconds > 0, let value = total.since(distributions[series])?.quantile(quantile) else { continue }
          add(series, value, to: &sample)
        }
      }
    }
    counters = nextCounters
    distributions = nextDistributions
    takenAt = now
    return sample
  }

  /// A counter that is less than it was began anew at 0.
  static func growth(_ total: Double, since before: Double) -> Double { total >= before ? total - before : total }

  private mutating func add(_ series: HistorySeries, _ value: Double, to sample: inout HistorySample) {
    // Neither a database nor JSON has a number for those.
    guard value.isFinite else { return }
    guard sample.points.count < Self.seriesLimit else {
      leftOut &+= 1
      return
    }
    sample.points.append(.init(series: series, value: value))
  }

  // MARK: - Putting series together

  /// Sums over the labels that the metric does not keep, in the order in which they come.
  private static func numbers(_ family: MetricSnapshot.Family, _ metric: HistoryMetric) -> [(HistorySeries, Double)] {
    grouped(family, metric) { (sum: Double?, value) in
      guard case .number(let number) = value else { return sum }
      return (sum ?? 0) + number
    }
  }

  private static func distributions(_ family: MetricSnapshot.Family, _ metric: HistoryMetric) -> [(
    HistorySeries, MetricSnapshot.Distribution
  )] {
    grouped(family, metric) { (sum: MetricSnapshot.Distribution?, value) in
      guard case .distribution(let distribution) = value else { return sum }
      return sum?.adding(distribution) ?? distribution
    }
  }

  private static func grouped<Value>(
    _ family: MetricSnapshot.Family, _ metric: HistoryMetric, _ add: (Value?, MetricSnapshot.Value) -> Value?
  ) -> [(HistorySeries, Value)] {
    var order: [HistorySeries] = []
    var sums: [HistorySeries: Value] = [:]
    for series in family.series {
      let values = metric.labels.map { name in series.labels.first { $0.name == name }?.value ?? "" }
      let key = HistorySeries(metric: metric.name, values: values)
      guard let sum = add(sums[key], series.value) else { continue }
      if sums.updateValue(sum, forKey: key) == nil { order.append(key) }
    }
    return order.compactMap { key in sums[key].map { (key, $0) } }
  }
}

extension MetricSnapshot.Distribution {
  /// Both together; with other bounds the second is left out, since nobody knows where its observations lie.
  func adding(_ other: Self) -> Self {
    guard bounds == other.bounds, counts.count == other.counts.count else { return self }
    return Self(
      bounds: bounds, counts: zip(counts, other.counts).map { $0 &+ $1 }, sum: sum + other.sum,
      count: count &+ other.count)
  }

  /// What was observed since `earlier`; nil: nothing. One that is less in any place began anew.
  func since(_ earlier: Self?) -> Self? {
    var grown = self
    if let earlier, earlier.bounds == bounds, earlier.counts.count == counts.count, earlier.count <= count,
      zip(counts, earlier.counts).allSatisfy({ $0 >= $1 })
    {
      grown.counts = zip(counts, earlier.counts).map { $0 &- $1 }
      grown.sum = sum - earlier.sum
      grown.count = count &- earlier.count
    }
    return grown.count > 0 ? grown : nil
  }
}
