internal import CProviderABI
internal import ProviderContract
internal import Synchronization

/// Finds plugins and makes the configured providers of them, exactly once, however many threads ask first.
///
/// Both steps are double-checked: an atomic load, then a mutex, then a second look. What they answer never changes.
package final class PluginHost: Sendable {
  private let settings: PluginHostSettings
  private let store: PluginStore
  private let log: Log
  private let places: [LoopPlace]
  private let lock = Mutex(())
  private let detected = AtomicLazyReference<DetectedProviders>()
  private let registered = AtomicLazyReference<ProviderRegistry>()
  /// Contents that are mapped in this process, by the id of their plugin; they are never unmapped.
  private let mapped = Mutex<[String: Set<String>]>([:])
  private let wasDetectionRepeated = Atomic(false)
  private let wasRegistrationRepeated = Atomic(false)

  /// `loops` by their index; `upstream` makes the client of a loop, nil when there is no HTTP library.
  package init(
    settings: PluginHostSettings, log: Log, loops: [EventLoop], upstream: (EventLoop) -> (any UpstreamClient)?
  ) {
    precondition(
      loops.count <= CallHandle.loopsLimit && loops.indices.allSatisfy { loops[$0].index == $0 },
      "loops are numbered from 0, at most \(CallHandle.loopsLimit)")
    self.settings = settings
    self.log = log
    store = PluginStore(stateDirectory: settings.stateDirectory)
    places = loops.map { LoopPlace(loop: $0, upstream: upstream($0)) }
  }

  package convenience init(
    configuration: Configuration, log: Log, loops: [EventLoop], upstream: (EventLoop) -> (any UpstreamClient)?
  ) {
    var settings = PluginHostSettings(
      directories: configuration.plugins.searchPath, stateDirectory: configuration.stateDirectory,
      providers: configuration.providers)
    settings.scanner = ChildScanner()
    self.init(settings: settings, log: log, loops: loops, upstream: upstream)
  }

  /// Finds what the plugin directories hold. Each call scans anew; `detect` keeps the first.
  package func discover() -> PluginScan {
    PluginScan.run(directories: settings.directories, store: store, scanner: settings.scanner)
  }

  /// Which plugins there are, and which of them the configured providers need. Thread: any.
  package func detect() -> DetectedProviders {
    if let known = detected.load() {
      noteRepetition(wasDetectionRepeated, "Provider detection already complete")
      return known
    }
    return lock.withLock { _ in detectLocked() }
  }

  private func detectLocked() -> DetectedProviders {
    if let known = detected.load() { return known }
    let scan = discover()
    for refusal in scan.refused {
      log.warning(
        "plugin refused", ("path", refusal.path), ("reason", refusal.reason), ("remedy", refusal.remedy))
    }
    return detected.storeIfNil(
      DetectedProviders(scan: scan, providers: withDetected(settings.providers, scan)))
  }

  /// Makes and starts every configured provider whose plugin is there. Thread: any but a loop: `create` may take a
  /// second.
  package func register() -> ProviderRegistry {
    if let known = registered.load() {
      noteRepetition(wasRegistrationRepeated, "Providers already configured")
      return known
    }
    return lock.withLock { _ in
      if let known = registered.load() { return known }
      return registered.storeIfNil(makeRegistry(detectLocked()))
    }
  }

  private func makeRegistry(_ detected: DetectedProviders) -> ProviderRegistry {
    var made: [ProviderRegistry.Entry] = []
    var refused: [ProviderRefusal] = []
    for settings in detected.providers where settings.isEnabled {
      do throws(PluginFault) {
        guard !made.contains(where: { $0.settings.id == settings.id }) else {
          throw PluginFault("another provider has the same id", remedy: "give each provider its own id")
        }
        made.append(ProviderRegistry.Entry(settings: settings, provider: try make(settings, detected.scan)))
      } catch {
        let refusal = ProviderRefusal(id: settings.id, reason: error.reason, remedy: error.remedy)
        log.warning(
          "provider refused", ("provider", refusal.id), ("reason", refusal.reason), ("remedy", refusal.remedy))
        refused.append(refusal)
      }
    }
    LoadedCode.giveBackPages(of: made.map(\.provider.origin).filter { $0.isolation == .inProcess }.map(\.copyPath))
    return ProviderRegistry(
      made, active: Array(made.indices), refusedProviders: refused, scan: detected.scan)
  }

  /// The configured providers. When they were detected, those that need neither key nor address join by their plugin
  /// being there.
  func withDetected(_ providers: [ProviderSettings], _ scan: PluginScan) -> [ProviderSettings] {
    guard !providers.isEmpty, providers.allSatisfy(\.isDetected) else { return providers }
    var all = providers
    for description in scan.found.flatMap(\.description.providers)
    where description.servesUnconfigured && !all.contains(where: { $0.plugin == description.id }) {
      var settings = ProviderSettings(id: description.id, plugin: description.id)
      settings.isDetected = true
      all.append(settings)
    }
    return all
  }

  func make(_ settings: ProviderSettings, _ scan: PluginScan) throws(PluginFault) -> any HostedProvider {
    guard let offer = scan.offer(of: settings.plugin) else {
      throw PluginFault(
        "no loaded plugin offers \"\(settings.plugin)\"", remedy: "put its plugin into one of the plugin directories")
    }
    guard !offer.description.isBlocking else {
      throw PluginFault(
        "its plugin \(offer.plugin.path) blocks its thread, and this version runs plugins only in process",
        remedy: "use a plugin without PRV_PROVIDER_BLOCKING")
    }
    guard !offer.description.needsKey || settings.apiKey != nil else {
      throw PluginFault("it has no API key", remedy: "set api_key of the provider")
    }
    if offer.description.requiredServices.contains(PRV_SERVICE_HTTP), places.contains(where: { $0.upstream == nil }) {
      throw PluginFault("it needs HTTP, and no HTTP library was found", remedy: "install the Debian package libcurl4")
    }
    if let key = settings.apiKey { log.redact(key.value) }
    try noteMapped(offer.plugin)
    let provider = try InProcessProvider(
      offer: (LoadedPlugin(offer.plugin), offer.description), settings: settings, places: places,
      graceMilliseconds: self.settings.graceMilliseconds, log: log)
    try provider.create(offer.description.id)
    return provider
  }

  /// Code is never unmapped, so that each new version of a plugin costs its memory until the host ends.
  private func noteMapped(_ plugin: FoundPlugin) throws(PluginFault) {
    let isTaken = mapped.withLock { mapped in
      let known = mapped[plugin.description.id] ?? []
      guard known.contains(plugin.sha256) || known.count < Self.generationsLimit else { return false }
      mapped[plugin.description.id] = known.union([plugin.sha256])
      return true
    }
    guard isTaken else {
      throw PluginFault(
        "\(Self.generationsLimit) versions of it are mapped in this process already, which keeps them until its end",
        remedy: "restart the host when it suits, or let the provider run as a worker (isolation)")
    }
  }

  /// Versions of one plugin in one process (docs/decisions/0021-hot-swap.md).
  private static let generationsLimit = 4

  /// Says once that work was asked for that is done.
  private func noteRepetition(_ flag: borrowing Atomic<Bool>, _ message: String) {
    guard !flag.load(ordering: .relaxed), !flag.exchange(true, ordering: .relaxed) else { return }
    log.info(message)
  }
}

extension ProviderDescription {
  /// Whether it can serve without a word of the operator: no key, and an address of its own or no network. Echo is
  /// asked for by its own setting.
  fileprivate var servesUnconfigured: Bool {
    !needsKey && id != "echo" && (!requiredServices.contains(PRV_SERVICE_HTTP) || !defaultBaseURL.isEmpty)
  }
}

/// What a plugin host is made with.
package struct PluginHostSettings: Sendable {
  /// In the order of precedence.
  package var directories: [String]
  package var stateDirectory: String
  /// In the order of the configuration.
  package var providers: [ProviderSettings]
  /// How long a cancelled call may take to say `done` (PRV-R010).
  package var graceMilliseconds: UInt64 = 2000
  /// Who is asked what a file is; a host that runs asks a child process.
  package var scanner: any PluginScanner = InProcessScanner()

  package init(directories: [String], stateDirectory: String, providers: [ProviderSettings]) {
    self.directories = directories
    self.stateDirectory = stateDirectory
    self.providers = providers
  }
}

/// The answer of detection: what was found, and what is to be made of it.
package final class DetectedProviders: Sendable {
  package let scan: PluginScan
  package let providers: [ProviderSettings]

  init(scan: PluginScan, providers: [ProviderSettings]) {
    self.scan = scan
    self.providers = providers
  }
}

/// A configured provider that could not be made, and why.
package struct ProviderRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  package var id: String
  package var reason: String
  package var remedy: String

  package var description: String { "cannot start provider \(id): \(reason); \(remedy)" }
}
