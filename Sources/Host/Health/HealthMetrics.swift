import Decisions

extension DeclaredMetrics {
  static let componentStatus = MetricDeclaration.gauge(
    "patchbay_component_status", ["component"], "How a part of the host is: 0 healthy, 1 degraded, 2 unhealthy.")
  static let alertsActive = MetricDeclaration.gauge(
    "patchbay_alerts_active", ["severity"], "Alerts that are raised: warning or critical.")
  static let health = [componentStatus, alertsActive]
}

/// What health adds to every snapshot: the state of the last look, a second old at most. Thread: any.
struct HealthMetrics: MetricSource {
  let monitor: HealthMonitor

  func collect(into snapshot: inout MetricSnapshot) {
    let (statuses, alerts) = monitor.last()
    for (name, status) in statuses {
      snapshot.add(DeclaredMetrics.componentStatus, Double(status.rawValue), labels: [name.rawValue])
    }
    for severity in [AlertEpisode.Severity.warning, .critical] {
      snapshot.add(
        DeclaredMetrics.alertsActive, Double(alerts.count { $0.severity == severity }), labels: [severity.name])
    }
  }
}
