import Decisions
import JSON
import ProviderContract

// What a reload does to the providers.
extension ProviderBringUp {
  /// Makes the providers of another configuration, new ones of the plugin files as they are now. One whose settings are
  /// the same keeps its instance. Throws when one cannot be made: then nothing has changed. Thread: control.
  func renew(for wanted: Configuration) throws(ProviderRefusal) -> ProviderRegistry {
    guard let registry, let plugins else { preconditionFailure("a reload before the providers were made") }
    return try plugins.renew(registry, for: wanted.providers, scan: plugins.discover()).registry
  }

  /// Asks the canary question of a new instance, about the first model that its provider is known for; `onEnd` is called
  /// on loop 0. Thread: control.
  func askCanary(_ number: Int, _ entry: ProviderRegistry.Entry, onEnd: @escaping @Sendable (PluginFault?) -> Void) {
    let loop = loops[0]
    let connect = configuration.timeouts.connectMilliseconds * 1_000_000
    loop.eventLoop.submitPastBound(
      .work { [self] in
        let model = directory.firstModel(of: number) ?? entry.provider.information.firstModel
        CanaryCall(
          of: entry.provider, model: model, question: entry.settings.canary ?? "", on: loop.eventLoop,
          connectNanoseconds: connect, onEnd: onEnd
        ).start()
      })
  }

  /// Takes another configuration in force: its limits at once, its providers as one snapshot on each loop. Calls of
  /// what is replaced end where they began. Thread: control.
  func adopt(_ renewed: ProviderRegistry, _ wanted: Configuration) {
    guard let registry else { preconditionFailure("a reload before the providers were made") }
    let replaced = registry.instances(notIn: renewed)
    self.registry = renewed
    services.metrics.show(renewed.shownProviders)
    services.health.adopt(renewed)
    configuration = wanted
    services.monitor.providers.show(
      renewed, quarantined: plugins?.quarantined(of: renewed, for: wanted.providers) ?? [])
    let limits = renewed.providers.map { wanted.limit(of: $0.information) }
    let effects = services.core.configure(wanted.coreSettings(services.principals), providers: limits, now: .now())
    for loop in loops { loop.eventLoop.submitPastBound(.work { loop.adopt(wanted) }) }
    loops[0].eventLoop.submitPastBound(
      .work { [self] in
        loops[0].tell(effects)
        adopt(renewed, replacing: registry, retiring: replaced, wanted)
      })
  }

  /// Thread: loop 0's.
  private func adopt(
    _ renewed: ProviderRegistry, replacing old: ProviderRegistry, retiring replaced: [any HostedProvider],
    _ wanted: Configuration
  ) {
    let isSame = { (index: Int) in
      index < old.entries.count && old.active.contains(index)
        && old.entries[index].provider === renewed.entries[index].provider
    }
    let fresh = renewed.active.filter { !isSame($0) }
    var directory = ModelDirectory(renewed, wanted)
    // A new version of a plugin offers what the old one did until it has listed its own: no call goes lost between.
    directory.keepLists(of: self.directory) { index in
      index < old.entries.count && old.active.contains(index)
        && old.entries[index].settings.makesTheSame(as: renewed.entries[index].settings)
    }
    self.directory = directory
    shown = renewed
    retired.add(replaced, reachedBy: published)
    awaited = awaited.filter { isSame($0) }
    if isReady {
      publish()
    } else {
      awaited.formUnion(fresh.filter { directory.wantsList($0) && !directory.hasModels($0) })
      publishWhenReady()
    }
    askForModels(of: fresh)
  }
}

extension ModelDirectory {
  init(_ registry: ProviderRegistry, _ configuration: Configuration) {
    let providers = registry.providers.map(\.information)
    self.init(
      providers: providers,
      configured: providers.map { provider in
        configuration.providers.contains { $0.id == provider.id && !$0.models.isEmpty }
      },
      order: registry.active, defaultName: configuration.defaultModel)
  }
}

extension ProviderInformation {
  /// The id of the first model of its catalogue, "" when that is empty.
  var firstModel: String {
    (try? JSONValue(parsing: modelsJSON))?.array?.lazy.compactMap { $0["id"]?.string }.first ?? ""
  }
}
