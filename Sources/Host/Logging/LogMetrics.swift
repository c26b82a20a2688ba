extension DeclaredMetrics {
  static let logSuppressed = MetricDeclaration.counter(
    "patchbay_log_suppressed_total", "Lines of the log that were left out, as their message had come too often.")
  static let log = [logSuppressed]
}

extension Log: MetricSource {
  func collect(into snapshot: inout MetricSnapshot) {
    snapshot.add(DeclaredMetrics.logSuppressed, Double(leftOutLines))
  }
}
