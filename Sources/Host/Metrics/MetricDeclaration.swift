/// One metric as the host declares it: its name, kind, labels, buckets and meaning are said here and nowhere else.
struct MetricDeclaration: Sendable {
  /// As Prometheus has it: with its unit, and `_total` for a counter.
  let name: String
  let kind: MetricSnapshot.Kind
  let labels: [String]
  /// One sentence or two, for whoever reads the scrape.
  let help: String
  /// Of a histogram, in the metric's unit.
  let bounds: [Double]

  static func counter(_ name: String, _ help: String) -> MetricDeclaration { counter(name, [], help) }
  static func counter(_ name: String, _ labels: [String], _ help: String) -> MetricDeclaration {
    MetricDeclaration(name: name, kind: .counter, labels: labels, help: help, bounds: [])
  }

  static func gauge(_ name: String, _ help: String) -> MetricDeclaration { gauge(name, [], help) }
  static func gauge(_ name: String, _ labels: [String], _ help: String) -> MetricDeclaration {
    MetricDeclaration(name: name, kind: .gauge, labels: labels, help: help, bounds: [])
  }

  static func histogram(_ name: String, _ labels: [String], _ bounds: [Double], _ help: String) -> MetricDeclaration {
    MetricDeclaration(name: name, kind: .histogram, labels: labels, help: help, bounds: bounds)
  }

  /// The labels of one series, in their order.
  func labelled(_ values: [String]) -> [MetricSnapshot.Label] {
    precondition(values.count == labels.count, "\(name) has \(labels.count) labels, not \(values.count)")
    return zip(labels, values).map { MetricSnapshot.Label(name: $0, value: $1) }
  }
}

extension MetricSnapshot.Family {
  init(_ declaration: MetricDeclaration) {
    self.init(name: declaration.name, help: declaration.help, kind: declaration.kind, series: [])
  }
}

extension MetricSnapshot {
  /// Adds one series of a counter or gauge: how a `MetricSource` tells a figure.
  ///
  /// - Parameter labels: their values, in the order of the declaration.
  mutating func add(_ declaration: MetricDeclaration, _ number: Double, labels: [String] = []) {
    let series = Series(labels: declaration.labelled(labels), value: .number(number))
    if let index = families.firstIndex(where: { $0.name == declaration.name }) {
      families[index].series.append(series)
    } else {
      var family = Family(declaration)
      family.series.append(series)
      families.append(family)
    }
  }
}

/// A room whose figures belong into every snapshot: it adds them itself, by declarations of `DeclaredMetrics.all`.
protocol MetricSource: Sendable {
  /// Thread: any; must not wait.
  func collect(into snapshot: inout MetricSnapshot)
}
