import Decisions

/// Looks for calls that hold a permit past their deadline, which no call should: each is told once, with its owner, and
/// taken back once. What is in use is never touched.
///
/// Thread: the control thread's; the loops do the taking back.
struct LeaseRecovery {
  /// Between two looks.
  static let intervalMilliseconds: UInt64 = 1_000

  let core: Core
  let loops: LoopDirectory
  let log: Log
  /// The provider's id by its number.
  let name: (Int) -> String

  func look(now: Instant) {
    for overdue in core.newlyOverdueLeases(now: now) {
      log.error(
        "A call holds a permit past its deadline", ("request_id", RequestID.content(of: overdue.lease.owner)),
        ("provider", name(overdue.lease.provider)), ("session", "\(overdue.lease.session)"),
        ("held_seconds", CallError.seconds(now.nanoseconds(since: overdue.lease.since))),
        ("remedy", "it is ended and its permit taken back; report this as a fault of the host"))
      loops[Int(overdue.lease.ticket.loop)].reclaim(overdue)
    }
  }
}
