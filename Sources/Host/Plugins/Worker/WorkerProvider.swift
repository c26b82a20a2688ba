import Decisions
internal import Synchronization

/// An instance of a provider whose plugin runs in a process of its own.
///
/// What a call does stays on its loop: each loop has its own socket to the worker. Starting, watching and ending is the
/// supervisor's. `@unchecked Sendable`: `channels` and `keeper` are set by `init`; the rest is immutable or atomic.
final class WorkerProvider: HostedProvider, WorkerChannelOwner, @unchecked Sendable {
  private enum Life {
    static let created = 0
    static let running = 1
    static let stopping = 2
    static let destroyed = 3
  }

  /// Cancelled calls that one worker may fail to end in time.
  static let keptCallsLimit = 3

  let information: ProviderInformation
  let figures = WorkerFigures()
  let create: WorkerCreate
  let log: Log
  /// By the index of their loops.
  private(set) var channels: [WorkerChannel] = []
  /// What the worker's sandbox lacks, as the first one said.
  private(set) var missing: [String] = []
  private let supervisor: WorkerSupervisor
  private let quarantineFile: Quarantine
  private var keeper: WorkerKeeper?
  private let life = Atomic(Life.created)
  private let keptCalls = Atomic(0)
  private let isQuarantined = Atomic(false)
  // The supervisor's.
  private var endReason = "it has ended"

  init(
    plan: InstancePlan, places: [LoopPlace], graceMilliseconds: UInt64, supervisor: WorkerSupervisor,
    quarantine: Quarantine, log: Log
  ) {
    information = plan.information
    self.supervisor = supervisor
    self.log = log
    quarantineFile = quarantine
    let level = LogLevel.allCases.first { log.isEnabled($0) } ?? .error
    create = WorkerCreate(
      plan: plan, hasUpstream: places.allSatisfy { $0.upstream != nil }, graceMilliseconds: graceMilliseconds,
      logLevel: level)
    // The worker has the grace of its own; the host waits a little longer for what it says then.
    let patience = graceMilliseconds + 250
    channels = places.map {
      WorkerChannel(owner: self, place: $0, plan: plan, graceMilliseconds: patience)
    }
    keeper = WorkerKeeper(provider: self, supervisor: supervisor)
  }

  var origin: PluginOrigin {
    let plugin = create.plan.plugin
    return PluginOrigin(
      path: plugin.path, copyPath: plugin.copyPath, sha256: plugin.sha256, isolation: .worker,
      sandboxLacks: missing)
  }

  var isSpent: Bool { isQuarantined.load(ordering: .acquiring) }

  /// Starts the worker and makes the instance there. Once, before any call. Thread: any but a loop.
  func start() throws(PluginFault) {
    guard let keeper else { preconditionFailure("a worker's keeper is made by init") }
    missing = try supervisor.start(keeper)
    life.store(Life.running, ordering: .releasing)
  }

  // MARK: - ProviderInstance

  func open(_ request: ProviderRequest, sink: any ProviderCallSink, on loop: EventLoop) throws(ProviderFailure)
    -> ProviderCallID
  {
    guard life.load(ordering: .acquiring) == Life.running else {
      throw ProviderFailure(
        status: ProviderStatus.state, message: "provider \(information.id) is stopping")
    }
    return try channels[loop.index].open(request, sink)
  }

  func cancel(_ call: ProviderCallID, reason: ProviderCancelReason, on loop: EventLoop) {
    channels[loop.index].call(call)?.cancel(reason)
  }

  func resume(_ call: ProviderCallID, on loop: EventLoop) { channels[loop.index].call(call)?.resume() }

  func release(_ call: ProviderCallID, reason: ProviderCancelReason, on loop: EventLoop) {
    channels[loop.index].call(call)?.release(reason)
  }

  // MARK: - HostedProvider

  var workerFigures: WorkerFigures? { figures }

  func adopt(_ level: LogLevel) {
    guard let keeper else { return }
    supervisor.run { keeper.adopt(level) }
  }

  var openCalls: Int { channels.reduce(0) { $0 + $1.openCalls.load(ordering: .relaxed) } }

  func stop() {
    let change = life.compareExchange(
      expected: Life.running, desired: Life.stopping, ordering: .acquiringAndReleasing)
    guard change.exchanged, let keeper else { return }
    supervisor.run { keeper.stop() }
    for channel in channels { channel.loop.submitPastBound(.work { channel.cancelAll(.stop) }) }
  }

  func destroy() -> Bool {
    guard life.load(ordering: .acquiring) == Life.stopping, openCalls == 0, let keeper else { return false }
    let change = life.compareExchange(
      expected: Life.stopping, desired: Life.destroyed, ordering: .acquiringAndReleasing)
    guard change.exchanged else { return false }
    supervisor.run { keeper.finish(nil) }
    return true
  }

  // MARK: - What keeper and channels say

  var providerID: String { information.id }

  func redacted(_ text: String) -> String { log.redacted(text) }

  func crash(_ reason: String) -> ProviderFailure {
    var failure = ProviderFailure(
      status: ProviderStatus.internalFault, message: "provider \(information.id): \(reason)")
    failure.isRetryable = true
    failure.isCrash = true
    return failure
  }

  /// A worker has come up. Thread: the supervisor's.
  func workerIsUp(_ sockets: [Int32]) {
    keptCalls.store(0, ordering: .relaxed)
    for (channel, socket) in zip(channels, sockets) {
      if !channel.loop.submitPastBound(.work { channel.connect(socket) }) { WorkerSockets.close(socket) }
    }
  }

  func callOutlivedGrace() {
    let kept = keptCalls.add(1, ordering: .relaxed).newValue
    guard kept == Self.keptCallsLimit, let keeper else { return }
    supervisor.run { keeper.endForKeptCalls(kept) }
  }

  func channelEnded(_ why: String, isBroken: Bool) {
    guard let keeper else { return }
    supervisor.run { keeper.channelEnded(why, isBroken: isBroken) }
  }

  /// No worker of this file is started any more. Thread: the supervisor's.
  func quarantine(_ reason: String) {
    let plugin = create.plan.plugin
    isQuarantined.store(true, ordering: .releasing)
    figures.quarantine()
    var fields: [LogField] = [
      ("plugin", information.pluginID), ("provider", information.id), ("path", plugin.path),
      ("sha256", plugin.sha256), ("reason", reason),
      ("remedy", "replace the file, or run `patchbay plugin unquarantine \(plugin.path)` and `patchbay reload`"),
    ]
    do throws(PluginFault) {
      try quarantineFile.add(plugin, reason)
    } catch {
      fields.append(("not_kept", error.reason))
    }
    log.write(.error, "A plugin is in quarantine", fields)
    endReason = "its plugin is in quarantine"
  }

  /// No worker comes any more: each loop lets go of what is left. Thread: the supervisor's.
  func workerIsGone() {
    var failure = ProviderFailure(
      status: ProviderStatus.internalFault, message: "provider \(information.id): \(endReason)")
    failure.isRetryable = false
    for channel in channels {
      // We live until the last of them has done so.
      channel.loop.submitPastBound(.work { [self, failure] in withExtendedLifetime(self) { channel.refuse(failure) } })
    }
  }
}
