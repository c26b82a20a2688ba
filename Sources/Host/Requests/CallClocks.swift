/// The clocks of one call, as a plain value: events and times in, the next deadline and what expired out.
///
/// `first_token` runs from the open to the first semantic event, `progress` between semantic events; both stand still
/// while the host has paused the call. `total` never does. `connect` is measured where the connection is made, by the
/// upstream client. Heartbeats are due on the same timer.
struct CallClocks: Equatable {
  /// The bounds, in nanoseconds.
  struct Limits: Equatable {
    var firstToken: UInt64
    var progress: UInt64
    var total: UInt64
    var heartbeat: UInt64
  }

  /// A clock by the name that errors and metrics carry.
  enum Clock: String, Sendable {
    case connect
    case firstToken = "first_token"
    case progress
    case total
  }

  enum Due: Equatable {
    case expired(Clock, nanoseconds: UInt64)
    case heartbeat
  }

  private(set) var limits: Limits
  private var hasFirstToken = false
  private var middleDeadline: Instant
  private let totalDeadline: Instant
  private var nextHeartbeat: Instant
  private var pausedSince: Instant?

  /// `total` begins here, when the request was received.
  init(limits: Limits, now: Instant) {
    self.limits = limits
    middleDeadline = now.advanced(nanoseconds: limits.firstToken)
    totalDeadline = now.advanced(nanoseconds: limits.total)
    nextHeartbeat = now.advanced(nanoseconds: limits.heartbeat)
  }

  var deadline: Instant { totalDeadline }

  /// The provider is asked now: the wait for a permit is over and counts to `total` only.
  mutating func opened(now: Instant) {
    middleDeadline = now.advanced(nanoseconds: limits.firstToken)
    nextHeartbeat = now.advanced(nanoseconds: limits.heartbeat)
  }

  /// When `due` has something to say, unless events move it later.
  var next: Instant {
    let nearest = min(totalDeadline, nextHeartbeat)
    return pausedSince == nil ? min(nearest, middleDeadline) : nearest
  }

  /// A piece of the answer came: text, reasoning, a tool call. Heartbeats and empty pieces are not events.
  mutating func semanticEvent(now: Instant) {
    hasFirstToken = true
    middleDeadline = now.advanced(nanoseconds: limits.progress)
    if pausedSince != nil { pausedSince = now }
  }

  mutating func paused(now: Instant) {
    if pausedSince == nil { pausedSince = now }
  }

  mutating func resumed(now: Instant) {
    guard let since = pausedSince else { return }
    pausedSince = nil
    middleDeadline = middleDeadline.advanced(nanoseconds: now.nanoseconds(since: since))
  }

  /// What has come due. A heartbeat that is due moves to its next beat; ask again until nil.
  mutating func due(now: Instant) -> Due? {
    if totalDeadline <= now { return .expired(.total, nanoseconds: limits.total) }
    if pausedSince == nil, middleDeadline <= now {
      return hasFirstToken
        ? .expired(.progress, nanoseconds: limits.progress) : .expired(.firstToken, nanoseconds: limits.firstToken)
    }
    guard nextHeartbeat <= now else { return nil }
    // Beats that were missed are not made up for.
    nextHeartbeat = max(nextHeartbeat, now).advanced(nanoseconds: limits.heartbeat)
    return .heartbeat
  }
}
