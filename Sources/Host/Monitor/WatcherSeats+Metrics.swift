extension DeclaredMetrics {
  static let feedWatchers = MetricDeclaration.gauge("patchbay_feed_watchers", "Who watches the host's feed now.")
}

extension WatcherSeats: MetricSource {
  func collect(into snapshot: inout MetricSnapshot) { snapshot.add(DeclaredMetrics.feedWatchers, Double(count)) }
}
