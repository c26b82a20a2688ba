/// Calls that wait for one provider, in fair order: sessions take turns, whoever of them asked most.
///
/// Start-time fair queueing: each waiter gets a mark one past its session's last mark, but not before the mark that is
/// being served; the lowest mark goes first, then whoever came first. Bounded by its owner.
package struct FairQueue {
  package struct Waiter: Sendable {
    var request: Admission.Request
    var mark: UInt64
  }

  /// In the order in which they are served.
  private var waiters: [Waiter] = []

  var count: Int { waiters.count }
  var first: Waiter? { waiters.first }

  mutating func insert(_ waiter: Waiter) {
    var low = 0
    var high = waiters.count
    while low < high {
      let middle = (low + high) / 2
      if waiters[middle].mark <= waiter.mark { low = middle + 1 } else { high = middle }
    }
    waiters.insert(waiter, at: low)
  }

  mutating func removeFirst() -> Waiter { waiters.removeFirst() }

  /// nil: it does not wait here.
  mutating func remove(_ ticket: Ticket) -> Waiter? {
    guard let index = waiters.firstIndex(where: { $0.request.ticket == ticket }) else { return nil }
    return waiters.remove(at: index)
  }

  /// Everyone, in the order in which they would have been served.
  mutating func removeAll() -> [Waiter] {
    defer { waiters = [] }
    return waiters
  }
}
