import Decisions
import JSON

// What each component makes of the facts. Thresholds are the alerts', which have a hysteresis; here are the words.
extension HealthFacts {
  /// - Parameter alerts: those that are raised.
  func reading(_ name: HealthReport.Component.Name, _ alerts: [AlertBook.Alert]) -> ComponentReading {
    switch name {
    case .storage: storage(alerts)
    case .memory: memory(alerts)
    case .disk: disk(alerts)
    case .semaphores: semaphores(alerts)
    case .providers: providersReading(alerts)
    case .websocket: websocket(alerts)
    case .queue: queue(alerts)
    case .loops: loops(alerts)
    case .log: log(alerts)
    case .configuration: configuration
    }
  }

  /// Degraded by the worst of the alerts of some names; healthy with `message` when there is none.
  private func by(
    _ alerts: [AlertBook.Alert], _ names: Set<String>, else message: String, _ details: [JSONValue.Member]
  ) -> ComponentReading {
    let own = alerts.filter { names.contains($0.name) }
    guard let worst = own.first else { return .healthy(message, details) }
    let more = own.count > 1 ? " (and \(own.count - 1) more, see alerts)" : ""
    return ComponentReading(
      status: .degraded, message: worst.message + more, remedy: worst.remedy, details: details)
  }

  // MARK: - Storage, memory, disk, log

  private func storage(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    guard let storage = surroundings.storage else { return .healthy("no history is kept") }
    var details: [JSONValue.Member] = []
    if let queue = surroundings.storageQueue {
      details = [
        .init("queued", .integer(Int64(queue.used))), .init("queue_limit", .integer(Int64(queue.limit))),
      ]
    }
    guard storage.isHealthy else {
      return ComponentReading(
        status: .degraded, message: storage.message, remedy: storage.remedy, details: details)
    }
    return by(alerts, ["storage_queue"], else: storage.message, details)
  }

  /// As `/health/memory` has it too.
  var memoryDetails: [JSONValue.Member] {
    var members = surroundings.process.map(Self.members) ?? []
    members.append(
      .init(
        "workers",
        .object(
          surroundings.workers.sorted { $0.key < $1.key }.map { .init($0.key, .object(Self.members($0.value))) })))
    return members
  }

  private static func members(_ memory: ProcessMemory) -> [JSONValue.Member] {
    [
      .init("pid", .integer(Int64(memory.pid))), .init("resident_bytes", .integer(Int64(memory.residentBytes))),
      .init("growth_bytes_per_hour", memory.growth.map { .integer(whole($0.bytesPerSecond * 3600)) } ?? .null),
      .init("sampled_seconds", .integer(Int64(memory.sampledSeconds))),
    ]
  }

  private static func whole(_ number: Double) -> Int64 { Int64(exactly: number.rounded()) ?? 0 }

  private func memory(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    let now = surroundings.process.map { "\(Self.mebibytes(Double($0.residentBytes))) MiB are resident" }
    return by(
      alerts, ["memory_growth", "worker_memory_growth"], else: now ?? "not looked at yet", memoryDetails)
  }

  private func disk(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    let details: [JSONValue.Member] = [.init("paths", .array(surroundings.disks.map(\.json)))]
    if surroundings.diskSilenceSeconds > 0 {
      return ComponentReading(
        status: .degraded, message: "a disk has not answered for \(surroundings.diskSilenceSeconds) s",
        remedy: "see whether the file system of state_directory or storage.path hangs (a network mount?)",
        details: details)
    }
    let fullest = surroundings.disks.max { $0.usedPercent < $1.usedPercent }
    var reading = by(alerts, ["disk"], else: fullest?.message ?? "not looked at yet", details)
    if alerts.contains(where: { $0.name == "disk" && $0.severity == .critical }) { reading.status = .unhealthy }
    return reading
  }

  private func log(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    guard let log = surroundings.log else { return .healthy("lines are written") }
    guard log.isHealthy else {
      return ComponentReading(status: .degraded, message: log.message, remedy: log.remedy)
    }
    return .healthy(log.message)
  }

  private var configuration: ComponentReading {
    guard let first = refusedReload.first else { return .healthy("what was loaded last is in force") }
    let more = refusedReload.count > 1 ? " (and \(refusedReload.count - 1) more)" : ""
    return ComponentReading(
      status: .degraded, message: "the changed configuration was refused, the one before stays: \(first)\(more)",
      remedy: "mend the file ('patchbay check' says all that is wrong), then 'patchbay reload'",
      details: [.init("faults", .array(refusedReload.map(JSONValue.string)))])
  }

  // MARK: - Calls and clients

  private func semaphores(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    if reading.overdueLeases > 0 || reading.counters.droppedPermits > 0 {
      let (overdue, dropped) = (reading.overdueLeases, reading.counters.droppedPermits)
      return ComponentReading(
        status: .degraded,
        message: "\(overdue) permits are held past their deadline, \(dropped) were dropped instead of released",
        remedy: "a fault of the host: report it with the log; overdue permits are taken back by themselves",
        details: permitDetails)
    }
    return by(
      alerts, ["host_permits", "provider_permits"],
      else: "\(reading.inFlight) of \(reading.globalLimit) permits are in use", permitDetails)
  }

  private func providersReading(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    let details: [JSONValue.Member] = [
      .init("providers", .object(providers.map { .init($0.id, .object($0.members)) })),
      .init(
        "failed",
        .object(
          refused.map {
            .init($0.id, .object([.init("message", .string($0.reason)), .init("remedy", .string($0.remedy))]))
          })),
    ]
    guard !serving.isEmpty else {
      let first = refused.first
      let reason = !isRouted && refused.isEmpty ? "the providers are coming up" : "no provider is active"
      return ComponentReading(
        status: .unhealthy, message: reason + (first.map { "; \($0.id): \($0.reason)" } ?? ""),
        remedy: first?.remedy ?? (isRouted ? "put a plugin into one of plugins.directories" : "wait for 'ready'"),
        details: details)
    }
    let spent = providers.filter(\.isSpent)
    let broken = serving.filter { !$0.figures.breaker.isClosed }
    if let provider = broken.first {
      return degraded(
        "\(provider.id) fails: its breaker is \(provider.figures.breaker.name)", of: broken.count + spent.count,
        "look at its status page, key and bill; it closes with the first call that succeeds", details)
    }
    if let provider = spent.first {
      return degraded(
        "the plugin of \(provider.id) is in quarantine", of: spent.count,
        "replace its file, or run 'patchbay plugin unquarantine' and 'patchbay reload'", details)
    }
    if let first = refused.first {
      return degraded("\(first.id) could not come up: \(first.reason)", of: refused.count, first.remedy, details)
    }
    return by(alerts, ["worker_crash"], else: "\(serving.count) active", details)
  }

  private func degraded(
    _ message: String, of count: Int, _ remedy: String, _ details: [JSONValue.Member]
  ) -> ComponentReading {
    ComponentReading(
      status: .degraded, message: count > 1 ? "\(message) (and \(count - 1) more)" : message, remedy: remedy,
      details: details)
  }

  private func websocket(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    by(
      alerts, ["connections", "sessions", "buffered_bytes"],
      else: "\(reading.connections) connections, \(reading.sessions) sessions",
      [
        .init("connections", .integer(Int64(reading.connections))),
        .init("connections_limit", .integer(Int64(reading.connectionsLimit))),
        .init("sessions", .integer(Int64(reading.sessions))),
        .init("sessions_limit", .integer(Int64(reading.sessionsLimit))),
        .init("buffered_bytes", .integer(Int64(heldBytes))),
        .init("buffered_bytes_limit", .integer(Int64(heldBytesLimit))),
      ])
  }

  /// Live: a full queue is no fault of the host, and empties as fast as it fills.
  private func queue(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    let details: [JSONValue.Member] = [.init("queued", .integer(Int64(reading.queued)))]
    let full = serving.first { $0.figures.queueLimit > 0 && $0.figures.queued >= $0.figures.queueLimit }
    guard let full else { return .healthy("\(reading.queued) calls are waiting", details) }
    return ComponentReading(
      status: .degraded, message: "the queue of \(full.id) is full: \(full.figures.queued) calls are waiting",
      remedy: "see whether its answers take longer than usual; raise its limits.in_flight or limits.queued",
      details: details)
  }

  private func loops(_ alerts: [AlertBook.Alert]) -> ComponentReading {
    let loops = surroundings.loops
    let details: [JSONValue.Member] = [
      .init(
        "loops",
        .array(
          loops.map { loop in
            .object([
              .init("lag_ms", .double(Double(loop.lagNanoseconds / 1_000) / 1_000)),
              .init("standstill_ms", .integer(Int64(loop.standstillNanoseconds / 1_000_000))),
            ])
          }))
    ]
    var reading = by(alerts, ["loop_standstill"], else: "\(loops.count) loops turn", details)
    if !isLive { reading.status = .unhealthy }
    return reading
  }

  // MARK: - Permits

  /// `current` is what is free, as in the daemon that clients of these paths know.
  var permitDetails: [JSONValue.Member] {
    let each = providers.map { provider in
      JSONValue.Member(
        provider.id,
        .object(
          permits(limit: provider.figures.limit, inFlight: provider.figures.inFlight) + [
            .init("configured", .integer(Int64(provider.figures.configuredLimit))),
            .init("breaker", .string(provider.figures.breaker.name)),
          ]))
    }
    return [
      .init("global", .object(permits(limit: reading.globalLimit, inFlight: reading.inFlight))),
      .init("providers", .object(each)),
      .init(
        "leases",
        .object([
          .init("active", .integer(Int64(reading.inFlight))),
          .init("oldest_seconds", .double(Double(reading.oldestLeaseNanoseconds / 1_000_000) / 1000)),
          .init("overdue", .integer(Int64(reading.overdueLeases))),
        ])),
    ]
  }

  private func permits(limit: Int, inFlight: Int) -> [JSONValue.Member] {
    [
      .init("current", .integer(Int64(limit - inFlight))), .init("expected", .integer(Int64(limit))),
      .init("utilization", .double(Double(inFlight) / Double(max(limit, 1)))),
      .init("status", .string(permitStatus(limit: limit, inFlight: inFlight))),
    ]
  }

  /// Of this very moment, without hysteresis. A leak is a lease past its deadline, never one in use.
  func permitStatus(limit: Int, inFlight: Int) -> String {
    if reading.overdueLeases > 0 { return "leak_detected" }
    return switch AlertEpisode.Sight.limit(used: inFlight, of: limit) {
    case .critical: "exhausted"
    case .warning: "high_utilization"
    case .clear, .between: "healthy"
    }
  }
}

extension HealthFacts.Provider {
  fileprivate var members: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init(
        "state",
        .string(isSpent ? "quarantined" : figures.breaker.isClosed ? "active" : "breaker_\(figures.breaker.name)")),
      .init("limit", .integer(Int64(figures.limit))), .init("in_flight", .integer(Int64(figures.inFlight))),
      .init("queued", .integer(Int64(figures.queued))), .init("models", .integer(Int64(models))),
      .init("generation", .integer(Int64(generation))),
    ]
    if let worker {
      members.append(.init("worker_ends", .integer(Int64(clamping: worker.ends))))
    }
    return members
  }
}
