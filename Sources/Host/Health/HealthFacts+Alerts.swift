import Decisions

// What the alerts look at: each rule once, with its threshold, its words and its remedy.
extension HealthFacts {
  /// What has been counted up to the last look, to tell what has happened since.
  struct Counts: Sendable, Equatable {
    var host: UInt64 = 0
    var connections: UInt64 = 0
    var sessions: UInt64 = 0
    var reliefs: UInt64 = 0
    /// By provider.
    var providers: [String: UInt64] = [:]
    var opens: [String: UInt64] = [:]
    var ends: [String: UInt64] = [:]
  }

  var counts: Counts {
    Counts(
      host: hostExhaustions, connections: reading.refusedConnections, sessions: reading.refusedSessions,
      reliefs: reliefs,
      providers: byProvider(\.ownExhaustions), opens: byProvider { $0.figures.counters.breakerOpens },
      ends: byProvider { $0.worker?.ends ?? 0 })
  }

  /// Calls that the host had no permit for, whatever their provider.
  private var hostExhaustions: UInt64 { reading.providers.reduce(0) { $0 &+ $1.counters.hostExhaustions } }

  private func byProvider(_ value: (Provider) -> UInt64) -> [String: UInt64] {
    Dictionary(providers.map { ($0.id, value($0)) }, uniquingKeysWith: { first, _ in first })
  }

  /// Every look of one round.
  ///
  /// - Parameter before: what was counted up to the last round.
  func looks(since before: Counts) -> [AlertBook.Look] {
    limitLooks(before) + providers.flatMap { looks(at: $0, before) } + refusedLooks + memoryLooks + diskLooks
      + otherLooks
  }

  private func limitLooks(_ before: Counts) -> [AlertBook.Look] {
    [
      limit(
        "host_permits", "host", reading.inFlight, reading.globalLimit, "permits of the host", in: "in use",
        foundNoneFree: hostExhaustions > before.host,
        remedy: "find the provider that is slow; raise limits.in_flight if the machine and the providers allow it"),
      limit(
        "connections", "host", reading.connections, reading.connectionsLimit, "connections", in: "open",
        foundNoneFree: reading.refusedConnections > before.connections,
        remedy: "look for a client that opens too many; raise limits.connections and the limit of open files"),
      limit(
        "sessions", "host", reading.sessions, reading.sessionsLimit, "sessions", in: "open",
        foundNoneFree: reading.refusedSessions > before.sessions,
        remedy: "look for clients that keep sessions they do not use; raise limits.sessions"),
      limit(
        "buffered_bytes", "host", heldBytes, heldBytesLimit, "bytes that connections may hold", in: "held",
        foundNoneFree: reliefs > before.reliefs,
        remedy: "look for clients that read slowly or send large messages; raise limits.buffered_bytes"),
    ]
  }

  private func limit(
    _ name: String, _ subject: String, _ used: Int, _ limit: Int, _ what: String, in state: String,
    foundNoneFree: Bool, remedy: String
  ) -> AlertBook.Look {
    let sight = AlertEpisode.Sight.limit(used: used, of: limit, foundNoneFree: foundNoneFree)
    let figures = "\(used) of \(limit) \(what) are \(state)"
    return AlertBook.Look(
      name, subject, sight, .level,
      message: sight == .critical
        ? "\(figures); \(foundNoneFree ? "somebody found none free" : "none is free")" : figures,
      remedy: remedy)
  }

  private func looks(at provider: Provider, _ before: Counts) -> [AlertBook.Look] {
    let (id, figures) = (provider.id, provider.figures)
    var looks = [
      limit(
        "provider_permits", id, figures.inFlight, figures.limit, "permits of \(id)", in: "in use",
        foundNoneFree: provider.ownExhaustions > before.providers[id] ?? provider.ownExhaustions,
        remedy: "see whether its answers take longer than usual; raise its limits.in_flight if the provider allows it"),
      breakerLook(id, figures, before),
      AlertBook.Look(
        "quarantine", id, .fault(provider.isSpent, .critical), .state,
        message: provider.isSpent
          ? "the plugin of \(id) is in quarantine: its worker ended too often\(Self.by(provider.worker))"
          : "\(id) serves again",
        remedy: "replace its file, or run 'patchbay plugin unquarantine' and 'patchbay reload'"),
    ]
    if let worker = provider.worker { looks.append(crashLook(id, worker, before)) }
    return looks
  }

  /// One that opened and closed again between two looks is told as well.
  private func breakerLook(_ id: String, _ figures: Core.ProviderReading, _ before: Counts) -> AlertBook.Look {
    let opens = figures.counters.breakerOpens
    let hasOpened = opens > before.opens[id] ?? opens
    let isOpen = !figures.breaker.isClosed
    return AlertBook.Look(
      "breaker", id, .fault(isOpen || hasOpened), .state,
      message: isOpen
        ? "\(id) failed too often and is left alone: its breaker is \(figures.breaker.name)"
        : hasOpened ? "\(id) failed too often and was left alone for a moment" : "\(id) is reached again",
      remedy: "look at its status page, key and bill; the last PROVIDER_ERROR of a call says why")
  }

  /// `, last by signal 6 (Aborted) in call_open`, if that is known.
  private static func by(_ worker: Worker?) -> String {
    guard let how = worker?.lastEnd, !how.isEmpty else { return "" }
    return ", last by \(how)"
  }

  private func crashLook(_ id: String, _ worker: Worker, _ before: Counts) -> AlertBook.Look {
    let ends = worker.ends
    let hasEnded = ends > before.ends[id] ?? ends
    return AlertBook.Look(
      "worker_crash", id, .fault(hasEnded), .event,
      message: hasEnded
        ? "the worker of \(id) has ended by itself, \(ends == 1 ? "once" : "\(ends) times") since the start\(Self.by(worker))"
        : "the worker of \(id) has not ended by itself for a minute",
      remedy: "tell the plugin's author; the log has the request that it ran ('A plugin's worker has ended')")
  }

  /// Providers that did not come up because of a quarantine from before.
  private var refusedLooks: [AlertBook.Look] {
    refused.filter { refusal in refusal.isQuarantined && !providers.contains { $0.id == refusal.id } }.map {
      AlertBook.Look("quarantine", $0.id, .critical, .state, message: "\($0.id): \($0.reason)", remedy: $0.remedy)
    }
  }

  private var memoryLooks: [AlertBook.Look] {
    let workers = surroundings.workers.sorted { $0.key < $1.key }
    return (surroundings.process.map { [growth("memory_growth", "host", "the host", $0)] } ?? [])
      + workers.map { growth("worker_memory_growth", $0.key, "the worker of \($0.key)", $0.value) }
  }

  private func growth(_ name: String, _ subject: String, _ what: String, _ memory: ProcessMemory) -> AlertBook.Look {
    let perHour = memory.growth.map { "\(Self.mebibytes($0.bytesPerSecond * 3600)) MiB an hour" } ?? "not known yet"
    return AlertBook.Look(
      name, subject, .growth(memory.growth), .trend,
      message: "\(what) grows: \(perHour), now \(Self.mebibytes(Double(memory.residentBytes))) MiB",
      remedy: subject == "host"
        ? "see whether connections or sessions grow as well; if not, report it, and restart the host when it suits"
        : "its plugin keeps what it should free: tell its author; 'patchbay plugin install' of a good version ends it")
  }

  static func mebibytes(_ bytes: Double) -> Int { Int(exactly: (bytes / 1_048_576).rounded()) ?? 0 }

  private var diskLooks: [AlertBook.Look] {
    surroundings.disks.map { disk in
      AlertBook.Look(
        "disk", disk.path, disk.sight, .level, message: disk.message,
        remedy: "free some of it, or move state_directory or storage.path to another disk; calls go on meanwhile")
    }
  }

  private var otherLooks: [AlertBook.Look] {
    var looks = surroundings.loops.enumerated().map { index, loop in
      AlertBook.Look(
        "loop_standstill", "loop-\(index)",
        loop.standstillNanoseconds >= Self.deadLoopNanoseconds
          ? .critical : .fault(loop.standstillNanoseconds >= Self.slowLoopNanoseconds), .state,
        message: loop.standstillNanoseconds > 0
          ? "loop-\(index) has not turned for \(loop.standstillNanoseconds / 1_000_000_000) s" : "loop-\(index) turns",
        remedy: "a plugin in the host's process blocks, or the machine is overloaded; restart the host if it stays")
    }
    let overdue = reading.overdueLeases
    looks.append(
      AlertBook.Look(
        "overdue_permits", "host", .fault(overdue > 0), .event,
        message: "\(overdue) permits are held past their deadline",
        remedy: "they are taken back by themselves; report it as a fault of the host"))
    if let storage = surroundings.storage {
      looks.append(
        AlertBook.Look(
          "storage", "history", .fault(!storage.isHealthy), .state, message: storage.message, remedy: storage.remedy))
    }
    if let queue = surroundings.storageQueue {
      looks.append(
        limit(
          "storage_queue", "history", queue.used, queue.limit, "samples that may wait for the disk", in: "waiting",
          foundNoneFree: false, remedy: "the disk is slow or broken; samples are left out when the queue is full"))
    }
    if let log = surroundings.log {
      looks.append(
        AlertBook.Look("log", "log", .fault(!log.isHealthy), .state, message: log.message, remedy: log.remedy))
    }
    if let webhook = surroundings.webhook {
      looks.append(
        AlertBook.Look(
          "alert_webhook", "webhook", .fault(webhook.isFailing), .state, message: webhook.message,
          remedy: "see whether alerts.webhook is reached from here and takes its token"))
    }
    return looks
  }
}
