/// Calls that wait for one provider, in fair order: sessions take turns, whoever of them asked most.
///
/// Start-time fair queueing: a waiter's mark is one past that of its session's last waiter here, but not before the mark
/// that is being served; the lowest mark goes first, then whoever came first. Bounded by its owner.
package struct FairQueue {
  package struct Waiter: Sendable {
    var request: Admission.Request
    /// Which of all waiters of the host it is, in the order they came.
    var arrival: UInt64
    var mark: UInt64
  }

  /// In the order in which they are served.
  private var waiters: [Waiter] = []
  /// The highest mark that was served.
  private var served: UInt64 = 0

  var count: Int { waiters.count }
  var first: Waiter? { waiters.first }

  mutating func insert(_ request: Admission.Request, arrival: UInt64) {
    let last = waiters.last { $0.request.session == request.session }?.mark ?? 0
    let mark = max(served, last) + 1
    let place = waiters.firstIndex { $0.mark > mark } ?? waiters.count
    waiters.insert(Waiter(request: request, arrival: arrival, mark: mark), at: place)
  }

  /// Serves the first; there must be one.
  mutating func removeFirst() -> Waiter {
    let waiter = waiters.removeFirst()
    served = max(served, waiter.mark)
    return waiter
  }

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
