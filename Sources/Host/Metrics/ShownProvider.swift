/// What a snapshot says of a provider beside the Core's figures.
struct ShownProvider: Sendable {
  /// By which the Core counts it.
  var number: Int
  var id: String
  var generation: Int
  /// nil: it runs in the host's process.
  var worker: WorkerFigures?
  /// Restarts of workers that served under this name before.
  var earlierRestarts: UInt64 = 0

  /// Those that serve, in the order of the configuration; `earlier` is what was shown before.
  static func all(of registry: ProviderRegistry, after earlier: [ShownProvider]) -> [ShownProvider] {
    registry.active.map { number in
      let entry = registry.entries[number]
      var shown = ShownProvider(
        number: number, id: entry.settings.id, generation: entry.generation, worker: entry.provider.workerFigures)
      if let before = earlier.first(where: { $0.number == number }) {
        let isReplaced = before.worker !== shown.worker
        shown.earlierRestarts = before.earlierRestarts + (isReplaced ? before.worker?.restarts ?? 0 : 0)
      }
      return shown
    }
  }
}
