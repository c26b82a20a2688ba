/// What a snapshot says of a provider beside the Core's figures.
struct ShownProvider: Sendable {
  /// By which the Core counts it.
  var number: Int
  var id: String
  var generation: Int
  /// nil: it runs in the host's process.
  var worker: WorkerFigures?
  /// Restarts of workers that served under this number before.
  private(set) var earlierRestarts: UInt64 = 0

  init(number: Int, id: String, generation: Int, worker: WorkerFigures?) {
    self.number = number
    self.id = id
    self.generation = generation
    self.worker = worker
  }

  /// The same after those that were shown before, so that no restart is forgotten with its worker.
  func following(_ earlier: [ShownProvider]) -> ShownProvider {
    var shown = self
    if let before = earlier.first(where: { $0.number == number }) {
      let isReplaced = before.worker !== worker
      shown.earlierRestarts = before.earlierRestarts &+ (isReplaced ? before.worker?.restarts ?? 0 : 0)
    }
    return shown
  }
}
