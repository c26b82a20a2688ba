/// Every figure of the host at one moment: what a scrape, the page, health and history all read.
struct MetricSnapshot: Sendable {
  enum Kind: String, Sendable { case counter, gauge, histogram }

  struct Label: Sendable, Hashable {
    var name: String
    var value: String
  }

  /// Cumulative, as Prometheus has it: `counts[i]` observations were at most `bounds[i]`; all of them are `count`.
  struct Distribution: Sendable, Equatable {
    var bounds: [Double]
    var counts: [UInt64]
    var sum: Double
    var count: UInt64
  }

  enum Value: Sendable, Equatable {
    case number(Double)
    case distribution(Distribution)
  }

  struct Series: Sendable {
    /// In the order of their family's declaration.
    var labels: [Label]
    var value: Value
  }

  struct Family: Sendable {
    /// With its unit and, for counters, `_total`: `patchbay_requests_total`.
    var name: String
    var help: String
    var kind: Kind
    var series: [Series]
  }

  var families: [Family]

  /// nil: there is no such series, or it is a distribution.
  func number(_ name: String, _ labels: [Label] = []) -> Double? {
    guard let family = families.first(where: { $0.name == name }),
      case .number(let value)? = family.series.first(where: { $0.labels == labels })?.value
    else { return nil }
    return value
  }
}
