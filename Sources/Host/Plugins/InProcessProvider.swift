internal import CProviderABI
internal import ProviderContract
internal import Synchronization

/// An instance of a provider whose plugin runs in the host's own process.
///
/// It and its call tables live as long as the process: a plugin holds handles and the pointer to its host, and may use
/// them at any time, on any thread.
///
/// `@unchecked Sendable`: `functions` is written once, by `create`, before any call; the rest is immutable or atomic.
package final class InProcessProvider: HostedProvider, @unchecked Sendable {
  private enum Life {
    static let created = 0
    static let running = 1
    static let stopping = 2
    static let destroyed = 3
  }

  package let information: ProviderInformation
  package let plugin: LoadedPlugin
  package var origin: PluginOrigin {
    PluginOrigin(path: plugin.path, copyPath: plugin.copyPath, sha256: plugin.sha256, isolation: .inProcess)
  }
  let log: Log
  let settings: VisibleSettings
  let requests: HTTPRequestReader
  let key: String?
  /// What the plugin did against the contract.
  let breaches = BreachReport()
  let hasUpstream: Bool
  let graceMilliseconds: UInt64
  private(set) var functions = prv_provider()

  private let life = Atomic(Life.created)
  private let nextLoop = Atomic(0)
  // Set in `init`, once the tables can be told who they belong to.
  private var tables: [CallTable] = []

  /// `places` by the index of their loops, with what serves all instances on each.
  init(plan: InstancePlan, plugin: LoadedPlugin, places: [LoopPlace], graceMilliseconds: UInt64, log: Log) {
    self.plugin = plugin
    self.log = log
    self.graceMilliseconds = graceMilliseconds
    information = plan.information
    settings = plan.settings
    requests = HTTPRequestReader(origins: plan.origins)
    key = plan.key
    hasUpstream = places.allSatisfy { $0.upstream != nil }
    tables = places.map { CallTable(provider: self, loop: $0.loop, gate: $0.gate, upstream: $0.upstream) }
  }

  /// Calls the plugin's `create` and `start`. Once, before any call. Thread: any.
  func create(_ providerID: String) throws(PluginFault) {
    let host = HostTable.make(for: self)
    var instance = prv_provider()
    instance.size = UInt32(MemoryLayout<prv_provider>.size)
    var id = providerID
    var json = settings.json
    let (status, sentence) = id.withUTF8 { id in
      json.withUTF8 { json in
        SinkText.gather { error in
          plugin.table.pointee.create(
            plugin.table, prv_str(UnsafeRawBufferPointer(id)), host, prv_str(UnsafeRawBufferPointer(json)), &instance,
            error)
        }
      }
    }
    guard status == PRV_OK else { throw Self.refused("create", status, sentence) }
    instance = withUnsafePointer(to: instance) { copyHead($0, size: $0.pointee.size, over: prv_provider()) }
    guard instance.destroy != nil, instance.call_open != nil, instance.call_cancel != nil, instance.call_close != nil
    else {
      throw PluginFault(
        "`create` left destroy, call_open, call_cancel or call_close of prv_provider empty",
        remedy: "fill in the functions that are not optional")
    }
    functions = instance
    if let start = functions.start {
      let (status, sentence) = SinkText.gather { start(functions.`self`, $0) }
      guard status == PRV_OK else {
        functions.destroy(functions.`self`)
        life.store(Life.destroyed, ordering: .releasing)
        throw Self.refused("start", status, sentence)
      }
    }
    life.store(Life.running, ordering: .releasing)
  }

  private static func refused(_ function: String, _ status: Int32, _ sentence: String) -> PluginFault {
    PluginFault(
      "`\(function)` answered \(status)\(sentence.isEmpty ? "" : " and said: \(sentence)")",
      remedy: "correct the provider's settings")
  }

  @inline(__always)
  func slot(of handle: UInt64) -> CallSlot? {
    let loop = CallHandle.loop(handle)
    guard loop < tables.count else { return nil }
    return tables[loop].slot(of: handle)
  }

  /// prv_exec_v1.post. Thread: any.
  func post(_ job: PluginJob) -> Int32 {
    if let loop = EventLoop.current {
      loop.enqueue(.c(job.function, job.argument))
      return PRV_OK
    }
    let turn = nextLoop.add(1, ordering: .relaxed).oldValue
    let table = tables[Int(truncatingIfNeeded: UInt(bitPattern: turn) % UInt(tables.count))]
    return table.send(.job(job)) ? PRV_OK : PRV_E_STATE
  }
}

// ProviderInstance. Thread: the call's loop.
extension InProcessProvider {
  package func open(_ request: ProviderRequest, sink: any ProviderCallSink, on loop: EventLoop)
    throws(ProviderFailure) -> ProviderCallID
  {
    guard life.load(ordering: .acquiring) == Life.running else {
      throw ProviderFailure(status: PRV_E_STATE, message: "provider \(information.id) is stopping")
    }
    guard let slot = tables[loop.index].takeSlot() else {
      throw ProviderFailure(
        status: PRV_E_LIMIT,
        message: "provider \(information.id) has \(CallTable.callsLimit) calls on loop \(loop.index), and takes no more"
      )
    }
    return ProviderCallID(rawValue: try slot.open(request, sink))
  }

  package func cancel(_ call: ProviderCallID, reason: ProviderCancelReason, on loop: EventLoop) {
    if let slot = held(call) { slot.cancel(reason) }
  }

  package func resume(_ call: ProviderCallID, on loop: EventLoop) {
    if let slot = held(call) { slot.resume() }
  }

  package func release(_ call: ProviderCallID, reason: ProviderCancelReason, on loop: EventLoop) {
    if let slot = held(call) { slot.release(reason) }
  }

  private func held(_ call: ProviderCallID) -> CallSlot? {
    guard let slot = slot(of: call.rawValue), slot.current.holds(call.rawValue) else { return nil }
    return slot
  }
}

// The end of an instance. Thread: one at a time (PRV C7, [instance]), never a loop.
extension InProcessProvider {
  package var isSpent: Bool { false }
  package var workerFigures: WorkerFigures? { nil }
  /// It writes to the host's own.
  package func adopt(_ level: LogLevel) {}

  package var openCalls: Int { tables.reduce(0) { $0 + $1.openCalls.load(ordering: .relaxed) } }

  /// Whether the plugin's `destroy` was called. Thread: any.
  var isDestroyed: Bool { life.load(ordering: .acquiring) == Life.destroyed }

  /// Events of kinds that this host does not know, so far.
  package var unknownEvents: Int { tables.reduce(0) { $0 + $1.unknownEvents.load(ordering: .relaxed) } }

  package func stop() {
    let change = life.compareExchange(
      expected: Life.running, desired: Life.stopping, ordering: .acquiringAndReleasing)
    guard change.exchanged else { return }
    functions.stop?(functions.`self`)
    for table in tables { _ = table.send(.cancelAll(.stop), mustKeep: true) }
  }

  package func destroy() -> Bool {
    guard life.load(ordering: .acquiring) == Life.stopping, openCalls == 0 else { return false }
    let change = life.compareExchange(
      expected: Life.stopping, desired: Life.destroyed, ordering: .acquiringAndReleasing)
    guard change.exchanged else { return false }
    functions.destroy(functions.`self`)
    return true
  }
}

/// One loop with what all in-process instances share there.
///
/// `@unchecked Sendable`: the gate and the client are only touched on the loop.
struct LoopPlace: @unchecked Sendable {
  let loop: EventLoop
  let gate = PluginGate()
  let upstream: (any UpstreamClient)?
}
