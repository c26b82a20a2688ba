/// The permits that were given and not yet returned, each with its owner and a deadline.
///
/// A lease past its deadline is the only thing that is ever called a leak: it is told once and taken back once. One in
/// use is never touched. An id carries a generation, so that what was returned or taken back cannot be returned again.
package struct Leases {
  /// A permission to run, by index and generation.
  package struct ID: Hashable, Sendable {
    package var index: UInt32
    package var generation: UInt32
  }

  /// What is known of a lease.
  package struct Lease: Sendable {
    package var ticket: Ticket
    package var provider: Int
    package var session: Int
    package var principal: Int?
    /// The request id as its client wrote it: who the log names.
    package var owner: [UInt8]
    package var since: Instant
    package var deadline: Instant
  }

  /// A lease whose owner has not returned it in time.
  package struct Overdue: Sendable {
    package var id: ID
    package var lease: Lease
  }

  /// How far past its deadline a call must hold its permit, at least, before that is a leak: a loop that a busy machine
  /// holds up answers late and has lost nothing.
  package static let graceNanoseconds: UInt64 = 5_000_000_000

  /// Nanoseconds from the permit to the lease's deadline, for a call of `total` nanoseconds: half as long again, and
  /// never less than the grace beyond it.
  package static func term(ofTotal total: UInt64) -> UInt64 {
    let (term, overflow) = total.addingReportingOverflow(max(total / 2, graceNanoseconds))
    return overflow ? .max : term
  }

  private struct Slot {
    var generation: UInt32
    var lease: Lease?
    var isReported = false
  }

  private var slots: [Slot] = []
  private var free: [UInt32] = []
  package private(set) var count = 0

  package init() {}

  package subscript(_ id: ID) -> Lease? {
    guard Int(id.index) < slots.count, slots[Int(id.index)].generation == id.generation else { return nil }
    return slots[Int(id.index)].lease
  }

  mutating func add(_ lease: Lease) -> ID {
    count += 1
    if let index = free.popLast() {
      slots[Int(index)].lease = lease
      slots[Int(index)].isReported = false
      return ID(index: index, generation: slots[Int(index)].generation)
    }
    slots.append(Slot(generation: 1, lease: lease))
    return ID(index: UInt32(slots.count - 1), generation: 1)
  }

  /// nil: it was returned or taken back before.
  mutating func remove(_ id: ID) -> Lease? {
    guard let lease = self[id] else { return nil }
    slots[Int(id.index)].lease = nil
    slots[Int(id.index)].generation &+= 1
    free.append(id.index)
    count -= 1
    return lease
  }

  /// The call goes on with another provider.
  mutating func move(_ id: ID, to provider: Int) { slots[Int(id.index)].lease?.provider = provider }

  /// Leases past their deadline that were not told before.
  mutating func newlyOverdue(now: Instant) -> [Overdue] {
    var overdue: [Overdue] = []
    for index in slots.indices {
      guard let lease = slots[index].lease, lease.deadline < now, !slots[index].isReported else { continue }
      slots[index].isReported = true
      overdue.append(Overdue(id: ID(index: UInt32(index), generation: slots[index].generation), lease: lease))
    }
    return overdue
  }

  /// Leases past their deadline.
  func overdue(now: Instant) -> [Lease] {
    slots.compactMap { slot in slot.lease.flatMap { $0.deadline < now ? $0 : nil } }
  }

  /// How long the oldest lease has been held, in nanoseconds; 0: there is none.
  package func oldest(now: Instant) -> UInt64 {
    slots.reduce(0) { oldest, slot in max(oldest, slot.lease.map { now.nanoseconds(since: $0.since) } ?? 0) }
  }
}
