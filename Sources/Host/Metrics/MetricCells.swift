import Synchronization

/// Counts that one thread adds to and any thread reads: a load and a store each, no lock, no locked instruction.
///
/// Owner: whoever made them calls `free`.
/// `@unchecked Sendable`: who counts is one thread; a reader sees each count whole, and all of them as of a moment that
/// may differ by what was counted meanwhile.
struct MetricCells: @unchecked Sendable {
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// `count` of them, all zero.
  init(count: Int) {
    words = .allocate(capacity: count)
    for index in 0..<count { (words + index).initialize(to: Atomic(0)) }
  }

  func free() { words.deallocate() }

  /// Those behind a pointer that `pointer` gave.
  init(_ pointer: UnsafeMutableRawPointer) { words = pointer.assumingMemoryBound(to: Atomic<UInt64>.self) }
  var pointer: UnsafeMutableRawPointer { UnsafeMutableRawPointer(words) }

  /// Thread: any.
  subscript(_ index: Int) -> UInt64 { words[index].load(ordering: .relaxed) }

  /// Thread: the one that counts.
  @inline(__always)
  func add(_ amount: UInt64, at index: Int) {
    words[index].store(words[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }

  /// Counts one observation in the histogram that begins at `index`. Its sum wraps after 2^64: 584 years of time.
  /// Thread: the one that counts.
  @inline(__always)
  func observe(_ value: UInt64, at index: Int, _ bounds: BucketBounds) {
    add(1, at: index &+ bounds.bucket(of: value))
    add(value, at: index &+ bounds.count &+ 1)
  }

  /// Adds what is counted here to `sums`, which is as long. Thread: any.
  func merge(into sums: inout [UInt64]) {
    for index in sums.indices { sums[index] &+= self[index] }
  }
}

/// The histogram of one loop's turns, for a room that knows nothing else of metrics.
final class TurnTimes: Sendable {
  let cells = MetricCells(count: BucketBounds.turn.words)

  deinit { cells.free() }

  /// - Parameter nanoseconds: how long a turn took. Thread: the loop's.
  @inline(__always)
  func observe(_ nanoseconds: UInt64) { cells.observe(nanoseconds, at: 0, .turn) }
}
