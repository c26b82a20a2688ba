internal import ProviderContract

/// A registry that follows another, and what is new in it.
struct Renewal {
  var registry: ProviderRegistry
  /// Numbers whose instance was made for it.
  var fresh: [Int]

  var freshInstances: [any HostedProvider] { fresh.map { registry.entries[$0].provider } }
}

extension PluginHost {
  /// The registry of another configuration. Providers keep their numbers; one whose settings are the same keeps its
  /// instance, whatever has become of its plugin's file: that is `update`'s, where a canary is asked.
  ///
  /// When changed settings cannot be taken that could be before, this throws, and nothing has changed. Thread: control.
  func renew(_ registry: ProviderRegistry, for providers: [ProviderSettings], scan: PluginScan)
    throws(ProviderRefusal) -> Renewal
  {
    var draft = RegistryDraft(self, after: registry, scan)
    for settings in withDetected(providers, scan) where settings.isEnabled {
      do {
        try draft.takeSettings(settings, mayFail: !providers.contains { $0.id == settings.id })
      } catch {
        for provider in draft.renewal.freshInstances {
          provider.stop()
          _ = provider.destroy()
        }
        throw error
      }
    }
    return draft.renewal
  }

  /// The registry of other plugin files and the same configuration. A new file that does not serve is noted, and the
  /// instance before it goes on; one that was refused before is not tried again unless `triesAgain`. A provider whose
  /// plugin is gone stops to serve. No provider is kept from its update by another's fault. Thread: control.
  func update(
    _ registry: ProviderRegistry, for providers: [ProviderSettings], scan: PluginScan, triesAgain: Bool
  ) -> Renewal {
    var draft = RegistryDraft(self, after: registry, scan)
    for settings in withDetected(providers, scan) where settings.isEnabled {
      draft.takeFiles(settings, triesAgain: triesAgain)
    }
    return draft.renewal
  }
}

/// The next registry while it is made, provider by provider.
private struct RegistryDraft {
  private let host: PluginHost
  private let previous: ProviderRegistry
  private let scan: PluginScan
  private var entries: [ProviderRegistry.Entry]
  private var active: [Int] = []
  private var fresh: [Int] = []
  private var refused: [ProviderRefusal] = []
  private var updates: [RefusedUpdate] = []

  init(_ host: PluginHost, after previous: ProviderRegistry, _ scan: PluginScan) {
    self.host = host
    self.previous = previous
    self.scan = scan
    entries = previous.entries
  }

  var renewal: Renewal {
    Renewal(
      registry: ProviderRegistry(
        entries, active: active, refusedProviders: refused, refusedUpdates: updates, scan: scan),
      fresh: fresh)
  }

  /// What is to become of one provider.
  private enum Step {
    /// Settings and plugin are as they were.
    case keep(Int)
    /// Only the plugin has changed, and it is no plugin any more.
    case keepOld(Int, RefusedUpdate)
    /// Only the plugin has changed.
    case update(Int, FoundPlugin)
    /// Nobody offers it any more, and the settings are as they were.
    case remove(Int)
    /// The settings are new.
    case make(Int?)
  }

  private func step(for settings: ProviderSettings) -> Step {
    let known = entries.firstIndex { $0.settings.id == settings.id }
    guard let known, previous.active.contains(known), entries[known].settings.makesTheSame(as: settings) else {
      return .make(known)
    }
    let origin = entries[known].provider.origin
    guard let offer = scan.offer(of: settings.plugin) else {
      guard let refusal = scan.refused.first(where: { $0.path == origin.path }) else { return .remove(known) }
      return .keepOld(
        known,
        RefusedUpdate(
          provider: settings.id, path: origin.path, sha256: "", reason: refusal.reason, remedy: refusal.remedy))
    }
    if offer.plugin.sha256 != origin.sha256 { return .update(known, offer.plugin) }
    // What came out of quarantine is made anew.
    return host.isRenewable(entries[known].provider) ? .make(known) : .keep(known)
  }

  mutating func takeSettings(_ settings: ProviderSettings, mayFail: Bool) throws(ProviderRefusal) {
    switch step(for: settings) {
    case .keep(let number), .keepOld(let number, _), .update(let number, _), .remove(let number):
      updates += previous.refusedUpdates.filter { $0.provider == settings.id }
      keep(number, settings)
    case .make(let number):
      guard let refusal = make(number, settings) else { return }
      guard mayFail || previous.refusedProviders.contains(where: { $0.id == settings.id }) else { throw refusal }
      refused.append(refusal)
    }
  }

  mutating func takeFiles(_ settings: ProviderSettings, triesAgain: Bool) {
    switch step(for: settings) {
    case .keep(let number): keep(number, settings)
    case .keepOld(let number, let update):
      updates.append(update)
      keep(number, settings)
    case .remove:
      refused.append(
        ProviderRefusal(
          id: settings.id, reason: "the file of its plugin is gone, and no other offers \"\(settings.plugin)\"",
          remedy: "put its plugin into one of the plugin directories"))
    case .update(let number, let plugin):
      let before = previous.refusedUpdates.first { $0.provider == settings.id && $0.sha256 == plugin.sha256 }
      if let before, !triesAgain {
        updates.append(before)
        return keep(number, settings)
      }
      guard let refusal = make(number, settings) else { return }
      updates.append(
        RefusedUpdate(
          provider: settings.id, path: plugin.path, sha256: plugin.sha256, reason: refusal.reason,
          remedy: refusal.remedy))
      keep(number, settings)
    case .make(let number):
      if let refusal = make(number, settings) { refused.append(refusal) }
    }
  }

  /// nil: it was made, and stands in the draft.
  private mutating func make(_ number: Int?, _ settings: ProviderSettings) -> ProviderRefusal? {
    do throws(PluginFault) {
      replace(number, settings, try host.make(settings, scan))
      return nil
    } catch {
      return ProviderRefusal(id: settings.id, reason: error.reason, remedy: error.remedy)
    }
  }

  private mutating func keep(_ number: Int, _ settings: ProviderSettings) {
    entries[number].settings = settings
    active.append(number)
  }

  private mutating func replace(_ number: Int?, _ settings: ProviderSettings, _ provider: any HostedProvider) {
    var entry = ProviderRegistry.Entry(settings: settings, provider: provider)
    let place = number ?? entries.count
    if let number {
      entry.generation = entries[number].generation + 1
      entries[number] = entry
    } else {
      entries.append(entry)
    }
    active.append(place)
    fresh.append(place)
  }
}

extension Renewal {
  /// The same with those that served before in `previous` in the place of `failures`, each noted. What has failed is
  /// the caller's to end.
  func rollingBack(_ failures: [Int: PluginFault], to previous: ProviderRegistry) -> Renewal {
    guard !failures.isEmpty else { return self }
    var entries = registry.entries
    var active = registry.active
    var updates = registry.refusedUpdates
    var refused = registry.refusedProviders
    for (number, fault) in failures.sorted(by: { $0.key < $1.key }) {
      let failed = entries[number]
      guard previous.active.contains(number) else {
        active.removeAll { $0 == number }
        refused.append(ProviderRefusal(id: failed.settings.id, reason: fault.reason, remedy: fault.remedy))
        continue
      }
      entries[number] = previous.entries[number]
      entries[number].settings = failed.settings
      updates.append(
        RefusedUpdate(
          provider: failed.settings.id, path: failed.provider.origin.path, sha256: failed.provider.origin.sha256,
          reason: fault.reason, remedy: fault.remedy))
    }
    return Renewal(
      registry: ProviderRegistry(
        entries, active: active, refusedProviders: refused, refusedUpdates: updates, scan: registry.scan),
      fresh: fresh.filter { failures[$0] == nil })
  }
}
