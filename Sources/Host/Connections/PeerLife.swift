import Decisions

/// Whether a peer still lives, as a plain value: what was heard and times in, what to do out.
///
/// While bytes are queued for it the peer is judged by whether it takes them (`client_stall_seconds`), not by its
/// silence: a ping would wait behind them, and a congested connection is not read at all.
struct PeerLife {
  enum Action: Equatable {
    case wait(milliseconds: UInt64)
    /// Send a ping and ask again.
    case ping(thenWaitMilliseconds: UInt64)
    case dead
  }

  private var lastSign: Instant
  private var isPingOutstanding = false

  init(now: Instant) { lastSign = now }

  /// Bytes came from the peer, whatever they say.
  mutating func heard(now: Instant) {
    lastSign = now
    isPingOutstanding = false
  }

  /// What to do at `now`, when the last wait is over.
  mutating func due(now: Instant, hasBacklog: Bool) -> Action {
    if hasBacklog { heard(now: now) }
    if isPingOutstanding { return .dead }
    let silent = now.nanoseconds(since: lastSign) / 1_000_000
    // A timer may fire within the millisecond before its time.
    guard silent + 1 >= ConnectionLimits.pingMilliseconds else {
      return .wait(milliseconds: ConnectionLimits.pingMilliseconds - silent)
    }
    isPingOutstanding = true
    return .ping(thenWaitMilliseconds: ConnectionLimits.pongMilliseconds)
  }
}
