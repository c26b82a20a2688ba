import JSON

/// How many requests ended how since the start: what `patchbay_requests_total` sums up to.
struct RequestCounts: Equatable, Sendable {
  /// By the place of each outcome.
  private var counts = Array(repeating: UInt64(0), count: RequestOutcome.allCases.count)

  subscript(outcome: RequestOutcome) -> UInt64 { counts[outcome.place] }

  mutating func add(_ cells: MetricCells) {
    for place in counts.indices { counts[place] &+= cells[RequestCells.Place.outcomes + place] }
  }

  mutating func add(_ other: RequestCounts) {
    for place in counts.indices { counts[place] &+= other.counts[place] }
  }

  var json: [JSONValue.Member] {
    RequestOutcome.allCases.map { .init($0.rawValue, .integer(Int64(truncatingIfNeeded: self[$0]))) }
  }
}

extension MetricsRegistry {
  /// By the provider's id, "" for what the host answered itself; nil: nothing is counted. A look at a few words of each
  /// series: much less than a snapshot.
  func requestCounts() -> [String: RequestCounts]? {
    let (series, meters) = counted()
    guard !meters.isEmpty else { return nil }
    var counts: [String: RequestCounts] = [:]
    for (number, one) in series.enumerated() {
      for meter in meters {
        if let cells = meter.cells(ofSeries: number) { counts[one.provider, default: RequestCounts()].add(cells) }
      }
    }
    return counts
  }
}
