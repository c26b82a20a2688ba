import Decisions
import Synchronization

/// Whether one loop turns: a job is sent to it and it says when it has run.
///
/// Thread: `beat` and `figures(now:)` of the observer; the answer comes on the loop.
final class LoopPulse: Sendable {
  struct Figures: Sendable, Equatable {
    /// From the sending of the last job that has run to its running.
    var lagNanoseconds: UInt64 = 0
    /// For how long a job that was sent has not run; 0: every one has.
    var standstillNanoseconds: UInt64 = 0
  }

  /// When the job under way was sent; 0: none is.
  private let sentAt = Atomic<UInt64>(0)
  private let lag = Atomic<UInt64>(0)

  /// Sends a job, unless one is under way.
  func beat(_ loop: EventLoop, now: Instant) {
    guard sentAt.load(ordering: .acquiring) == 0 else { return }
    sentAt.store(max(1, now.nanoseconds), ordering: .releasing)
    // A loop that has stopped turns no more, and nobody waits for it.
    if !loop.submitPastBound(.work { [self] in answer(now: .now()) }) { sentAt.store(0, ordering: .releasing) }
  }

  func answer(now: Instant) {
    let sent = sentAt.load(ordering: .acquiring)
    lag.store(now.nanoseconds(since: Instant(nanoseconds: sent)), ordering: .relaxed)
    sentAt.store(0, ordering: .releasing)
  }

  func figures(now: Instant) -> Figures {
    let sent = sentAt.load(ordering: .acquiring)
    return Figures(
      lagNanoseconds: lag.load(ordering: .relaxed),
      standstillNanoseconds: sent == 0 ? 0 : now.nanoseconds(since: Instant(nanoseconds: sent)))
  }
}
