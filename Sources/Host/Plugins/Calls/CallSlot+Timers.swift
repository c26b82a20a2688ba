internal import CProviderABI
import Decisions

/// One of a call's timers.
struct CallTimer {
  /// Timers of one call.
  static let countLimit = 16
  /// The part of a tag that means the grace after a cancel.
  static let gracePart = 16
  private static let generationMask: UInt32 = 0x7FF_FFFF

  var generation: UInt32 = 1
  var job: PluginJob?

  static func tag(part: Int, generation: UInt32) -> UInt32 {
    (generation & generationMask) << 5 | UInt32(truncatingIfNeeded: part)
  }

  static func part(_ tag: UInt32) -> Int { Int(tag & 31) }

  func matches(_ tag: UInt32) -> Bool { generation & Self.generationMask == tag >> 5 }
}

extension CallSlot: TimerTarget {
  /// Starts a timer of the call that `handle` names. Thread: any.
  func startTimer(_ handle: UInt64, after nanoseconds: UInt64, _ job: PluginJob) -> (status: Int32, timer: UInt64) {
    let started: (status: Int32, part: Int, generation: UInt32) = shared.withLock { shared in
      guard current.accepts(handle) else { return (PRV_E_STALE, 0, 0) }
      var part = shared.timers.firstIndex { $0.job == nil }
      if part == nil && shared.timers.count < CallTimer.countLimit {
        part = shared.timers.count
        shared.timers.append(CallTimer())
      }
      guard let part else { return (PRV_E_LIMIT, 0, 0) }
      shared.timers[part].job = job
      return (PRV_OK, part, shared.timers[part].generation)
    }
    guard started.status == PRV_OK else { return (started.status, 0) }
    let timer = CallHandle.make(
      generation: started.generation, loop: table.loop.index, slot: index, part: started.part)
    let deadline = Instant.now().advanced(nanoseconds: nanoseconds)
    if table.loop.isCurrent {
      armTimer(started.part, started.generation, at: deadline)
    } else if !table.send(.timer(self, part: started.part, generation: started.generation, deadline)) {
      _ = cancelTimer(timer)
      return (PRV_E_LIMIT, 0)
    }
    return (PRV_OK, timer)
  }

  /// Stops the timer that `handle` names. Thread: any.
  func cancelTimer(_ handle: UInt64) -> Int32 {
    let part = CallHandle.part(handle)
    let isTaken = shared.withLock { shared in
      guard part < shared.timers.count, shared.timers[part].job != nil,
        shared.timers[part].generation == CallHandle.generation(handle)
      else { return false }
      shared.timers[part].job = nil
      shared.timers[part].generation = CallHandle.next(shared.timers[part].generation)
      return true
    }
    guard isTaken else { return PRV_E_STALE }
    // Elsewhere the loop's timer is left to fire and find nothing.
    if table.loop.isCurrent { disarm(part) }
    return PRV_OK
  }

  /// Thread: loop.
  func armTimer(_ part: Int, _ generation: UInt32, at deadline: Instant) {
    let isWanted = shared.withLock { $0.timers[part].job != nil && $0.timers[part].generation == generation }
    guard isWanted else { return }
    while timerIDs.count <= part { timerIDs.append(nil) }
    disarm(part)
    timerIDs[part] = table.loop.schedule(at: deadline, self, tag: CallTimer.tag(part: part, generation: generation))
  }

  private func disarm(_ part: Int) {
    guard part < timerIDs.count, let id = timerIDs[part] else { return }
    timerIDs[part] = nil
    _ = table.loop.cancel(id)
  }

  package func timerFired(_ tag: UInt32) {
    let part = CallTimer.part(tag)
    if part == CallTimer.gracePart {
      if CallTimer.tag(part: part, generation: current.generation) == tag { graceEnded() }
      return
    }
    let job: PluginJob? = shared.withLock { shared in
      guard part < shared.timers.count, shared.timers[part].matches(tag) else { return nil }
      let job = shared.timers[part].job
      shared.timers[part].job = nil
      shared.timers[part].generation = CallHandle.next(shared.timers[part].generation)
      return job
    }
    guard let job else { return }
    timerIDs[part] = nil
    job.run()
  }

  /// At the end of the call: none fires any more. Thread: loop.
  func cancelTimers() {
    let count = shared.withLock { shared in
      for part in shared.timers.indices where shared.timers[part].job != nil {
        shared.timers[part].job = nil
        shared.timers[part].generation = CallHandle.next(shared.timers[part].generation)
      }
      return shared.timers.count
    }
    for part in 0..<min(count, timerIDs.count) { disarm(part) }
  }
}
