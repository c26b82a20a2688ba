/// How long a session may stay without a message: looked at now and then, so that an idle one costs no timer.
package struct SessionLife: Equatable, Sendable {
  package private(set) var heardAt: Instant

  package init(now: Instant) { heardAt = now }

  package mutating func heard(now: Instant) { heardAt = now }

  /// Whether it is over. One with a call is not idle, however long it says nothing.
  package func isOver(idleNanoseconds: UInt64, hasCalls: Bool, now: Instant) -> Bool {
    !hasCalls && heardAt.advanced(nanoseconds: idleNanoseconds) <= now
  }
}
