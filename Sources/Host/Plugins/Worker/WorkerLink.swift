internal import Bytes
internal import CLinux
internal import Glibc

/// In a worker: the socket to one loop of the host, and the calls that came by it.
///
/// Thread: the worker's loop.
final class WorkerLink: WorkerStreamDelegate {
  private static let accepted: Set<WorkerFrame.Kind> = [
    .open, .cancel, .credit, .exchangeConnected, .exchangeHead, .exchangeBody, .exchangeEvent, .exchangeComplete,
  ]

  private unowned let worker: PluginWorker
  private var stream: WorkerStream?
  private var calls: [UInt64: WorkerSink] = [:]

  init(_ descriptor: Int32, _ worker: PluginWorker) throws(EventLoopError) {
    self.worker = worker
    stream = try WorkerStream(descriptor, accepting: Self.accepted, on: worker.loop, delegate: self)
  }

  func send(_ kind: WorkerFrame.Kind, call: UInt64, _ write: (inout ByteBuffer) -> Void = { _ in }) {
    stream?.send(kind, call: call, write)
  }

  func forget(_ sink: WorkerSink) { calls[sink.id] = nil }

  func resume(_ call: ProviderCallID) { worker.provider.resume(call, on: worker.loop) }

  func release(_ call: ProviderCallID) { worker.provider.release(call, reason: .stop, on: worker.loop) }

  func streamReceived(_ message: WorkerFrameDecoder.Message, from stream: WorkerStream) throws(WorkerFrameFault) {
    switch message.kind {
    case .open: try open(message)
    case .cancel:
      var fields = WorkerFieldReader(message)
      let reason = ProviderCancelReason(rawValue: try fields.u32()) ?? .stop
      guard let sink = calls[message.call], let call = sink.call else { return }
      worker.trail?.note(.cancel, sink.requestID)
      worker.provider.cancel(call, reason: reason, on: worker.loop)
      worker.trail?.noteBetween()
    case .credit:
      var fields = WorkerFieldReader(message)
      let credit = try fields.u64()
      guard let sink = calls[message.call] else { return }
      worker.trail?.note(.resume, sink.requestID)
      sink.take(credit: Int64(clamping: credit))
      worker.trail?.noteBetween()
    default: try worker.upstream.receive(message)
    }
  }

  private func open(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    let open = try WorkerOpen(message)
    let sink = WorkerSink(id: message.call, requestID: [UInt8](open.requestID), link: self)
    calls[message.call] = sink
    worker.trail?.note(.open, sink.requestID)
    do throws(ProviderFailure) {
      let request = ProviderRequest(
        kind: open.kind, wantsStream: open.wantsStream, attempt: open.attempt, deadline: open.deadline,
        connectTimeoutNanoseconds: open.connectTimeoutNanoseconds, requestID: open.requestID, model: open.model,
        bodySchema: open.bodySchema, body: open.body, files: open.files)
      sink.call = try worker.provider.open(request, sink: sink, on: worker.loop)
    } catch {
      calls[message.call] = nil
      send(.refused, call: message.call) { ProviderEnd.failed(error).write(to: &$0) }
    }
    worker.trail?.noteBetween()
  }

  func streamEnded(_ stream: WorkerStream, _ end: WorkerStream.End) {
    _exit(end == .closed ? WorkerExit.stopped : WorkerExit.protocolBroken)
  }
}

/// In a worker: where a call's events go, namely to the host, as far as there is credit.
///
/// Thread: the worker's loop.
final class WorkerSink: ProviderCallSink {
  /// Bytes of events that wait for credit; a plugin that goes on in spite of PRV_PAUSE has its call failed beyond.
  private static let heldBytesLimit: Int64 = 4 << 20

  let id: UInt64
  let requestID: [UInt8]
  /// nil until `call_open` has returned.
  var call: ProviderCallID?
  let link: WorkerLink
  private var credit = WorkerCall.window
  private var held: [CopiedEvent] = []
  private var heldBytes: Int64 = 0
  private var end: ProviderEnd?

  init(id: UInt64, requestID: [UInt8], link: WorkerLink) {
    self.id = id
    self.requestID = requestID
    self.link = link
  }

  func providerEvent(_ event: ProviderEvent) -> ProviderFlow {
    guard end == nil else { return .cancelled }
    guard credit > 0 else { return hold(event) }
    send(event)
    return credit > 0 ? .proceed : .pause
  }

  private func send(_ event: ProviderEvent) {
    credit -= event.workerCost
    link.send(.event, call: id) { event.write(to: &$0) }
  }

  private func hold(_ event: ProviderEvent) -> ProviderFlow {
    heldBytes += event.workerCost
    held.append(CopiedEvent(event))
    guard heldBytes > Self.heldBytesLimit else { return .pause }
    held = []
    finish(
      .failed(
        ProviderFailure(
          status: ProviderStatus.internalFault,
          message: "the plugin broke PRV-R015: events went on in spite of PRV_PAUSE")))
    if let call { link.release(call) }
    return .cancelled
  }

  /// More may be sent.
  func take(credit more: Int64) {
    credit += more
    var sent = 0
    while sent < held.count, credit > 0 {
      heldBytes -= held[sent].with { $0.workerCost }
      held[sent].with { send($0) }
      sent += 1
    }
    held.removeFirst(sent)
    guard held.isEmpty, credit > 0 else { return }
    if let end { return tell(end) }
    if let call { link.resume(call) }
  }

  /// The exchanges are the host's, which sees these itself.
  func providerPhase(_ phase: ProviderPhase) {}

  func providerDone(_ end: ProviderEnd) { finish(end) }

  private func finish(_ end: ProviderEnd) {
    guard self.end == nil else { return }
    self.end = end
    if held.isEmpty { tell(end) }
  }

  private func tell(_ end: ProviderEnd) {
    link.send(.done, call: id) { end.write(to: &$0) }
    link.forget(self)
  }
}
