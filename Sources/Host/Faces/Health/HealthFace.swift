import Decisions
import JSON

/// The health paths (docs/protocol.md): whether the process lives, may receive traffic, and why not.
///
/// What can be read at once is read when it is asked for; the rest is a second old. Thread: the loop's.
struct HealthFace {
  /// Paths that need no token, for probes that have none.
  static let openPaths: Set = ["/livez", "/health/live", "/readyz", "/health/ready"]

  /// Every path that is answered here.
  static let paths = openPaths.union(["/health", "/healthz", "/health/semaphores", "/health/memory"])

  /// nil: nothing is served at this path.
  static func route(at path: String) -> Route? {
    guard paths.contains(path) else { return nil }
    return Route(access: openPaths.contains(path) ? .open : .viewer, isForAnyOrigin: true) { head, loop in
      .reply(
        HealthFace(loop.services.health, loop.services.metrics).reply(to: head.path)
          ?? .error(404, "nothing is served at this path"))
    }
  }

  private let monitor: HealthMonitor
  private let metrics: MetricsRegistry
  private let now = Instant.now()

  init(_ monitor: HealthMonitor, _ metrics: MetricsRegistry) {
    self.monitor = monitor
    self.metrics = metrics
  }

  /// nil: nothing is served at this path. 503: it does not live, or is not ready; whoever is merely not well is 200.
  func reply(to path: String) -> HTTPReply? {
    switch path {
    case "/livez", "/health/live": live(monitor.facts(now: now))
    case "/readyz", "/health/ready": ready(monitor.facts(now: now))
    case "/health", "/healthz": whole(monitor.report(now: now))
    case "/health/semaphores": json(200, semaphores(monitor.facts(now: now), monitor.report(now: now)))
    case "/health/memory": json(200, memory(monitor.facts(now: now), monitor.report(now: now)))
    default: nil
    }
  }

  private func json(_ status: Int, _ members: [JSONValue.Member]) -> HTTPReply {
    HTTPReply(status: status, body: JSONValue.object(members).text + "\n")
  }

  /// That this loop turns is proved by the answer; another that does not costs its clients as much.
  private func live(_ facts: HealthFacts) -> HTTPReply {
    json(facts.isLive ? 200 : 503, [.init("status", .string(facts.isLive ? "live" : "a loop stands still"))])
  }

  private func ready(_ facts: HealthFacts) -> HTTPReply {
    json(facts.isReady ? 200 : 503, [.init("status", .string(facts.isReady ? "ready" : facts.state))])
  }

  private func whole(_ report: HealthReport) -> HTTPReply {
    json(report.isReady ? 200 : 503, report.members + [.init("requests", requests)])
  }

  private var requests: JSONValue {
    guard let counts = metrics.requestCounts() else { return .null }
    let sum = counts.values.reduce(into: RequestCounts()) { $0.add($1) }
    let providers = counts.filter { !$0.key.isEmpty }.sorted { $0.key < $1.key }
    return .object(
      sum.json + [.init("providers", .object(providers.map { .init($0.key, .object($0.value.json)) }))])
  }

  /// The words of the permits are those of this very moment; the alerts have their hysteresis.
  private func semaphores(_ facts: HealthFacts, _ report: HealthReport) -> [JSONValue.Member] {
    let status = facts.permitStatus(limit: facts.reading.globalLimit, inFlight: facts.reading.inFlight)
    return [.init("status", .string(status))] + facts.permitDetails
      + alerts(of: ["host_permits", "provider_permits", "overdue_permits"], report)
  }

  private func memory(_ facts: HealthFacts, _ report: HealthReport) -> [JSONValue.Member] {
    let component = report[.memory]
    return [
      .init("status", .string((component?.status ?? .healthy).name)),
      .init("message", .string(component?.message ?? "")),
      .init("remedy", .string(component?.remedy ?? "")),
    ] + facts.memoryDetails + alerts(of: ["memory_growth", "worker_memory_growth"], report)
  }

  private func alerts(of names: Set<String>, _ report: HealthReport) -> [JSONValue.Member] {
    [
      .init("alerts", .array(report.alerts.filter { names.contains($0.name) }.map(\.json))),
      .init("recent_alerts", .array(report.recentAlerts.filter { names.contains($0.name) }.map(\.json))),
    ]
  }
}
