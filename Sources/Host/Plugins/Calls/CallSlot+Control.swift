internal import CProviderABI
internal import ProviderContract
internal import Synchronization

// What the host asks of the call: cancel, release, pause, resume. Thread: loop.
extension CallSlot {
  /// Aborts the exchanges and tells the plugin, at most once per call.
  func cancel(_ reason: ProviderCancelReason) {
    guard current.isLive else { return cancelEnded() }
    guard case .none = cancellation else { return }
    state.bitwiseOr(CallState.cancelled, ordering: .acquiringAndReleasing)
    cancellation = .asked(reason)
    dropHeld()
    abortExchanges()
    armGrace()
    notify()
  }

  /// The plugin has ended the call, but the sink paused before it heard so.
  private func cancelEnded() {
    guard end != nil, !held.isEmpty else { return }
    end = .cancelled
    dropHeld()
    enqueue(Self.finishJob)
  }

  /// Nobody listens any more.
  func release(_ reason: ProviderCancelReason) {
    sink = nil
    cancel(reason)
  }

  func pause() {
    guard !current.isPaused else { return }
    state.bitwiseOr(CallState.paused, ordering: .acquiringAndReleasing)
    forEachExchange { $0.pause() }
  }

  func resume() {
    guard current.isPaused else { return }
    // Under the lock: an emit on another thread either sees the pause and owes nothing yet, or is answered here.
    let owesResume = shared.withLock { _ in
      let old = state.bitwiseAnd(~(CallState.paused | CallState.owesResume), ordering: .acquiringAndReleasing)
      return CallState(old.oldValue).owesResume
    }
    forEachExchange { $0.resume() }
    if !held.isEmpty { enqueue(Self.heldJob) }
    if owesResume { resumePlugin() }
  }

  func resumePlugin() {
    guard current.isLive, !current.isCancelled else { return }
    resumeIsDue = true
    notify()
  }

  private static let notifyJob: @convention(c) (UnsafeMutableRawPointer?) -> Void = { from($0).tell() }

  /// Tells the plugin now, or when the loop has left its functions (PRV-R009).
  private func notify() {
    if table.gate.depth > 0 { return enqueue(Self.notifyJob) }
    if case .opening = stage { return enqueue(Self.notifyJob) }
    tell()
  }

  private func tell() {
    guard case .open = stage, current.isLive else { return }
    let functions = provider.functions
    if case .asked(let reason) = cancellation {
      cancellation = .told
      resumeIsDue = false
      functions.call_cancel(functions.`self`, context, reason.rawValue)
    } else if resumeIsDue {
      resumeIsDue = false
      functions.call_resume?(functions.`self`, context)
    }
  }

  private func armGrace() {
    let tag = CallTimer.tag(part: CallTimer.gracePart, generation: current.generation)
    let end = table.loop.now.advanced(milliseconds: provider.graceMilliseconds)
    graceTimer = table.loop.schedule(at: end, self, tag: tag)
  }

  /// The slot stays reserved: the plugin may still say `done`, and must find its call then.
  func graceEnded() {
    graceTimer = nil
    guard current.isLive else { return }
    let grace = "\(provider.graceMilliseconds) ms"
    provider.report(
      Breach(
        .doneAfterCancel, at: .callCancel, handle: handle, expected: "done within \(grace) of call_cancel",
        found: "none"), requestID: requestID, message: "plugin did not end a cancelled call")
  }

  /// For log lines. Thread: any.
  var requestID: String { shared.withLock { $0.requestID.string() } }

  /// For log lines; nil: the call is in no trace. Thread: any.
  var traceID: String? { shared.withLock { $0.trace?.traceID } }
}
