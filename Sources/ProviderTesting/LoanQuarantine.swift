import Synchronization

/// Poisoned memory that waits until it is given back, so that a late reader finds the poison. Thread: any.
enum LoanQuarantine {
  /// Bytes that wait, for all hosts of the process.
  static let bytesLimit = 1 << 20

  /// `@unchecked Sendable`: owned by the quarantine alone.
  private struct Held: @unchecked Sendable {
    var memory: UnsafeMutableRawBufferPointer
  }

  private struct State {
    var held: [Held] = []
    var first = 0
    var bytes = 0
  }

  private static let state = Mutex(State())

  static func keep(_ memory: UnsafeMutableRawBufferPointer) {
    state.withLock { state in
      state.held.append(Held(memory: memory))
      state.bytes += memory.count
      while state.bytes > bytesLimit, state.first < state.held.count {
        let oldest = state.held[state.first].memory
        state.first += 1
        state.bytes -= oldest.count
        oldest.deallocate()
      }
      if state.first > 4096 {
        state.held.removeFirst(state.first)
        state.first = 0
      }
    }
  }
}
