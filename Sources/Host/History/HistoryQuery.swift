internal import Wire

/// What `/history` is asked for, checked: `metric=NAME&from=MS&to=MS&step=S[&provider=ID]`, or nothing for the names.
struct HistoryQuery: Equatable, Sendable {
  /// Why a query is none, in the words of the answer.
  struct Malformed: Error, Equatable {
    var message: String
  }

  static let pointsLimit: Int64 = 2_000
  /// The last time that a query may name: the year 2286.
  static let lastTime: Int64 = 9_999_999_999_999
  /// Seconds.
  static let steps: ClosedRange<Int64> = 1...2_678_400
  static let providerCharacters = 64
  private static let names = ["metric", "from", "to", "step", "provider"]

  var metric: HistoryMetric
  /// Milliseconds since 1970, multiples of `step`; `to` is not included.
  var from: Int64
  var to: Int64
  /// Milliseconds.
  var step: Int64
  /// Only the series of this one; nil: all.
  var provider: String?

  var pointCount: Int { Int((to - from) / step) }

  /// nil: nothing is asked for, so that the names are.
  ///
  /// - Parameter sample: milliseconds between two samples: an absent step is no finer.
  init?(_ query: String?, now: Int64, sample: Int64 = 1_000) throws(Malformed) {
    let fields = try Self.fields(query ?? "")
    if fields.isEmpty { return nil }
    guard let name = fields["metric"] else {
      throw Malformed(message: "metric: found nothing, expected one of the names that /history lists")
    }
    guard let metric = HistoryMetric.named(name) else {
      throw Malformed(
        message: "metric: found \(Self.shown(name)), expected one of the names that /history without parameters lists")
    }
    self.metric = metric
    let end = try Self.number(fields, "to", 1...Self.lastTime, "milliseconds since 1970") ?? min(now, Self.lastTime)
    let start =
      try Self.number(fields, "from", 0...Self.lastTime, "milliseconds since 1970") ?? max(0, end - HistoryTiers.hour)
    guard start < end else {
      throw Malformed(message: "from: found \(start), expected less than to, which is \(end)")
    }
    let least = Self.leastStep(start, end)
    let seconds = try Self.number(fields, "step", Self.steps, "seconds") ?? max(least, (sample + 999) / 1_000)
    step = seconds * 1_000
    from = HistoryTiers.floor(start, step)
    to = HistoryTiers.ceiling(end, step)
    guard Int64(pointCount) <= Self.pointsLimit else {
      throw Malformed(
        message: "step: found \(seconds), which makes \(pointCount) points, expected at least \(least) for this range: "
          + "a series has at most \(Self.pointsLimit)")
    }
    if let provider = fields["provider"] {
      guard metric.labels.contains("provider") else {
        throw Malformed(message: "provider: found \(Self.shown(provider)), expected none: \(name) has no providers")
      }
      guard (1...Self.providerCharacters).contains(provider.unicodeScalars.count) else {
        throw Malformed(
          message:
            "provider: found \(provider.unicodeScalars.count) characters, expected 1 to \(Self.providerCharacters)"
        )
      }
      self.provider = provider
    }
  }

  /// The smallest that keeps to the limit, wherever the range begins: its ends may take a point each.
  private static func leastStep(_ start: Int64, _ end: Int64) -> Int64 {
    let milliseconds = end - start
    return max(1, (milliseconds + (pointsLimit - 1) * 1_000 - 1) / ((pointsLimit - 1) * 1_000))
  }

  // MARK: - Fields

  private static func fields(_ query: String) throws(Malformed) -> [String: String] {
    var fields: [String: String] = [:]
    for part in query.split(separator: "&", omittingEmptySubsequences: true) {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(pair[0])
      guard names.contains(name) else {
        throw Malformed(message: "found the parameter \(shown(name)), expected one of \(names.joined(separator: ", "))")
      }
      guard pair.count == 2, let value = HTTPText.percentDecoded(pair[1]), !value.isEmpty else {
        throw Malformed(message: "\(name): found no value, expected \(name)=VALUE, percent-encoded UTF-8")
      }
      guard fields.updateValue(value, forKey: name) == nil else {
        throw Malformed(message: "\(name): found it twice, expected it once")
      }
    }
    return fields
  }

  /// nil: it is absent.
  private static func number(
    _ fields: [String: String], _ name: String, _ range: ClosedRange<Int64>, _ unit: String
  ) throws(Malformed) -> Int64? {
    guard let text = fields[name] else { return nil }
    let isPlain = text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    guard isPlain, let number = Int64(text), range.contains(number) else {
      throw Malformed(
        message: "\(name): found \(shown(text)), expected a whole number of \(unit) from \(range.lowerBound) to "
          + "\(range.upperBound)")
    }
    return number
  }

  private static func shown(_ text: String) -> String { CallError.shortened(text).debugDescription }
}

/// What is told of a metric's past.
struct HistoryAnswer: Equatable, Sendable {
  struct Series: Equatable, Sendable {
    /// Values of the metric's labels.
    var values: [String]
    /// One for each step from the query's `from` on; nil: nothing is known of that time.
    var points: [Double?]
  }

  var query: HistoryQuery
  var series: [Series]
}
