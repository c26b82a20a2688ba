internal import CProviderABI
internal import ProviderContract
internal import Synchronization

// From a provider's settings and what the scan found to an instance that serves. Thread: control, but for the start,
// when it is whoever registers first.
extension PluginHost {
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

  /// Makes and starts an instance; throws why it cannot be.
  func make(_ settings: ProviderSettings, _ scan: PluginScan) throws(PluginFault) -> any HostedProvider {
    guard let offer = scan.offer(of: settings.plugin) else {
      throw PluginFault(
        "no loaded plugin offers \"\(settings.plugin)\"", remedy: "put its plugin into one of the plugin directories")
    }
    let isolation = try isolation(of: offer, settings)
    guard !offer.description.needsKey || settings.apiKey != nil else {
      throw PluginFault("it has no API key", remedy: "set api_key of the provider")
    }
    if offer.description.requiredServices.contains(PRV_SERVICE_HTTP), places.contains(where: { $0.upstream == nil }) {
      throw PluginFault("it needs HTTP, and no HTTP library was found", remedy: "install the Debian package libcurl4")
    }
    for tool in offer.description.tools { try Self.check(tool) }
    if let key = settings.apiKey { log.redact(key.value) }
    let plan = try InstancePlan(offer, settings)
    switch isolation {
    case .inProcess:
      try noteMapped(offer.plugin)
      let provider = InProcessProvider(
        plan: plan, plugin: try LoadedPlugin(offer.plugin), places: places,
        graceMilliseconds: self.settings.graceMilliseconds, log: log)
      try provider.create(plan.providerID)
      return provider
    case .worker:
      let provider = WorkerProvider(
        plan: plan, places: places, graceMilliseconds: self.settings.graceMilliseconds,
        supervisor: try workerSupervisor(), quarantine: quarantine, log: log)
      try provider.start()
      return provider
    }
  }

  private static func check(_ tool: ToolOffer) throws(PluginFault) {
    do throws(ToolSchema.Fault) {
      _ = try ProviderTool(tool, provider: 0, providerID: "")
    } catch {
      throw PluginFault(
        "the input schema of its tool \(tool.name) cannot be used: \(error.reason)",
        remedy: "correct prv_tool.input_schema_json")
    }
  }

  /// Where the plugin runs: as the operator says, otherwise in this process if it is trusted.
  private func isolation(
    of offer: (plugin: FoundPlugin, description: ProviderDescription), _ settings: ProviderSettings
  )
    throws(PluginFault) -> ProviderSettings.Isolation
  {
    let plugin = offer.plugin
    if let pinned = settings.sha256, pinned.lowercased() != plugin.sha256 {
      throw PluginFault(
        "its plugin \(plugin.path) has the SHA-256 \(plugin.sha256), the configuration pins \(pinned)",
        remedy: "look at what has changed, then correct sha256")
    }
    let isTrusted = settings.sha256 != nil || self.settings.trust.trusts(plugin.sha256)
    let isolation = settings.isolation ?? (isTrusted && !offer.description.isBlocking ? .inProcess : .worker)
    guard isolation == .worker else {
      guard !offer.description.isBlocking else {
        throw PluginFault(
          "its plugin \(plugin.path) blocks its thread (PRV_PROVIDER_BLOCKING), and isolation is in-process",
          remedy: "set isolation to worker, or leave it out")
      }
      return isolation
    }
    if let entry = try quarantine.entry(of: plugin.sha256) {
      throw PluginFault(
        "its plugin \(plugin.path) \(ProviderRefusal.inQuarantine): \(entry.reason)",
        remedy: "replace the file, or run `patchbay plugin unquarantine \(plugin.path)`")
    }
    return isolation
  }

  private func workerSupervisor() throws(PluginFault) -> WorkerSupervisor {
    let program = settings.workerProgram
    let made: Result<WorkerSupervisor, PluginFault> = supervisor.withLock { known in
      if let known { return .success(known) }
      let made = Result { () throws(PluginFault) in try WorkerSupervisor(executable: program) }
      known = try? made.get()
      return made
    }
    return try made.get()
  }

  /// Ends every worker that is left, and waits for that. Thread: any but a loop.
  package func endWorkers() {
    let left = supervisor.withLock { $0.take() }
    left?.shutDown()
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

  /// The providers that could not be made because their plugin is in quarantine. Thread: any but a loop.
  func quarantined(of registry: ProviderRegistry, for providers: [ProviderSettings]) -> Set<String> {
    let refused = registry.refusedProviders.map(\.id).filter { id in
      guard let plugin = plugin(of: id, providers, registry.scan) else { return false }
      return (try? quarantine.entry(of: plugin.sha256)) ?? nil != nil
    }
    return Set(refused)
  }

  /// The plugin file that a provider would be made of; nil: there is none.
  func plugin(of id: String, _ providers: [ProviderSettings], _ scan: PluginScan) -> FoundPlugin? {
    scan.offer(of: providers.first { $0.id == id }?.plugin ?? id)?.plugin
  }

  /// Whether it was in quarantine, and its file no longer is.
  func isRenewable(_ provider: any HostedProvider) -> Bool {
    guard provider.isSpent else { return false }
    return (try? quarantine.entry(of: provider.origin.sha256)) == .some(nil)
  }
}

extension ProviderDescription {
  /// Whether it can serve without a word of the operator: no key, and an address of its own or no network. Echo is
  /// asked for by its own setting.
  fileprivate var servesUnconfigured: Bool {
    !needsKey && id != "echo" && (!requiredServices.contains(PRV_SERVICE_HTTP) || !defaultBaseURL.isEmpty)
  }
}
