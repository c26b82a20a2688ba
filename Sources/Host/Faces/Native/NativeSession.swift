import Bytes

/// One client of the native protocol: hello first, then any number of operations and calls on one connection.
///
/// | state    | message              | then                                                    |
/// |----------|----------------------|---------------------------------------------------------|
/// | fresh    | –                    | `awaitHello`                                            |
/// | awaiting | hello                | ready, or refused with the close code of its fault      |
/// | awaiting | time                 | closed 4002                                             |
/// | ready    | an operation         | its reply; calls go on until their terminal frames      |
/// | any      | the link closes      | closed: every call is cancelled, the session given back |
///
/// Thread: the loop's.
final class NativeSession: MessageHandler, CallFace, TimerTarget {
  private enum State {
    case fresh
    case awaiting(TimerID)
    case ready(session: Int, principal: Principals.Principal?)
    case closed
  }

  let link: WebSocketLink
  private var state = State.fresh
  /// What runs or waits, in the order it came; at most the session's limit and its queue.
  private(set) var calls: [Call] = []

  init(link: WebSocketLink) { self.link = link }

  var loop: HostLoop { link.connection.loop }

  func awaitHello() {
    let due = loop.now.advanced(milliseconds: loop.configuration.timeouts.helloMilliseconds)
    state = .awaiting(loop.eventLoop.schedule(at: due, self, tag: 0))
  }

  /// What runs may finish until the drain is over; then the client is told to go elsewhere.
  func drain(isOver: Bool) {
    if isOver {
      for call in calls { call.cancel(.stop, message: "The host is shutting down") }
    }
    if calls.isEmpty { link.close(code: 1012, reason: "the host is shutting down") }
  }

  func timerFired(_ tag: UInt32) {
    guard case .awaiting = state else { return }
    state = .fresh
    link.close(code: 4002, reason: "no hello within the time for it")
  }

  // MARK: - Messages

  func received(_ message: UnsafeRawBufferPointer) {
    switch state {
    case .awaiting(let timer): hello(message, timer)
    case .ready(let session, let principal): operation(message, session, principal)
    case .fresh, .closed: break
    }
  }

  private func hello(_ bytes: UnsafeRawBufferPointer, _ timer: TimerID) {
    _ = loop.eventLoop.cancel(timer)
    state = .fresh
    let principal: Principals.Principal?
    switch NativeHello(bytes, principals: loop.services.principals) {
    case .refused(let refusal): return refuse(refusal)
    case .welcome(let known): principal = known
    }
    if loop.isDraining { return link.close(code: 1012, reason: "the host is shutting down") }
    guard let session = loop.core.openSession() else { return refuse(.sessionLimit) }
    state = .ready(session: session, principal: principal)
    let id = SessionID.make()
    link.send {
      NativeFrames.helloAck(
        sessionID: id, configuration: loop.configuration, version: loop.services.version, to: &$0)
    }
  }

  private func refuse(_ refusal: NativeHello.Refusal) {
    link.send { NativeFrames.helloRefused(refusal.rawValue, to: &$0) }
    link.close(code: refusal.closeCode, reason: refusal.reason)
  }

  // MARK: - CallFace

  func begin(_ call: Call) { calls.append(call) }
  func forget(_ call: Call) { calls.removeAll { $0 === call } }

  func callAccepted(_ call: Call) { link.send { NativeFrames.ack(call, to: &$0) } }

  func callProgressed(_ call: Call, phase: Call.Phase) {
    link.send { NativeFrames.progress(call, phase: phase, to: &$0) }
  }

  func callDelta(_ call: Call, sequence: UInt64, _ event: ProviderEvent) -> Bool {
    link.send { NativeFrames.delta(call, sequence: sequence, event, to: &$0) }
    return !link.connection.isCongested
  }

  func callRefused(_ call: Call, _ error: CallError) {
    forget(call)
    link.send { frame in
      call.plan.requestID.withUnsafeBytes { NativeFrames.refusal(id: $0, error, to: &frame) }
    }
    if loop.isDraining { drain(isOver: false) }
  }

  func callEnded(_ call: Call, _ ending: CallEnding) {
    forget(call)
    link.send { NativeFrames.result(call, ending, to: &$0) }
    if loop.isDraining { drain(isOver: false) }
  }

  // MARK: - The link

  func backlogCleared() {
    for call in calls { call.resume() }
  }

  func linkClosed() {
    let previous = state
    state = .closed
    if case .awaiting(let timer) = previous { _ = loop.eventLoop.cancel(timer) }
    for call in calls { call.cancel(.client, message: "The client left") }
    if case .ready(let session, _) = previous { loop.core.closeSession(session) }
  }
}
