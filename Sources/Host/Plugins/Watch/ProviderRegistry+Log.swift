extension ProviderRegistry {
  /// Whether there is nothing here that `other` does not have: the same instances serve, and the same is refused.
  func isTheSame(as other: ProviderRegistry) -> Bool {
    active == other.active && active.allSatisfy { entries[$0].provider === other.entries[$0].provider }
      && refusedUpdates == other.refusedUpdates && refusedProviders == other.refusedProviders
      && refused == other.refused && plugins == other.plugins
  }

  /// Says in the log what has become of each provider since `previous`.
  func tell(_ log: Log, after previous: ProviderRegistry) {
    for refusal in refused where !previous.refused.contains(refusal) {
      log.warning("plugin refused", ("path", refusal.path), ("reason", refusal.reason), ("remedy", refusal.remedy))
    }
    for number in active {
      let entry = entries[number]
      let information = entry.provider.information
      let before = previous.active.contains(number) ? previous.entries[number] : nil
      if entry.provider === before?.provider { continue }
      var fields: [LogField] = [
        ("provider", information.id), ("plugin", information.pluginID), ("version", information.pluginVersion),
        ("path", information.pluginPath), ("isolation", entry.provider.origin.isolation.rawValue),
        ("generation", "\(entry.generation)"),
      ]
      if let before { fields.append(("replaces", before.provider.information.pluginVersion)) }
      log.write(.info, before == nil ? "Provider active" : "Provider updated", fields)
    }
    for number in previous.active where !active.contains(number) {
      let (id, plugin) = (entries[number].settings.id, entries[number].settings.plugin)
      let gone = scan.offer(of: plugin) == nil ? "the file of its plugin is gone" : "it is not configured any more"
      let reason = refusedProviders.first { $0.id == id }?.reason ?? gone
      log.warning("Provider removed", ("provider", id), ("reason", reason))
    }
    for refusal in refusedProviders
    where !previous.refusedProviders.contains(refusal)
      && !previous.active.contains(where: { entries[$0].settings.id == refusal.id })
    {
      log.warning("provider refused", ("provider", refusal.id), ("reason", refusal.reason), ("remedy", refusal.remedy))
    }
    for update in refusedUpdates where !previous.refusedUpdates.contains(update) {
      log.error(
        "A new version of a plugin was not taken; the old one stays", ("provider", update.provider),
        ("path", update.path), ("reason", update.reason), ("remedy", update.remedy))
    }
  }
}
