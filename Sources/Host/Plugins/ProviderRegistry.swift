/// The providers of one configuration, by number; immutable. A number stays its provider's as long as the host runs.
package final class ProviderRegistry: Sendable {
  struct Entry: Sendable {
    var settings: ProviderSettings
    var provider: any HostedProvider
    /// Counts the instances that have served under this number, from 1.
    var generation = 1
  }

  /// By number. What is not in `active` was removed; its calls may still end.
  let entries: [Entry]
  /// The numbers of those that serve, in the order of the configuration.
  let active: [Int]
  /// Providers that could not be made.
  package let refusedProviders: [ProviderRefusal]
  /// New plugin files that were not taken: what they would have replaced still serves.
  package let refusedUpdates: [RefusedUpdate]
  let scan: PluginScan

  init(
    _ entries: [Entry], active: [Int], refusedProviders: [ProviderRefusal], refusedUpdates: [RefusedUpdate] = [],
    scan: PluginScan
  ) {
    self.entries = entries
    self.active = active
    self.refusedProviders = refusedProviders
    self.refusedUpdates = refusedUpdates
    self.scan = scan
  }

  /// By number, those that were removed among them.
  package var providers: [any HostedProvider] { entries.map(\.provider) }
  package var plugins: [FoundPlugin] { scan.found }
  /// Files that were not taken as plugins.
  package var refused: [PluginRefusal] { scan.refused }

  /// Instances that serve here and not in `other`.
  func instances(notIn other: ProviderRegistry) -> [any HostedProvider] {
    active.map { entries[$0].provider }.filter { provider in
      !other.active.contains { other.entries[$0].provider === provider }
    }
  }

  /// Takes no new calls and cancels the open ones. Thread: any but a loop.
  package func stop() {
    for entry in entries { entry.provider.stop() }
  }

  /// Frees what `stop` ended, and returns the ids of those that still have calls; their plugins stay as they are.
  package func destroy() -> [String] {
    let left = entries.indices.filter { !entries[$0].provider.destroy() }
    return left.filter { active.contains($0) }.map { entries[$0].settings.id }
  }
}

/// A new version of a provider's plugin that does not serve. The one before it goes on.
package struct RefusedUpdate: Sendable, Equatable {
  package var provider: String
  /// The new file, and its content; "" when it could not be read.
  package var path: String
  package var sha256: String
  package var reason: String
  package var remedy: String

  package init(provider: String, path: String, sha256: String, reason: String, remedy: String) {
    self.provider = provider
    self.path = path
    self.sha256 = sha256
    self.reason = reason
    self.remedy = remedy
  }
}
