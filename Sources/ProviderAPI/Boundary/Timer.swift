import CProviderABI
import Synchronization

/// One wait on the host's clock, left early when its task is cancelled.
///
/// The host has a pointer to it and may drop that without a word, when the call is over. So the call holds the timer,
/// from the start until it fired or was cancelled in time, or until the call itself is freed: nothing fires after.
final class Timer: Sendable {
  private enum State: Sendable {
    case idle
    case waiting(UnsafeContinuation<Bool, Never>, prv_timer)
    case ended
  }

  /// It holds the timer, and outlives every use of it here.
  private unowned let call: Call
  private let state = Mutex(State.idle)

  private var host: ProviderHost { call.host }

  init(of call: Call) { self.call = call }

  func wait(nanoseconds: UInt64) async throws(ProviderError) {
    var status = PRV_OK
    let elapsed = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        status = start(nanoseconds, continuation)
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
  private func start(_ nanoseconds: UInt64, _ continuation: UnsafeContinuation<Bool, Never>) -> Int32 {
    state.withLock { state in
      guard case .idle = state else { return PRV_CANCELLED }
      guard let start = host.time.timer_start else { return PRV_E_UNSUPPORTED }
      call.hold(self)
      var timer: prv_timer = 0
      let argument = Unmanaged.passUnretained(self).toOpaque()
      let status = start(host.context, call.handle, nanoseconds, Self.fired, argument, &timer)
      if status == PRV_OK { state = .waiting(continuation, timer) } else { call.drop(self) }
      return status
    }
  }

  private static let fired: @convention(c) (UnsafeMutableRawPointer?) -> Void = { argument in
    guard let argument else { return }
    let timer = Unmanaged<Timer>.fromOpaque(argument).takeUnretainedValue()
    timer.call.drop(timer)
    timer.end()?.continuation.resume(returning: true)
  }

  private func cancel() {
    guard let (continuation, timer) = end() else { return }
    // Cancelled in time: it will not fire. Otherwise it may be about to, or was dropped with its call.
    if host.time.timer_cancel?(host.context, timer) == PRV_OK { call.drop(self) }
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
