import Decisions
import JSON

/// The health paths (docs/protocol.md): whether the process lives, may receive traffic, and why not.
///
/// Every figure is read when it is asked for. Thread: the loop's.
struct HealthFace {
  /// Paths that need no token, for probes that have none.
  static let openPaths: Set = ["/livez", "/health/live", "/readyz", "/health/ready"]

  /// Every path that is answered here.
  static let paths = openPaths.union(["/health", "/healthz", "/health/semaphores"])

  /// nil: nothing is served at this path.
  static func route(at path: String) -> Route? {
    guard paths.contains(path) else { return nil }
    return Route(access: openPaths.contains(path) ? .open : .viewer, isForAnyOrigin: true) { head, loop in
      .reply(HealthFace(loop: loop).reply(to: head.path) ?? .error(404, "nothing is served at this path"))
    }
  }

  private let report: HostReport

  init(loop: HostLoop) { report = HostReport(loop: loop) }

  /// nil: nothing is served at this path.
  func reply(to path: String) -> HTTPReply? {
    switch path {
    case "/livez", "/health/live": json(200, [.init("status", .string("live"))])
    case "/readyz", "/health/ready":
      json(isReady ? 200 : 503, [.init("status", .string(isReady ? "ready" : state))])
    case "/health", "/healthz": json(isReady ? 200 : 503, whole)
    case "/health/semaphores": json(200, semaphores)
    default: nil
    }
  }

  private func json(_ status: Int, _ members: [JSONValue.Member]) -> HTTPReply {
    HTTPReply(status: status, body: JSONValue.object(members).text + "\n")
  }

  // MARK: - The whole

  /// Those that serve, each with its figures.
  private var providers: [(any ProviderInstance, Core.ProviderReading)] {
    guard let routing = report.routing else { return [] }
    return routing.active.filter { report.reading.providers.indices.contains($0) }
      .map { (routing.providers[$0], report.reading.providers[$0]) }
  }
  private var isReady: Bool { !report.reading.isDraining && !providers.isEmpty }

  private var state: String {
    if report.reading.isDraining { return "draining" }
    return report.routing == nil ? "starting" : "no provider is active"
  }

  private var whole: [JSONValue.Member] {
    let isDegraded =
      report.reading.overdueLeases > 0 || report.reading.counters.droppedPermits > 0
      || providers.contains { !$0.1.breaker.isClosed }
    return [
      .init("status", .string(!isReady ? "unhealthy" : isDegraded ? "degraded" : "healthy")),
      .init("state", .string(isReady ? "running" : state)), .init("version", .string(report.services.version)),
      .init("uptime_seconds", .integer(Int64(report.uptimeSeconds))),
      .init(
        "components",
        .object([
          .init("semaphores", .object(semaphores)),
          .init("providers", .object(providerStates)),
          .init(
            "websocket",
            .object([
              .init("connections", .integer(Int64(report.reading.connections))),
              .init("sessions", .integer(Int64(report.reading.sessions))),
            ])),
          .init("queue", .object([.init("queued", .integer(Int64(report.reading.queued)))])),
        ])),
    ]
  }

  private var providerStates: [JSONValue.Member] {
    providers.map { provider, figures in
      .init(
        provider.information.id,
        .string(figures.breaker.isClosed ? "active" : "breaker_\(figures.breaker.name)"))
    }
  }

  // MARK: - Permits

  /// `current` is what is free, as in the daemon that clients of these paths know.
  private var semaphores: [JSONValue.Member] {
    let reading = report.reading
    let global = permits(limit: reading.globalLimit, inFlight: reading.inFlight)
    let each = providers.map { provider, figures in
      JSONValue.Member(
        provider.information.id,
        .object(
          permits(limit: figures.limit, inFlight: figures.inFlight) + [
            .init("configured", .integer(Int64(figures.configuredLimit))),
            .init("breaker", .string(figures.breaker.name)),
          ]))
    }
    let leases: [JSONValue.Member] = [
      .init("active", .integer(Int64(reading.inFlight))),
      .init("oldest_seconds", .double(Double(reading.oldestLeaseNanoseconds / 1_000_000) / 1000)),
      .init("overdue", .integer(Int64(reading.overdueLeases))),
    ]
    return [
      .init("status", .string(status(limit: reading.globalLimit, inFlight: reading.inFlight))),
      .init("global", .object(global)), .init("providers", .object(each)), .init("leases", .object(leases)),
    ]
  }

  private func permits(limit: Int, inFlight: Int) -> [JSONValue.Member] {
    [
      .init("current", .integer(Int64(limit - inFlight))), .init("expected", .integer(Int64(limit))),
      .init("utilization", .double(Double(inFlight) / Double(max(limit, 1)))),
      .init("status", .string(status(limit: limit, inFlight: inFlight))),
    ]
  }

  /// A leak is a lease past its deadline, never one in use.
  private func status(limit: Int, inFlight: Int) -> String {
    if report.reading.overdueLeases > 0 { return "leak_detected" }
    if inFlight >= limit { return "exhausted" }
    return inFlight * 10 > limit * 9 ? "high_utilization" : "healthy"
  }
}
