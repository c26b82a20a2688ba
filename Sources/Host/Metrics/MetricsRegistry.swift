import Decisions
import Synchronization

/// All figures of a host: what its loops count, what the Core decides by, what the process costs, and what other rooms
/// add. `snapshot` gathers them.
///
/// Thread: any. A snapshot takes no lock that a loop holds for long, and stops no loop.
final class MetricsRegistry: Sendable {
  /// Series of requests in all. What comes later counts as `RequestSeries.other`: names come from catalogues of
  /// providers, and a catalogue may have thousands.
  static let seriesLimit = 1_000

  private struct State {
    /// By number.
    var series = RequestSeries.fixed
    var numbers: [RequestSeries: Int] = [:]
    var providers: [ShownProvider] = []
    var hasRouting = false
    var sources: [any MetricSource] = []
  }

  private let core: Core
  private let memory: HeldMemory
  private let version: String
  private let startedAt: Instant
  private let state = Mutex(State())
  private let meters: Mutex<[LoopMeter]> = Mutex([])
  let process = ProcessMetrics()
  /// Memory that the next scrape's text will probably take, by the last one.
  let textBytes = Atomic<Int>(64 << 10)

  /// Tells the registries of one process apart: each numbers the models anew.
  private static let tags = Atomic<UInt32>(0)

  /// - Parameter loops: how many loops count; 0: nothing is counted on the way of a call.
  init(core: Core, memory: HeldMemory, version: String, startedAt: Instant, loops: Int) {
    self.core = core
    self.memory = memory
    self.version = version
    self.startedAt = startedAt
    let tag = Self.tags.add(1, ordering: .relaxed).newValue
    meters.withLock { $0 = (0..<loops).map { _ in LoopMeter(self, tag: tag) } }
  }

  /// What a loop counts with; nil: nothing is counted.
  func meter(ofLoop index: Int) -> LoopMeter? { meters.withLock { $0.indices.contains(index) ? $0[index] : nil } }

  /// Adds a room's figures to every snapshot from now on.
  func add(_ source: any MetricSource) { state.withLock { $0.sources.append(source) } }

  /// The providers that serve from now on. Thread: control.
  func show(_ providers: [ShownProvider]) {
    state.withLock { state in state.providers = providers.map { $0.following(state.providers) } }
  }

  /// Every loop has been handed a routing: calls are taken.
  func routingIsPublished() { state.withLock { $0.hasRouting = true } }

  /// The number of a series: a new one, or that of `RequestSeries.other` when there are too many.
  func number(of series: RequestSeries) -> Int {
    state.withLock { state in
      if let number = state.numbers[series] { return number }
      guard state.series.count < Self.seriesLimit else { return RequestSeries.otherNumber }
      state.series.append(series)
      state.numbers[series] = state.series.count - 1
      return state.series.count - 1
    }
  }

  /// Every figure at this moment.
  func snapshot(now: Instant) -> MetricSnapshot {
    let state = state.withLock { $0 }
    let meters = meters.withLock { $0 }
    let reading = core.read(now: now)
    var snapshot = MetricSnapshot(families: [])
    var requests = RequestFamilies()
    for (number, series) in state.series.enumerated() { requests.add(series, Self.merged(meters, number)) }
    requests.collect(into: &snapshot)
    LoopFamilies(meters).collect(into: &snapshot)
    CoreFamilies(reading, state.providers, memory).collect(into: &snapshot)
    let isReady = state.hasRouting && !reading.isDraining && !state.providers.isEmpty
    snapshot.add(DeclaredMetrics.buildInfo, 1, labels: [version])
    snapshot.add(DeclaredMetrics.uptime, Double(now.nanoseconds(since: startedAt)) / 1e9)
    snapshot.add(DeclaredMetrics.ready, isReady ? 1 : 0)
    process.collect(into: &snapshot)
    for source in state.sources { source.collect(into: &snapshot) }
    return snapshot
  }

  /// The series of requests by number, and who counts them.
  func counted() -> (series: [RequestSeries], meters: [LoopMeter]) {
    (state.withLock { $0.series }, meters.withLock { $0 })
  }

  /// What all loops counted of a series; nil: nothing.
  private static func merged(_ meters: [LoopMeter], _ number: Int) -> [UInt64]? {
    var sums: [UInt64]?
    for meter in meters {
      guard let cells = meter.cells(ofSeries: number) else { continue }
      if sums == nil { sums = Array(repeating: 0, count: RequestCells.Place.words) }
      cells.merge(into: &sums!)
    }
    return sums
  }
}
