import Decisions

/// What happens next in the world: a heap by time, then by a number drawn from the seed, so that what falls together
/// comes in an order of its own.
struct Agenda {
  enum Event {
    /// A loop takes the first message of its mailbox.
    case mail(loop: Int)
    case timer(SimulatedCall, generation: UInt32)
    case upstream(SimulatedCall, attempt: Int, UpstreamEvent)
    case client(Int)
    /// A slow reader has caught up.
    case catchUp(SimulatedSession)
    /// The control thread looks for overdue leases.
    case control
    case sweep(loop: Int)
    /// The operator changes the limits.
    case reload
  }

  /// What an upstream does in an attempt.
  enum UpstreamEvent {
    case piece
    case finished
    case failed(AttemptFailure)
  }

  private struct Entry {
    var at: UInt64
    var order: UInt64
    var event: Event
  }

  private var heap: [Entry] = []

  var isEmpty: Bool { heap.isEmpty }
  var count: Int { heap.count }

  mutating func add(at instant: Instant, order: UInt64, _ event: Event) {
    heap.append(Entry(at: instant.nanoseconds, order: order, event: event))
    var place = heap.count - 1
    while place > 0 {
      let parent = (place - 1) / 2
      guard Self.precedes(heap[place], heap[parent]) else { return }
      heap.swapAt(place, parent)
      place = parent
    }
  }

  mutating func next() -> (at: Instant, event: Event)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      var place = 0
      while true {
        var child = 2 * place + 1
        guard child < heap.count else { break }
        if child + 1 < heap.count, Self.precedes(heap[child + 1], heap[child]) { child += 1 }
        guard Self.precedes(heap[child], heap[place]) else { break }
        heap.swapAt(child, place)
        place = child
      }
    }
    return (Instant(nanoseconds: first.at), first.event)
  }

  private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
    (left.at, left.order) < (right.at, right.order)
  }
}
