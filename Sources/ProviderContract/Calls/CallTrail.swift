internal import Glibc
internal import Synchronization

/// The last calls across the boundary, oldest first, in a ring of fixed size: what led to a breach or a crash.
///
/// Its memory can be the caller's, shared with another process, which then reads what a process did before it died.
/// Thread: any; two entries of different threads may stand in either order.
public final class CallTrail: Sendable {
  /// One call across the boundary.
  public struct Entry: Sendable, Equatable, CustomStringConvertible {
    public var function: ABIFunction
    /// The prv_call, prv_exchange or prv_timer; 0: none.
    public var handle: UInt64
    /// Tells threads apart, and means nothing else.
    public var thread: UInt32
    /// Nanoseconds of the clock that the recorder gives, the mock's or CLOCK_MONOTONIC.
    public var nanoseconds: UInt64

    public var description: String {
      let arrow = function.isHosts ? "plugin→host" : "host→plugin"
      let call = handle == 0 ? "" : " handle=\(String(handle, radix: 16))"
      return "\(nanoseconds / 1000) µs \(arrow) \(function)\(call) thread=\(String(thread, radix: 16))"
    }
  }

  /// As it lies in memory: four words, the first of which is written last.
  private static let wordsPerEntry = 4
  /// Entries that are kept.
  public static let defaultCapacity = 64

  private let memory: SharedWords
  private let capacity: Int
  private let ownsMemory: Bool

  /// Bytes that a trail of `capacity` entries needs.
  public static func bytes(capacity: Int = defaultCapacity) -> Int { (1 + capacity * wordsPerEntry) * 8 }

  /// - Parameter memory: zeroed, aligned to 8, `bytes(capacity:)` long, and valid as long as the trail; nil: its own.
  public init(capacity: Int = defaultCapacity, memory: UnsafeMutableRawPointer? = nil) {
    precondition((1...65_536).contains(capacity), "a trail keeps 1 to 65,536 entries (was \(capacity))")
    self.capacity = capacity
    ownsMemory = memory == nil
    let count = 1 + capacity * Self.wordsPerEntry
    if let memory {
      self.memory = SharedWords(start: memory.bindMemory(to: Atomic<UInt64>.self, capacity: count))
    } else {
      let own = UnsafeMutableRawPointer.allocate(byteCount: count * 8, alignment: 8)
      own.initializeMemory(as: UInt8.self, repeating: 0, count: count * 8)
      self.memory = SharedWords(start: own.bindMemory(to: Atomic<UInt64>.self, capacity: count))
    }
  }

  deinit { if ownsMemory { memory.start.deallocate() } }

  public func record(_ function: ABIFunction, handle: UInt64 = 0, nanoseconds: UInt64) {
    let turn = memory.start[0].add(1, ordering: .relaxed).oldValue
    let first = 1 + Int(turn % UInt64(capacity)) * Self.wordsPerEntry
    memory.start[first].store(0, ordering: .relaxed)
    memory.start[first + 1].store(handle, ordering: .relaxed)
    memory.start[first + 2].store(nanoseconds, ordering: .relaxed)
    memory.start[first + 3].store(UInt64(UInt(pthread_self()) >> 8 & 0xFFFF_FFFF), ordering: .relaxed)
    memory.start[first].store(turn << 8 | UInt64(function.rawValue), ordering: .releasing)
  }

  /// The entries that are whole, oldest first.
  public var entries: [Entry] {
    let turn = memory.start[0].load(ordering: .acquiring)
    var result: [Entry] = []
    for number in (turn > UInt64(capacity) ? turn - UInt64(capacity) : 0)..<turn {
      let first = 1 + Int(number % UInt64(capacity)) * Self.wordsPerEntry
      let head = memory.start[first].load(ordering: .acquiring)
      guard head >> 8 == number, let function = ABIFunction(rawValue: UInt8(truncatingIfNeeded: head)) else { continue }
      result.append(
        Entry(
          function: function, handle: memory.start[first + 1].load(ordering: .relaxed),
          thread: UInt32(truncatingIfNeeded: memory.start[first + 3].load(ordering: .relaxed)),
          nanoseconds: memory.start[first + 2].load(ordering: .relaxed)))
    }
    return result
  }
}

/// `@unchecked Sendable`: the words are atomic, and the address never changes.
private struct SharedWords: @unchecked Sendable {
  let start: UnsafeMutablePointer<Atomic<UInt64>>
}
