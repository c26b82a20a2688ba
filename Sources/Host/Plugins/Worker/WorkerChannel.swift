internal import Bytes
import Decisions
internal import ProviderContract
internal import Synchronization

/// Who keeps the worker that a channel leads to. Thread: any.
protocol WorkerChannelOwner: AnyObject {
  /// The provider's id.
  var providerID: String { get }
  /// A text without the secrets that the log knows.
  func redacted(_ text: String) -> String
  /// Why calls end when their worker does.
  func crash(_ reason: String) -> ProviderFailure
  /// A cancelled call was not ended in time (PRV-R010).
  func callOutlivedGrace()
  /// The worker closed its end, or broke the protocol.
  func channelEnded(_ why: String, isBroken: Bool)
}

/// The calls of one worker on one loop of the host, and the loop's own socket to it: nothing crosses loops.
///
/// `@unchecked Sendable`: confined to its loop, but for `openCalls`. It lives as long as its provider.
final class WorkerChannel: WorkerStreamDelegate, TimerTarget, @unchecked Sendable {
  /// How calls reach the worker.
  private enum Link {
    /// It has not come up yet, or ended: what is said waits in `backlog`.
    case down
    case up(WorkerStream)
    /// No worker will come.
    case refused(ProviderFailure)
  }

  /// How long calls wait for a worker that starts.
  static let patienceMilliseconds: UInt64 = 5_000

  /// What a worker may send.
  static let accepted: Set<WorkerFrame.Kind> = [
    .refused, .event, .done, .exchangeRequest, .exchangeCancel, .exchangePause, .exchangeResume, .exchangeCredit,
  ]

  let loop: EventLoop
  let upstream: (any UpstreamClient)?
  let requests: HTTPRequestReader
  let key: String?
  let graceMilliseconds: UInt64
  /// Calls that are not over.
  let openCalls = Atomic(0)
  // It outlives what it keeps: nothing happens here after `refuse`, which it asks for last.
  private unowned let owner: any WorkerChannelOwner
  private var link = Link.down
  private var backlog = ByteBuffer()
  private var patience: TimerID?
  private var calls: [UInt64: WorkerCall] = [:]
  private var callsBegun: UInt64 = 0

  init(owner: any WorkerChannelOwner, place: LoopPlace, plan: InstancePlan, graceMilliseconds: UInt64) {
    self.owner = owner
    requests = HTTPRequestReader(origins: plan.origins)
    key = plan.key
    self.graceMilliseconds = graceMilliseconds
    loop = place.loop
    upstream = place.upstream
  }

  // MARK: - Calls

  func open(_ request: ProviderRequest, _ sink: any ProviderCallSink) throws(ProviderFailure) -> ProviderCallID {
    if case .refused(let failure) = link { throw failure }
    guard calls.count < CallTable.callsLimit else {
      throw ProviderFailure(
        status: ProviderStatus.limit,
        message: "provider \(owner.providerID) has \(CallTable.callsLimit) calls on loop \(loop.index), "
          + "and takes no more")
    }
    callsBegun &+= 1
    calls[callsBegun] = WorkerCall(id: callsBegun, request: request, sink: sink, channel: self)
    openCalls.add(1, ordering: .relaxed)
    send(.open, call: callsBegun) { WorkerOpen.write(request, to: &$0) }
    if case .down = link, patience == nil {
      let end = loop.now.advanced(milliseconds: Self.patienceMilliseconds)
      patience = loop.schedule(at: end, self, tag: 0)
    }
    return ProviderCallID(rawValue: callsBegun)
  }

  func call(_ id: ProviderCallID) -> WorkerCall? { calls[id.rawValue] }

  func cancelAll(_ reason: ProviderCancelReason) {
    for call in inOrder(calls) { call.cancel(reason) }
  }

  /// Nothing of the call is left.
  func forget(_ call: WorkerCall) {
    guard calls.removeValue(forKey: call.id) != nil else { return }
    openCalls.subtract(1, ordering: .relaxed)
  }

  func callOutlivedGrace(_ call: WorkerCall) { owner.callOutlivedGrace() }

  /// The worker did not come up in time: whoever waits is told.
  func timerFired(_ tag: UInt32) {
    patience = nil
    guard case .down = link else { return }
    loseAll(owner.crash("its worker did not come up within \(Self.patienceMilliseconds / 1_000) s"))
  }

  // MARK: - The worker

  /// A worker has come up; `descriptor` is the loop's socket to it, owned from now on.
  func connect(_ descriptor: Int32) {
    if case .up(let stream) = link {
      // The end of the old one is told here, before it is read from the socket.
      stream.close()
      disconnect()
    }
    guard case .down = link else { return WorkerSockets.close(descriptor) }
    do throws(EventLoopError) {
      let stream = try WorkerStream(descriptor, accepting: Self.accepted, on: loop, delegate: self)
      link = .up(stream)
      stream.send(backlog.readable)
      forgetBacklog()
    } catch {
      owner.channelEnded("the host cannot watch its socket: \(error)", isBroken: true)
    }
  }

  /// No worker will come any more.
  func refuse(_ failure: ProviderFailure) {
    if case .up(let stream) = link { stream.close() }
    link = .refused(failure)
    loseAll(failure)
  }

  func streamEnded(_ stream: WorkerStream, _ end: WorkerStream.End) {
    guard case .up(let current) = link, current === stream else { return }
    disconnect()
    switch end {
    case .closed: owner.channelEnded("it closed a socket of the host", isBroken: false)
    case .broken(let fault): owner.channelEnded("it broke the protocol: \(fault)", isBroken: true)
    }
  }

  private func disconnect() {
    link = .down
    loseAll(owner.crash("its worker ended before the call did"))
  }

  /// Every call that there is ends now; those that follow wait for the next worker.
  private func loseAll(_ failure: ProviderFailure) {
    forgetBacklog()
    let lost = calls
    calls = [:]
    openCalls.subtract(lost.count, ordering: .relaxed)
    for call in inOrder(lost) { call.lose(failure) }
  }

  private func inOrder(_ calls: [UInt64: WorkerCall]) -> [WorkerCall] {
    calls.values.sorted { $0.id < $1.id }
  }

  private func forgetBacklog() {
    backlog.removeAll(keeping: 0)
    if let patience { _ = loop.cancel(patience) }
    patience = nil
  }

  func send(_ kind: WorkerFrame.Kind, call: UInt64, _ write: (inout ByteBuffer) -> Void) {
    switch link {
    case .up(let stream): stream.send(kind, call: call, write)
    case .down: backlog.appendMessage(kind, call: call, write)
    case .refused: break
    }
  }

  // MARK: - What the worker says

  func streamReceived(_ message: WorkerFrameDecoder.Message, from stream: WorkerStream) throws(WorkerFrameFault) {
    guard let call = calls[message.call] else {
      // Words about exchanges may cross with what ended the call here.
      let mayCross: Set<WorkerFrame.Kind> = [.exchangeCancel, .exchangePause, .exchangeResume, .exchangeCredit]
      if mayCross.contains(message.kind), message.call <= callsBegun { return }
      throw WorkerFrameFault(found: "\(message.kind) of call \(message.call)", expected: "a call that is open")
    }
    switch message.kind {
    case .event: try call.receive(ProviderEvent(message))
    case .done: try call.receive(ProviderEnd(message).redacted(owner.redacted))
    case .refused:
      guard case .failed(let failure) = try ProviderEnd(message) else {
        throw WorkerFrameFault(found: "a refusal that is none", expected: "a failure")
      }
      try call.receive(ProviderEnd.failed(failure).redacted(owner.redacted))
    case .exchangeRequest: try call.receive(WorkerExchangeRequest(message))
    default: try receive(message, of: call)
    }
    if call.isOver { forget(call) }
  }

  private func receive(_ message: WorkerFrameDecoder.Message, of call: WorkerCall) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    if message.kind == .exchangeCredit {
      try call.taken(fields.u64())
    } else {
      let exchange = call.exchange(try fields.u32())
      switch message.kind {
      case .exchangeCancel: exchange?.cancel()
      case .exchangePause: exchange?.set(.worker, paused: true)
      default: exchange?.set(.worker, paused: false)
      }
    }
    try fields.end()
  }
}
