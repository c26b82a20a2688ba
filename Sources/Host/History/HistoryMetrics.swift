extension DeclaredMetrics {
  static let historyQueue = MetricDeclaration.gauge(
    "patchbay_history_queue", "Samples that wait to be written; at 60 the oldest are dropped.")
  static let historySamples = MetricDeclaration.counter(
    "patchbay_history_samples_total", "Samples that were written to the history.")
  static let historyDropped = MetricDeclaration.counter(
    "patchbay_history_dropped_total", "Samples that were lost, as the history could not be written for ten minutes.")
  static let historyBytes = MetricDeclaration.gauge(
    "patchbay_history_bytes", "Size of the history's file; 0 while none is open.")
  static let history = [historyQueue, historySamples, historyDropped, historyBytes]
}

extension History: MetricSource {
  func collect(into snapshot: inout MetricSnapshot) {
    let figures = figures
    snapshot.add(DeclaredMetrics.historyQueue, Double(figures.queued))
    snapshot.add(DeclaredMetrics.historySamples, Double(figures.written))
    snapshot.add(DeclaredMetrics.historyDropped, Double(figures.dropped))
    snapshot.add(DeclaredMetrics.historyBytes, Double(figures.bytes))
  }
}
