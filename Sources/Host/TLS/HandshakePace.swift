import Decisions

/// How many handshakes a loop moves on in one turn, so that a crowd of them does not hold up the calls: each step may
/// cost a signature, about a millisecond with RSA. Whoever has to wait is ready again in the next turn.
///
/// Thread: the loop's.
struct HandshakePace {
  static let stepsPerTurn = 2

  private var turn = Instant.never
  private var steps = 0

  /// Whether one more may go on in the turn that began at `now`.
  mutating func take(now: Instant) -> Bool {
    if now != turn { (turn, steps) = (now, 0) }
    guard steps < Self.stepsPerTurn else { return false }
    steps += 1
    return true
  }
}
