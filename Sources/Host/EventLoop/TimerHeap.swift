import Decisions

package protocol TimerTarget: AnyObject {
  func timerFired(_ tag: UInt32)
}

/// A timer that was scheduled; stale ones are ignored.
package struct TimerID: Hashable, Sendable {
  fileprivate var index: UInt32
  fileprivate var generation: UInt32
}

/// Timers by deadline: a binary heap whose entries know their place, so that cancelling is as cheap as inserting.
struct TimerHeap {
  private struct Slot {
    var generation: UInt32
    /// Where this timer stands in the heap; −1 when the slot is free.
    var place: Int32
    var tag: UInt32
    var target: (any TimerTarget)?
  }

  private struct Entry {
    var deadline: UInt64
    var slot: UInt32
  }

  private var heap: [Entry] = []
  private var slots: [Slot] = []
  private var freeSlots: [UInt32] = []

  var count: Int { heap.count }
  var next: Instant? { heap.first.map { Instant(nanoseconds: $0.deadline) } }

  mutating func insert(at instant: Instant, _ target: any TimerTarget, tag: UInt32) -> TimerID {
    let slot: UInt32
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = UInt32(slots.count)
      slots.append(Slot(generation: 1, place: -1, tag: 0, target: nil))
    }
    slots[Int(slot)].tag = tag
    slots[Int(slot)].target = target
    heap.append(Entry(deadline: instant.nanoseconds, slot: slot))
    rise(from: heap.count - 1)
    return TimerID(index: slot, generation: slots[Int(slot)].generation)
  }

  /// false: there is no such timer any more.
  mutating func remove(_ id: TimerID) -> Bool {
    guard Int(id.index) < slots.count, slots[Int(id.index)].generation == id.generation,
      slots[Int(id.index)].place >= 0
    else { return false }
    remove(place: Int(slots[Int(id.index)].place))
    return true
  }

  /// Takes the earliest timer that is due.
  mutating func popDue(now: Instant) -> (target: any TimerTarget, tag: UInt32)? {
    guard let first = heap.first, first.deadline <= now.nanoseconds, let target = slots[Int(first.slot)].target else {
      return nil
    }
    let tag = slots[Int(first.slot)].tag
    remove(place: 0)
    return (target, tag)
  }

  private mutating func remove(place: Int) {
    let slot = Int(heap[place].slot)
    let last = heap.removeLast()
    if place < heap.count {
      heap[place] = last
      slots[Int(last.slot)].place = Int32(place)
      rise(from: place)
      sink(from: Int(slots[Int(last.slot)].place))
    }
    slots[slot].generation &+= 1
    slots[slot].place = -1
    slots[slot].target = nil
    freeSlots.append(UInt32(slot))
  }

  private mutating func rise(from place: Int) {
    var place = place
    let entry = heap[place]
    while place > 0 {
      let parent = (place - 1) / 2
      guard entry.deadline < heap[parent].deadline else { break }
      put(heap[parent], at: place)
      place = parent
    }
    put(entry, at: place)
  }

  private mutating func sink(from place: Int) {
    var place = place
    let entry = heap[place]
    while true {
      var child = 2 * place + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline { child += 1 }
      guard heap[child].deadline < entry.deadline else { break }
      put(heap[child], at: place)
      place = child
    }
    put(entry, at: place)
  }

  private mutating func put(_ entry: Entry, at place: Int) {
    heap[place] = entry
    slots[Int(entry.slot)].place = Int32(place)
  }
}
