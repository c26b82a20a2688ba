internal import CProviderABI
internal import ProviderContract
internal import Synchronization

/// Finds plugins and makes the configured providers of them, exactly once, however many threads ask first.
///
/// Both steps are double-checked: an atomic load, then a mutex, then a second look. What they answer never changes.
package final class PluginHost: Sendable {
  let settings: PluginHostSettings
  private let store: PluginStore
  let log: Log
  let places: [LoopPlace]
  let quarantine: Quarantine
  /// Made with the first worker; the mutex guards that.
  let supervisor = Mutex<WorkerSupervisor?>(nil)
  private let lock = Mutex(())
  private let detected = AtomicLazyReference<DetectedProviders>()
  private let registered = AtomicLazyReference<ProviderRegistry>()
  /// Contents that are mapped in this process, by the id of their plugin; they are never unmapped.
  let mapped = Mutex<[String: Set<String>]>([:])
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
    quarantine = Quarantine(stateDirectory: settings.stateDirectory)
    places = loops.map { LoopPlace(loop: $0, upstream: upstream($0)) }
  }

  package convenience init(
    configuration: Configuration, log: Log, loops: [EventLoop], upstream: (EventLoop) -> (any UpstreamClient)?
  ) {
    var settings = PluginHostSettings(
      directories: configuration.plugins.searchPath, stateDirectory: configuration.stateDirectory,
      providers: configuration.providers)
    settings.scanner = ChildScanner()
    settings.trust = .ofThisProgram()
    self.init(settings: settings, log: log, loops: loops, upstream: upstream)
  }

  /// Finds what the plugin directories hold. Each call scans anew; `detect` keeps the first.
  package func discover() -> PluginScan {
    PluginScan.run(directories: settings.directories, store: store, scanner: settings.scanner)
  }

  /// The host stops: a `discover` that runs on another thread ends soon, without children. Thread: any.
  package func stopDiscovering() { settings.scanner.stop() }

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

  /// Says once that work was asked for that is done.
  private func noteRepetition(_ flag: borrowing Atomic<Bool>, _ message: String) {
    guard !flag.load(ordering: .relaxed), !flag.exchange(true, ordering: .relaxed) else { return }
    log.info(message)
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
  /// What may run in this process when the configuration does not say.
  package var trust = PluginTrust.all
  /// The program that workers run, a `patchbay`.
  package var workerProgram = WorkerProgram.own

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
  /// Stands in the reason of one whose plugin's file is in quarantine.
  static let inQuarantine = "is in quarantine"

  var isQuarantined: Bool { reason.contains(Self.inQuarantine) }

  package var id: String
  package var reason: String
  package var remedy: String

  package var description: String { "cannot start provider \(id): \(reason); \(remedy)" }
}
