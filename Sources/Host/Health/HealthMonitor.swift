import Decisions
import Glibc
import Synchronization

/// Knows how the host is: what every report, the alerts and the supervisor go by.
///
/// The observer looks around once a second (`look`); a report adds what can be read at once, so that it is never older
/// than its asking where that matters. Thread: any. The mutex guards what follows from looks; nobody else is called
/// while it is held.
final class HealthMonitor: Sendable {
  private struct State {
    /// Which loops know their models.
    var routed: Set<Int> = []
    var routing: Routing?
    var registry: ProviderRegistry?
    var surroundings = HealthFacts.Surroundings()
    var components: [HealthReport.Component.Name: ComponentState] = [:]
    var counts: HealthFacts.Counts?
    var book = AlertBook()
    var storage: (any StorageStatus)?
    var log: (any LogStatus)?
    var refusedReload: [String] = []
  }

  private let core: Core
  private let memory: HeldMemory
  private let version: String
  private let startedAt: Instant
  private let loopCount: Int
  private let state = Mutex(State())

  init(core: Core, memory: HeldMemory, version: String, startedAt: Instant, loopCount: Int) {
    self.core = core
    self.memory = memory
    self.version = version
    self.startedAt = startedAt
    self.loopCount = loopCount
  }

  // MARK: - What others tell

  /// A loop takes calls for these providers from now on. Thread: that loop's.
  func adopt(_ routing: Routing, loop: Int) {
    state.withLock { state in
      state.routed.insert(loop)
      state.routing = routing
    }
  }

  /// These providers were made, and those were not. Thread: control.
  func adopt(_ registry: ProviderRegistry) { state.withLock { $0.registry = registry } }

  /// Where the history is kept; told once, at the start.
  func watch(_ storage: any StorageStatus) { state.withLock { $0.storage = storage } }
  /// Where the log goes; told once, at the start.
  func watch(_ log: any LogStatus) { state.withLock { $0.log = log } }

  /// A configuration was taken in force, or refused for these faults. Thread: control.
  func reloaded(faults: [String]) {
    let shown = faults.prefix(Self.faultsShown).map { String($0.prefix(Self.faultCharacters)) }
    state.withLock { $0.refusedReload = shown }
  }

  private static let faultsShown = 20
  private static let faultCharacters = 500

  // MARK: - What is asked

  /// How the host is at this moment.
  func report(now: Instant) -> HealthReport { report(of: facts(now: now), now: now) }

  /// The facts of this moment, and what the last look around has found.
  func facts(now: Instant) -> HealthFacts {
    let (routing, registry, isRouted, surroundings, refusedReload) = state.withLock {
      ($0.routing, $0.registry, $0.routed.count >= loopCount, $0.surroundings, $0.refusedReload)
    }
    let reading = core.read(now: now)
    let active = (routing?.active ?? []).filter { reading.providers.indices.contains($0) }
    return HealthFacts(
      reading: reading, isRouted: isRouted,
      providers: active.map { number in Self.provider(number, routing!, reading.providers[number]) },
      refused: registry?.refusedProviders ?? [], refusedUpdates: registry?.refusedUpdates ?? [],
      heldBytes: memory.heldBytes, heldBytesLimit: memory.limitBytes, reliefs: memory.reliefCount,
      surroundings: surroundings, refusedReload: refusedReload)
  }

  private static func provider(_ number: Int, _ routing: Routing, _ figures: Core.ProviderReading)
    -> HealthFacts.Provider
  {
    let provider = routing.providers[number]
    let hosted = provider as? any HostedProvider
    return HealthFacts.Provider(
      id: provider.information.id, figures: figures,
      models: routing.catalogue.models.count { $0.provider == number },
      generation: routing.generations[number],
      worker: hosted?.workerFigures.map { HealthFacts.Worker(pid: $0.pid, ends: $0.ends, lastEnd: $0.lastEnd) },
      isSpent: hosted?.isSpent ?? false)
  }

  private func report(of facts: HealthFacts, now: Instant) -> HealthReport {
    let wall = Self.wallMilliseconds()
    let (components, alerts, recent) = state.withLock { state in
      Self.step(&state, facts, wall)
      return (
        HealthReport.Component.Name.allCases.compactMap { state.components[$0]?.component }, state.book.active,
        state.book.recent
      )
    }
    let worst = components.map(\.status).max() ?? .healthy
    return HealthReport(
      status: !facts.isReady || !facts.isLive ? .unhealthy : worst == .healthy ? .healthy : .degraded,
      state: facts.state, isReady: facts.isReady, isLive: facts.isLive, version: version,
      uptimeSeconds: now.nanoseconds(since: startedAt) / 1_000_000_000, components: components, alerts: alerts,
      recentAlerts: recent, webhook: facts.surroundings.webhook)
  }

  /// What the last look or report made of it, without another one; healthy before the first.
  func last() -> (statuses: [(HealthReport.Component.Name, HealthReport.Status)], alerts: [HealthReport.Alert]) {
    state.withLock { state in
      let statuses = HealthReport.Component.Name.allCases.map { name in
        (name, state.components[name]?.component.status ?? .healthy)
      }
      return (statuses, state.book.active)
    }
  }

  private static func step(_ state: inout State, _ facts: HealthFacts, _ wall: UInt64) {
    let alerts = state.book.active
    for name in HealthReport.Component.Name.allCases {
      let reading = facts.reading(name, alerts)
      if state.components[name]?.step(reading, wall: wall) == nil {
        state.components[name] = ComponentState(name, reading, wall: wall)
      }
    }
  }

  static func wallMilliseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(max(0, time.tv_sec)) &* 1000 &+ UInt64(max(0, time.tv_nsec)) / 1_000_000
  }

  // MARK: - The look around

  /// Takes what the observer has found, and looks at every alert. Returns what must be told, in order. Thread: the
  /// observer's.
  func look(_ surroundings: HealthFacts.Surroundings, now: Instant) -> [AlertBook.Transition] {
    let (storage, log) = state.withLock { ($0.storage, $0.log) }
    var surroundings = surroundings
    surroundings.storage = storage.map { HealthFacts.Part($0.state) }
    surroundings.storageQueue = storage?.queue
    surroundings.log = log.map { HealthFacts.Part($0.state) }
    state.withLock { $0.surroundings = surroundings }
    let facts = facts(now: now)
    let wall = Self.wallMilliseconds()
    return state.withLock { state in
      let told = state.book.see(facts.looks(since: state.counts ?? facts.counts), now: now, wall: wall)
      state.counts = facts.counts
      Self.step(&state, facts, wall)
      return told
    }
  }

  /// The providers whose plugins run in workers of their own, with what is known of them.
  func workers() -> [(id: String, pid: Int32)] {
    let routing = state.withLock { $0.routing }
    return (routing?.active ?? []).compactMap { number in
      guard let provider = routing?.providers[number] as? any HostedProvider, let worker = provider.workerFigures else {
        return nil
      }
      return (provider.information.id, worker.pid)
    }
  }
}

extension HealthFacts.Part {
  init(_ state: (isHealthy: Bool, message: String, remedy: String)) {
    self.init(isHealthy: state.isHealthy, message: state.message, remedy: state.remedy)
  }
}
