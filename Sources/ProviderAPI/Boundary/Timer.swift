import CProviderABI
import Synchronization

/// One wait on the host's clock, left early when its task is cancelled.
final class Timer: Sendable {
  private enum State: Sendable {
    case idle
    case waiting(UnsafeContinuation<Bool, Never>, prv_timer)
    case ended
  }

  private let host: ProviderHost
  private let state = Mutex(State.idle)

  init(host: ProviderHost) { self.host = host }

  func wait(nanoseconds: UInt64, of call: prv_call) async throws(ProviderError) {
    var status = PRV_OK
    let elapsed = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        status = start(nanoseconds, call, continuation)
        if status != PRV_OK { continuation.resume(returning: false) }
      }
    } onCancel: {
      cancel()
    }
    if elapsed { return }
    switch status {
    case PRV_OK, PRV_CANCELLED, PRV_E_STALE: throw .cancelled
    case PRV_E_LIMIT: throw ProviderError(.limit, "the call has more timers than the host allows")
    default: throw ProviderError(.internal, "the host refused a timer with status \(status)")
    }
  }

  /// Holds the state while the host starts the timer, so that neither `fired` nor `cancel` can come between.
  private func start(_ nanoseconds: UInt64, _ call: prv_call, _ continuation: UnsafeContinuation<Bool, Never>)
    -> Int32
  {
    state.withLock { state in
      guard case .idle = state else { return PRV_CANCELLED }
      guard let start = host.time.timer_start else { return PRV_E_UNSUPPORTED }
      let argument = Unmanaged.passRetained(self)
      var timer: prv_timer = 0
      let status = start(host.context, call, nanoseconds, Self.fired, argument.toOpaque(), &timer)
      if status == PRV_OK { state = .waiting(continuation, timer) } else { argument.release() }
      return status
    }
  }

  private static let fired: @convention(c) (UnsafeMutableRawPointer?) -> Void = { argument in
    guard let argument else { return }
    Unmanaged<Timer>.fromOpaque(argument).takeRetainedValue().end()?.continuation.resume(returning: true)
  }

  private func cancel() {
    guard let (continuation, timer) = end() else { return }
    // Cancelled in time: the host gives back what `fired` would have released.
    if host.time.timer_cancel?(host.context, timer) == PRV_OK { Unmanaged.passUnretained(self).release() }
    continuation.resume(returning: false)
  }

  private func end() -> (continuation: UnsafeContinuation<Bool, Never>, timer: prv_timer)? {
    state.withLock { state in
      defer { state = .ended }
      guard case .waiting(let continuation, let timer) = state else { return nil }
      return (continuation, timer)
    }
  }
}
