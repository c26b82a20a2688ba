import Synchronization

/// How a provider's worker fares. Written by the thread of the workers, read by any.
package final class WorkerFigures: Sendable {
  private let restartCount = Atomic<UInt64>(0)
  private let endCount = Atomic<UInt64>(0)
  private let quarantined = Atomic(false)
  private let process = Atomic<Int32>(0)
  private let lastEnding = Mutex("")

  package init() {}

  /// Workers that were started in place of one that ended.
  package var restarts: UInt64 { restartCount.load(ordering: .relaxed) }
  /// Workers that ended without being asked to.
  package var ends: UInt64 { endCount.load(ordering: .relaxed) }
  /// By what the last of them ended, and where: `signal 6 (Aborted) in call_open`; "": none has.
  package var lastEnd: String { lastEnding.withLock { $0 } }
  package var isQuarantined: Bool { quarantined.load(ordering: .relaxed) }
  /// 0: none runs.
  package var pid: Int32 { process.load(ordering: .relaxed) }

  func began(pid: Int32, isFirst: Bool) {
    process.store(pid, ordering: .relaxed)
    if !isFirst { restartCount.store(restarts &+ 1, ordering: .relaxed) }
  }

  func ended() { process.store(0, ordering: .relaxed) }
  func endedByItself(_ how: String) {
    lastEnding.withLock { $0 = how }
    endCount.store(ends &+ 1, ordering: .relaxed)
  }
  func quarantine() { quarantined.store(true, ordering: .relaxed) }
}
