import Decisions
import Synchronization

/// What one loop counts, without a lock: its stages, connections and bytes, and for each series of requests a block.
///
/// Thread: the loop's, but for `loopCells` and `cells(ofSeries:)`, which a scrape reads.
/// `@unchecked Sendable`: `subject` and `messageAt` are the loop's; the blocks are published by atomic pointers.
final class LoopMeter: @unchecked Sendable {
  /// What the host does with a request, by the stage label.
  enum Stage: Int, CaseIterable {
    case parse, admit, plugin, upstream, write
    var name: String { "\(self)" }
  }

  /// Why a connection has ended, by the reason label.
  enum Farewell: Int, CaseIterable {
    case peer, finished, error, silent, stalled, memory, shutdown
    var name: String { "\(self)" }
  }

  /// Where each count lies in the loop's own block.
  enum Place {
    static let accepted = 0
    static let received = 1
    static let sent = 2
    /// Two's complement: what went away is added as less than nothing.
    static let congested = 3
    static let closed = 4
    static let stages = closed + Farewell.allCases.count
    static let words = stages + Stage.allCases.count * BucketBounds.stage.words
    static func stage(_ stage: Stage) -> Int { stages + stage.rawValue * BucketBounds.stage.words }
  }

  let loopCells = MetricCells(count: Place.words)
  /// How long its turns took; its event loop counts.
  let turns = TurnTimes()
  /// Whose refusal that of the message at hand would be; nil: a call has begun, and counts for itself.
  var subject: Int? = RequestSeries.unknownNumber
  /// When the message at hand was whole.
  private(set) var messageAt = Instant.never
  private unowned let registry: MetricsRegistry
  private let tag: UInt64
  /// By the number of their series.
  private let blocks: UnsafeMutablePointer<Atomic<UnsafeMutableRawPointer?>>

  init(_ registry: MetricsRegistry, tag: UInt32) {
    self.registry = registry
    self.tag = UInt64(tag) << 32
    blocks = .allocate(capacity: MetricsRegistry.seriesLimit)
    for index in 0..<MetricsRegistry.seriesLimit { (blocks + index).initialize(to: Atomic(nil)) }
  }

  deinit {
    loopCells.free()
    for index in 0..<MetricsRegistry.seriesLimit { cells(ofSeries: index)?.free() }
    blocks.deinitialize(count: MetricsRegistry.seriesLimit)
    blocks.deallocate()
  }

  // MARK: - Requests

  /// nil: nothing of the series was counted here. Thread: any.
  func cells(ofSeries number: Int) -> MetricCells? {
    blocks[number].load(ordering: .acquiring).map { MetricCells($0) }
  }

  /// The counts of a model's chats, or of a tool that stands as a model (`ProviderTool.place`).
  @inline(__always)
  func requests(of model: ModelEntry, isTool: Bool) -> RequestCells { requests(series(of: model, isTool: isTool)) }

  @inline(__always)
  func series(of model: ModelEntry, isTool: Bool) -> Int {
    let known = model.series.load(ordering: .relaxed)
    guard known & ~0xffff_ffff == tag else { return number(model, isTool: isTool) }
    return Int(known & 0xffff_ffff)
  }

  @inline(never)
  private func number(_ model: ModelEntry, isTool: Bool) -> Int {
    let number = registry.number(
      of: RequestSeries(
        provider: model.providerID, model: isTool ? "" : model.id, tool: isTool ? model.id : NativeTool.chat.rawValue))
    model.series.store(tag | UInt64(number), ordering: .relaxed)
    return number
  }

  @inline(__always)
  func requests(_ series: Int) -> RequestCells {
    guard let block = blocks[series].load(ordering: .relaxed) else { return makeBlock(series) }
    return RequestCells(cells: MetricCells(block))
  }

  @inline(never)
  private func makeBlock(_ series: Int) -> RequestCells {
    let cells = MetricCells(count: RequestCells.Place.words)
    blocks[series].store(cells.pointer, ordering: .releasing)
    return RequestCells(cells: cells)
  }

  // MARK: - The message at hand

  /// A whole message is taken up.
  @inline(__always)
  func messageBegan() { messageAt = .now() }

  /// It is a valid request, since `instant`.
  @inline(__always)
  func parsed(at instant: Instant) { observe(.parse, instant.nanoseconds(since: messageAt)) }

  /// It was answered without a call of its own.
  func answered(_ outcome: RequestOutcome, _ code: ErrorCode? = nil) {
    if let subject { requests(subject).count(outcome, code) }
  }

  /// It asks for this tool, or then for this model.
  func concerns(_ tool: AnyTool) {
    switch tool {
    case .own(let own): subject = RequestSeries.number(of: own)
    case .provider(let tool, _): subject = series(of: tool.place, isTool: true)
    }
  }

  func concerns(_ model: ModelEntry) { subject = series(of: model, isTool: false) }

  /// Requests that joined a call were answered with it, or before.
  func joined(_ call: Call, _ outcome: RequestOutcome, _ code: ErrorCode?, times: Int) {
    guard times > 0 else { return }
    requests(of: call.model, isTool: call.plan.tool != nil).count(outcome, code, times: UInt64(times))
  }

  /// A message that was no request was answered with an error.
  func failed(_ code: ErrorCode) { requests(RequestSeries.unknownNumber).count(code) }

  // MARK: - The loop

  @inline(__always)
  func observe(_ stage: Stage, _ nanoseconds: UInt64) {
    loopCells.observe(nanoseconds, at: Place.stage(stage), .stage)
  }

  func accepted() { loopCells.add(1, at: Place.accepted) }
  func closed(_ farewell: Farewell) { loopCells.add(1, at: Place.closed + farewell.rawValue) }
  @inline(__always) func received(bytes: Int) { loopCells.add(UInt64(bytes), at: Place.received) }
  @inline(__always) func sent(bytes: Int) { loopCells.add(UInt64(bytes), at: Place.sent) }
  func congestion(_ begins: Bool) { loopCells.add(begins ? 1 : .max, at: Place.congested) }
}
