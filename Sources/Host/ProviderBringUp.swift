import Decisions
import Synchronization

/// Loads the plugins, makes the providers, learns their models and hands each loop its routing; keeps the lists fresh.
///
/// Thread: `run` and `stop` on the control thread; the lists arrive on loop 0.
final class ProviderBringUp: @unchecked Sendable {  // The directory is confined to loop 0 after `run` has started it.
  /// How often providers are asked again for their models.
  private static let refreshMilliseconds: UInt64 = 15 * 60_000

  let services: HostServices
  let loops: [HostLoop]
  private let startedAt: Instant
  private let onReady: () -> Void
  /// Those of the control thread: what was made, and by what configuration.
  var registry: ProviderRegistry?
  var plugins: PluginHost?
  var configuration: Configuration
  let retired = RetiredInstances()
  /// Those of loop 0: what its lists are about, and the snapshots that may still be in use.
  var shown: ProviderRegistry?
  private(set) var published: [RetiredInstances.WeakRouting] = []
  var directory = ModelDirectory(providers: [], configured: [], defaultName: nil)
  /// Providers without any model yet, whose list decides when the host is ready.
  var awaited: Set<Int> = []
  var isReady = false

  /// - Parameter onReady: called once, on loop 0.
  init(services: HostServices, loops: [HostLoop], startedAt: Instant, onReady: @escaping () -> Void) {
    self.onReady = onReady
    self.services = services
    self.loops = loops
    self.startedAt = startedAt
    configuration = services.configuration
  }

  private var log: Log { services.log }

  func run() {
    let curl = openHTTP()
    let plugins = PluginHost(
      configuration: configuration, log: log, loops: loops.map(\.eventLoop),
      upstream: { [log] loop in curl.map { CurlUpstreamClient(library: $0, loop: loop, log: log) } })
    self.plugins = plugins
    _ = plugins.detect()
    stage("plugins loaded")
    let registry = plugins.register()
    self.registry = registry
    services.metrics.show(registry.shownProviders)
    services.health.adopt(registry)
    services.monitor.providers.show(
      registry, quarantined: plugins.quarantined(of: registry, for: configuration.providers))
    let information = registry.providers.map(\.information)
    _ = services.core.configure(
      configuration.coreSettings(services.principals), providers: information.map { configuration.limit(of: $0) },
      now: .now())
    directory = ModelDirectory(registry, configuration)
    shown = registry
    for entry in registry.entries {
      let (provider, origin) = (entry.provider.information, entry.provider.origin)
      var fields: [LogField] = [
        ("provider", provider.id), ("plugin", provider.pluginID), ("version", provider.pluginVersion),
        ("path", provider.pluginPath), ("isolation", origin.isolation.rawValue),
      ]
      if !origin.sandboxLacks.isEmpty {
        fields.append(("sandbox_lacks", origin.sandboxLacks.joined(separator: "; ")))
      }
      log.write(.info, "Provider active", fields)
    }
    stage("providers registered", ("providers", information.map(\.id).joined(separator: ",")))
    if registry.providers.isEmpty {
      log.error(
        "No provider is active",
        ("remedy", "put a plugin into one of: \(configuration.plugins.searchPath.joined(separator: ", "))"))
    }
    loops[0].eventLoop.submitPastBound(.work { [self] in begin() })
  }

  /// Stops the providers; what a plugin still holds is left to the end of the process. Thread: control.
  func stop() {
    guard let registry else { return }
    retired.stopAll()
    registry.stop()
    for id in registry.destroy() {
      log.warning("A provider still has calls that its plugin did not end", ("provider", id))
    }
    plugins?.endWorkers()
  }

  // MARK: - Loading

  private func openHTTP() -> CurlLibrary? {
    do {
      let library = try CurlLibrary.load()
      stage("HTTP library opened", ("version", library.version))
      return library
    } catch {
      log.error("No HTTP library: providers that need one are not started", ("reason", "\(error)"))
      return nil
    }
  }

  /// For the log. Thread: control.
  func name(ofProvider number: Int) -> String {
    guard let registry, registry.providers.indices.contains(number) else { return "\(number)" }
    return registry.providers[number].information.id
  }

  // MARK: - Models, on loop 0

  private func begin() {
    guard let shown else { return }
    awaited = Set(shown.active.filter { directory.wantsList($0) && !directory.hasModels($0) })
    publishWhenReady()
    askAllForModels()
  }

  private func askAllForModels() {
    let loop = loops[0].eventLoop
    askForModels(of: shown?.active ?? [])
    _ = loop.schedule(at: loop.now.advanced(milliseconds: Self.refreshMilliseconds), Refresh(self), tag: 0)
  }

  func askForModels(of providers: [Int]) {
    guard let shown else { return }
    let loop = loops[0].eventLoop
    for index in providers where directory.wantsList(index) {
      let provider = shown.providers[index]
      let listing = ModelListing(
        of: provider, index: index, on: loop,
        connectNanoseconds: loops[0].configuration.timeouts.connectMilliseconds * 1_000_000
      ) { [self] outcome in
        // A reload may have replaced it meanwhile.
        guard self.shown?.providers[index] === provider else { return }
        listed(outcome, by: index, provider.information.id)
      }
      listing.start()
    }
  }

  private final class Refresh: TimerTarget {
    private let owner: ProviderBringUp
    init(_ owner: ProviderBringUp) { self.owner = owner }
    func timerFired(_ tag: UInt32) { if !owner.loops[0].isDraining { owner.askAllForModels() } }
  }

  private func listed(_ outcome: ModelListing.Outcome, by provider: Int, _ id: String) {
    switch outcome {
    case .listed(let models):
      directory.listed(models, by: provider)
      log.info("Models listed", ("provider", id), ("models", "\(models.count)"))
    case .unsupported: break
    case .failed(let reason):
      log.warning(
        directory.hasModels(provider) ? "Models not listed; the known ones stay" : "Models not listed, none is known",
        ("provider", id), ("reason", reason))
    }
    awaited.remove(provider)
    if isReady { publish() } else { publishWhenReady() }
  }

  func publishWhenReady() {
    guard !isReady, awaited.isEmpty else { return }
    isReady = true
    publish { [self] in tellReady() }
  }

  /// Every loop knows the models: whoever reads the line and calls is served. Thread: loop 0's.
  private func tellReady() {
    if !directory.hasDefault, let name = configuration.defaultModel {
      log.warning("The default model is not served by any provider", ("default_model", name))
    }
    stage("ready", ("models", "\(directory.catalogue.models.count)"))
    onReady()
  }

  /// - Parameter onAdopted: called once on loop 0, when every loop has taken it.
  func publish(onAdopted: (() -> Void)? = nil) {
    guard let shown else { return }
    let routing = Routing(
      providers: shown.providers, active: shown.active, catalogue: directory.catalogue,
      fallback: loops[0].configuration.fallback, generations: shown.entries.map(\.generation),
      refusedUpdates: shown.refusedUpdates)
    services.monitor.providers.serve(
      shown.active.map { shown.entries[$0].provider },
      Dictionary(grouping: directory.catalogue.models, by: \.provider).mapValues { $0.map(\.id) })
    published = published.filter { !$0.isGone } + [RetiredInstances.WeakRouting(routing)]
    let left = LoopCountdown(loops.count)
    for loop in loops {
      loop.eventLoop.submitPastBound(
        .work { [first = loops[0].eventLoop] in
          loop.adopt(routing)
          if left.isLast(), let onAdopted { first.submitPastBound(.work(onAdopted)) }
        })
    }
    services.metrics.routingIsPublished()
  }

  /// One step of the start, with what it has cost so far.
  private func stage(_ name: String, _ fields: LogField...) {
    log.write(
      .info, name,
      fields + [
        ("start_ms", ProcessFigures.milliseconds(since: startedAt)), ("resident_mb", ProcessFigures.residentMegabytes),
      ])
  }
}

/// Tells the last of some loops that it is the last. Thread: any.
private final class LoopCountdown: Sendable {
  private let left: Atomic<Int>

  init(_ count: Int) { left = Atomic(count) }

  func isLast() -> Bool { left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
}
