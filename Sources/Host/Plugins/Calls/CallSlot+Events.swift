internal import CProviderABI
internal import ProviderContract
internal import Synchronization

// What the plugin says: emit and done. Thread: any, and the fast way on the call's loop.
extension CallSlot {
  /// From here on emits of other threads are answered with PRV_PAUSE, until the loop has caught up.
  static let copiedBytesLimit = 256 << 10
  static let copiedEventsLimit = 1024
  /// A plugin that goes on in spite of PRV_PAUSE has its call failed at this many times the limits.
  static let patience = 16

  /// prv_host.emit for the call that `handle` names.
  @inline(__always)
  func emit(_ handle: UInt64, _ source: UnsafePointer<prv_event>) -> Int32 {
    let state = current
    guard state.accepts(handle) else { return refuse(.emit, handle) }
    // Not one step: of two threads that come at the same moment both may pass, but none is blamed for nothing.
    if isEmitting.load(ordering: .relaxed) { reportConcurrentEmit(handle) }
    isEmitting.store(true, ordering: .relaxed)
    defer { isEmitting.store(false, ordering: .relaxed) }
    if state.isCancelled { return PRV_CANCELLED }
    switch EventReader.read(source) {
    case .event(let event):
      guard table.loop.isCurrent, copiedEvents.load(ordering: .relaxed) == 0 else { return emitCopied(handle, event) }
      return deliver(event)
    case .unknown:
      table.unknownEvents.add(1, ordering: .relaxed)
      return PRV_OK
    case .broken(let fault):
      breakRule(handle, fault.breach(of: handle))
      return PRV_E_INVALID_ARGUMENT
    }
  }

  /// Hands one event to the sink. Thread: loop.
  @inline(__always)
  func deliver(_ event: ProviderEvent) -> Int32 {
    guard let sink else { return PRV_CANCELLED }
    table.gate.depth &+= 1
    let flow = sink.providerEvent(event)
    table.gate.depth &-= 1
    switch flow {
    case .proceed: return PRV_OK
    case .pause:
      pause()
      state.bitwiseOr(CallState.owesResume, ordering: .acquiringAndReleasing)
      return PRV_PAUSE
    case .cancelled: return PRV_CANCELLED
    }
  }

  private func emitCopied(_ handle: UInt64, _ event: ProviderEvent) -> Int32 {
    let copy = CopiedEvent(event)
    let answer: Int32 = shared.withLock { shared in
      let state = current
      guard state.accepts(handle) else { return PRV_E_STALE }
      if state.isCancelled { return PRV_CANCELLED }
      let isBeyond =
        shared.copiedBytes > Self.copiedBytesLimit * Self.patience
        || shared.copiedEvents >= Self.copiedEventsLimit * Self.patience
      guard !isBeyond, table.send(.event(self, generation: state.generation, copy)) else { return PRV_E_LIMIT }
      shared.copiedEvents += 1
      shared.copiedBytes += copy.bytes
      copiedEvents.store(shared.copiedEvents, ordering: .relaxed)
      guard
        state.isPaused || shared.copiedBytes > Self.copiedBytesLimit || shared.copiedEvents > Self.copiedEventsLimit
      else { return PRV_OK }
      self.state.bitwiseOr(CallState.owesResume, ordering: .acquiringAndReleasing)
      return PRV_PAUSE
    }
    if answer == PRV_E_LIMIT {
      breakRule(
        handle,
        Breach(
          .serialEvents, at: .emit, handle: handle, expected: "no more events after PRV_PAUSE, until call_resume",
          found: "events beyond \(Self.patience) times the bound"))
    }
    return answer
  }

  /// prv_host.done for the call that `handle` names: the first one wins, whichever thread it comes on.
  func done(_ handle: UInt64, _ source: UnsafePointer<prv_done>) -> Int32 {
    guard current.accepts(handle) else { return refuse(.done, handle) }
    guard let end = EndReader.read(source, redact: provider.log.redacted) else { return PRV_E_INVALID_ARGUMENT }
    var old = state.load(ordering: .acquiring)
    while true {
      guard CallState(old).accepts(handle) else { return refuse(.done, handle) }
      let new = old & ~CallState.live | CallState.ended
      let attempt = state.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing)
      if attempt.exchanged { break }
      old = attempt.original
    }
    // After what other threads said of this call: their events, or that it broke a rule.
    if table.loop.isCurrent && copiedEvents.load(ordering: .relaxed) == 0 && !CallState(old).isCancelled {
      self.end = end
      enqueue(Self.finishJob)
    } else {
      _ = table.send(.end(self, generation: CallHandle.generation(handle), end), mustKeep: true)
    }
    return PRV_OK
  }

  /// The call fails because the plugin broke the contract. Thread: any.
  private func breakRule(_ handle: UInt64, _ breach: Breach) {
    let message =
      "the plugin \(provider.plugin.description.id) broke \(breach.rule): "
      + "expected \(breach.expected), found \(breach.found)"
    let failure = ProviderFailure(status: PRV_E_INTERNAL, message: message)
    // Nothing more is taken from it, in whatever order the threads go on.
    var old = state.load(ordering: .acquiring)
    repeat {
      guard CallState(old).accepts(handle), !CallState(old).isCancelled else { return }
      let attempt = state.compareExchange(
        expected: old, desired: old | CallState.cancelled, ordering: .acquiringAndReleasing)
      if attempt.exchanged { break }
      old = attempt.original
    } while true
    provider.report(breach, requestID: requestID)
    if table.loop.isCurrent {
      fault = failure
      enqueue(Self.faultJob)
    } else {
      _ = table.send(.fault(self, generation: CallHandle.generation(handle), failure), mustKeep: true)
    }
  }
}

// What came from other threads, on the loop.
extension CallSlot {
  func receive(_ event: CopiedEvent, _ generation: UInt32) {
    guard current.generation == generation, !current.isFree else { return }
    if sink == nil || current.isCancelled {
      discount(event)
    } else if current.isPaused || !held.isEmpty {
      held.append(event)
    } else {
      discount(event)
      _ = event.with { deliver($0) }
    }
  }

  func receive(_ end: ProviderEnd, _ generation: UInt32) {
    guard current.generation == generation, !current.isFree, case .open = stage else { return }
    self.end = end
    finish()
  }

  static let faultJob: @convention(c) (UnsafeMutableRawPointer?) -> Void = { slot in
    let slot = from(slot)
    if let fault = slot.fault { slot.receive(fault, slot.current.generation) }
  }

  /// The sink hears of the broken rule at once; the plugin is told to stop, and its `done` only closes the call.
  func receive(_ failure: ProviderFailure, _ generation: UInt32) {
    guard current.generation == generation, !current.isFree, let sink else { return }
    self.sink = nil
    fault = nil
    dropHeld()
    if end != nil { enqueue(Self.finishJob) }
    state.bitwiseAnd(~CallState.cancelled, ordering: .acquiringAndReleasing)
    cancel(.stop)
    sink.providerDone(.failed(failure))
  }

  /// Takes a copied event off its call's bounds, and lets the plugin go on when it was told to wait for that.
  private func discount(_ event: CopiedEvent) {
    let mayGoOn = shared.withLock { shared in
      shared.copiedEvents -= 1
      shared.copiedBytes -= event.bytes
      copiedEvents.store(shared.copiedEvents, ordering: .relaxed)
      let hasRoom =
        shared.copiedEvents <= Self.copiedEventsLimit / 4 && shared.copiedBytes <= Self.copiedBytesLimit / 4
      guard hasRoom, current.owesResume, !current.isPaused else { return false }
      state.bitwiseAnd(~CallState.owesResume, ordering: .acquiringAndReleasing)
      return true
    }
    if mayGoOn { resumePlugin() }
  }

  func dropHeld() {
    let dropped = held
    held = []
    for event in dropped { discount(event) }
  }

  static let heldJob: @convention(c) (UnsafeMutableRawPointer?) -> Void = { from($0).deliverHeld() }

  /// After a pause: what was held goes first, until the sink asks for the next pause.
  private func deliverHeld() {
    var next = 0
    while next < held.count, !current.isPaused, sink != nil {
      let event = held[next]
      next += 1
      discount(event)
      _ = event.with { deliver($0) }
      // A sink that cancelled meanwhile dropped the rest.
      if held.isEmpty { return }
    }
    held.removeFirst(next)
    if held.isEmpty && end != nil { finish() }
  }
}
