import Bytes
import Decisions
import Wire

/// One client of the native protocol: hello first, then any number of operations and calls on one connection.
///
/// | state    | message              | then                                                    |
/// |----------|----------------------|---------------------------------------------------------|
/// | fresh    | –                    | `awaitHello`                                            |
/// | awaiting | hello                | ready, or refused with the close code of its fault      |
/// | awaiting | time                 | closed 4002                                             |
/// | ready    | an operation         | its reply; calls go on until their terminal frames      |
/// | ready    | a sweep, long silent | closed 1008                                             |
/// | any      | the link closes      | closed: every call is cancelled, the session given back |
///
/// Thread: the loop's.
final class NativeSession: MessageHandler, CallFace, TimerTarget {
  private enum State {
    case fresh
    case awaiting(TimerID)
    case ready(Identity)
    case closed
  }

  /// What a session is after its hello.
  struct Identity {
    /// By which limits are counted; reused after its end.
    var number: Int
    /// Never used twice on this loop: by which results are kept.
    var serial: UInt64
    /// nil: nobody needs a token here.
    var principal: Principals.Principal?
  }

  let link: WebSocketLink
  /// Who has shown a token with the upgrade; nil: the hello has to.
  private let known: Principals.Principal?
  /// Of the upgrade, for calls that say nothing themselves; nil: it said nothing.
  let trace: TraceContext?
  private var state = State.fresh
  private var life: SessionLife
  private var openedAt = Instant.never
  /// What runs or waits, in the order it came; at most the session's limit.
  var calls = SessionCalls<Call>()

  init(link: WebSocketLink, known: Principals.Principal? = nil, trace: TraceContext? = nil) {
    self.link = link
    self.known = known
    self.trace = trace
    life = SessionLife(now: link.connection.loop.now)
  }

  var loop: HostLoop { link.connection.loop }

  func awaitHello() {
    let due = loop.now.advanced(milliseconds: loop.configuration.timeouts.helloMilliseconds)
    state = .awaiting(loop.eventLoop.schedule(at: due, self, tag: 0))
  }

  /// What runs may finish until the drain is over; then the client is told to go elsewhere.
  func drain(isOver: Bool) {
    if isOver { cancelAll(.stop, message: "The host is shutting down") }
    if calls.isEmpty { link.close(code: 1012, reason: "the host is shutting down") }
  }

  private func cancelAll(_ reason: ProviderCancelReason, message: String) {
    for entry in calls.entries { entry.call.cancel(reason, message: message) }
  }

  func timerFired(_ tag: UInt32) {
    guard case .awaiting = state else { return }
    state = .fresh
    loop.warn(
      "Refused a hello", kind: "4002",
      [("code", "4002"), ("reason", "no hello within the time for it"), ("peer", "\(link.connection.peer)")])
    link.close(code: 4002, reason: "no hello within the time for it")
  }

  func sweep() {
    guard case .ready(let identity) = state else { return }
    let principals = loop.services.principals
    guard identity.principal.map({ principals.knows($0) }) ?? principals.isOpen else {
      return link.close(code: 4003, reason: "this principal is not configured any more")
    }
    let idle = loop.configuration.sessions.idleMilliseconds
    guard life.isOver(idleNanoseconds: idle * 1_000_000, hasCalls: !calls.isEmpty, now: loop.now) else { return }
    link.close(code: 1008, reason: "sessions.idle_seconds: no message for \(CallError.seconds(idle * 1_000_000)) s")
  }

  // MARK: - Messages

  func received(_ message: UnsafeRawBufferPointer) {
    switch state {
    case .awaiting(let timer): hello(message, timer)
    case .ready(let identity):
      life.heard(now: loop.now)
      operation(message, identity)
    case .fresh, .closed: break
    }
  }

  private func hello(_ bytes: UnsafeRawBufferPointer, _ timer: TimerID) {
    _ = loop.eventLoop.cancel(timer)
    state = .fresh
    let principal: Principals.Principal?
    switch NativeHello(bytes, principals: loop.services.principals, known: known) {
    case .refused(let refusal): return refuse(refusal)
    case .welcome(let known): principal = known
    }
    if loop.isDraining { return link.close(code: 1012, reason: "the host is shutting down") }
    let number: Int
    switch loop.core.openSession(principal: principal?.index) {
    case .opened(let opened): number = opened
    case .sessions: return refuse(.sessionLimit)
    case .principalSessions: return refuse(.principalSessionLimit)
    }
    let identity = Identity(number: number, serial: loop.nextSessionSerial(), principal: principal)
    state = .ready(identity)
    openedAt = loop.now
    loop.sessions[identity.serial] = self
    life.heard(now: loop.now)
    link.connection.becameKnown()
    let id = SessionID.make()
    link.send {
      NativeFrames.helloAck(
        sessionID: id, configuration: loop.configuration, version: loop.services.version, to: &$0)
    }
  }

  private func refuse(_ refusal: NativeHello.Refusal) {
    loop.warn(
      "Refused a hello", kind: refusal.word,
      [("code", "\(refusal.closeCode)"), ("reason", refusal.reason), ("peer", "\(link.connection.peer)")])
    link.send { NativeFrames.helloRefused(refusal.word, to: &$0) }
    link.close(code: refusal.closeCode, reason: refusal.reason)
  }

  // MARK: - CallFace

  func callAccepted(_ call: Call) {
    link.send { NativeFrames.ack(call, to: &$0) }
    // Who joined while it waited hears of it now.
    let joined = (calls.entries.first { $0.call === call }?.waiters ?? 1) - 1
    for _ in 0..<joined { link.send { NativeFrames.ack(call, isAttached: true, to: &$0) } }
  }

  func callProgressed(_ call: Call, phase: Call.Phase) {
    link.send { NativeFrames.progress(call, phase: phase, to: &$0) }
  }

  func callDelta(_ call: Call, sequence: UInt64, _ event: ProviderEvent) -> Bool {
    link.send { NativeFrames.delta(call, sequence: sequence, event, to: &$0) }
    return !link.connection.isCongested
  }

  func callRefused(_ call: Call, _ error: CallError) {
    let waiters = forget(call)?.waiters ?? 1
    loop.meter?.joined(call, .refused, error.code, times: waiters - 1)
    for _ in 0..<waiters {
      link.send { frame in
        call.plan.requestID.withUnsafeBytes { NativeFrames.refusal(id: $0, error, to: &frame) }
      }
    }
    if loop.isDraining { drain(isOver: false) }
  }

  func callEnded(_ call: Call, _ ending: CallEnding) {
    let entry = forget(call)
    countJoined(call, ending, (entry?.waiters ?? 1) - 1)
    if ending.outcome == .complete, let entry, let fingerprint = entry.fingerprint, loop.results.isEnabled,
      case .ready(let identity) = state
    {
      sendAndKeep(call, ending, entry, fingerprint, identity)
    } else {
      for _ in 0..<(entry?.waiters ?? 1) { link.send { NativeFrames.result(call, ending, to: &$0) } }
    }
    if loop.isDraining { drain(isOver: false) }
  }

  /// The result is sent to whoever waits, and kept as it was sent for whoever asks again.
  private func sendAndKeep(
    _ call: Call, _ ending: CallEnding, _ entry: SessionCalls<Call>.Entry, _ fingerprint: Fingerprint,
    _ identity: Identity
  ) {
    let loop = loop
    link.send { frames in
      let start = frames.count
      NativeFrames.result(call, ending, to: &frames)
      loop.results.insert(
        loop.resultKey(session: identity.serial, id: entry.id), fingerprint,
        UnsafeRawBufferPointer(rebasing: frames.readable[start...]), now: loop.now)
    }
    for _ in 1..<entry.waiters { link.send { NativeFrames.result(call, ending, to: &$0) } }
  }

  /// Requests that joined a call are answered with it; the call has counted itself.
  func countJoined(_ call: Call, _ ending: CallEnding, _ times: Int) {
    loop.meter?.joined(call, RequestOutcome(ending.outcome), ending.error?.code, times: times)
  }

  @discardableResult
  func forget(_ call: Call) -> SessionCalls<Call>.Entry? { calls.end { $0 === call } }

  // MARK: - The link

  func backlogCleared() {
    for entry in calls.entries { entry.call.resume() }
  }

  func linkClosed() {
    let previous = state
    state = .closed
    if case .awaiting(let timer) = previous { _ = loop.eventLoop.cancel(timer) }
    cancelAll(.client, message: "The client left")
    guard case .ready(let identity) = previous else { return }
    loop.sessions[identity.serial] = nil
    // What was kept for it is out of reach, and goes with its age.
    loop.core.closeSession(identity.number, principal: identity.principal?.index)
  }

  /// For the operator; nil: it is none yet, or no more.
  var summary: SessionSummary? {
    guard case .ready(let identity) = state else { return nil }
    return SessionSummary(
      number: identity.number, serial: identity.serial, principal: identity.principal?.name,
      peer: link.connection.peer, openedAt: openedAt, heardAt: life.heardAt, inFlight: calls.entries.count,
      isCongested: link.connection.isCongested)
  }
}
