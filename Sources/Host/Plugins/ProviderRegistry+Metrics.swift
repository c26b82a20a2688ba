extension ProviderRegistry {
  /// Those that serve, as snapshots show them, in the order of the configuration.
  var shownProviders: [ShownProvider] {
    active.map { number in
      let entry = entries[number]
      return ShownProvider(
        number: number, id: entry.settings.id, generation: entry.generation, worker: entry.provider.workerFigures)
    }
  }
}
