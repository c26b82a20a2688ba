/// The clocks of one call, as a plain value: events and times in, the next deadline and what expired out.
///
/// `first_token` runs from the open to the first semantic event, `progress` between semantic events; both stand still
/// while the host has paused the call. `total` never does. `connect` is measured where the connection is made, by the
/// upstream client. Heartbeats are due on the same timer.
package struct CallClocks: Equatable, Sendable {
  /// The bounds, in nanoseconds.
  package struct Limits: Equatable, Sendable {
    package var firstToken: UInt64
    package var progress: UInt64
    package var total: UInt64
    package var heartbeat: UInt64

    package init(firstToken: UInt64, progress: UInt64, total: UInt64, heartbeat: UInt64) {
      self.firstToken = firstToken
      self.progress = progress
      self.total = total
      self.heartbeat = heartbeat
    }
  }

  /// A clock by the name that errors and metrics carry.
  package enum Clock: String, Sendable {
    case connect
    case firstToken = "first_token"
    case progress
    case total
  }

  package enum Due: Equatable {
    case expired(Clock, nanoseconds: UInt64)
    case heartbeat
  }

  package private(set) var limits: Limits
  private var hasFirstToken = false
  private var middleDeadline: Instant
  private let totalDeadline: Instant
  private var nextHeartbeat: Instant
  private var pausedSince: Instant?

  /// `total` begins here, when the request was received.
  package init(limits: Limits, now: Instant) {
    self.limits = limits
    middleDeadline = now.advanced(nanoseconds: limits.firstToken)
    totalDeadline = now.advanced(nanoseconds: limits.total)
    nextHeartbeat = now.advanced(nanoseconds: limits.heartbeat)
  }

  package var deadline: Instant { totalDeadline }

  /// The provider is asked now: the wait for a permit is over and counts to `total` only.
  package mutating func opened(now: Instant) {
    middleDeadline = now.advanced(nanoseconds: limits.firstToken)
    nextHeartbeat = now.advanced(nanoseconds: limits.heartbeat)
  }

  /// A try has failed, and the next has not begun: only `total` runs. Heartbeats go on.
  package mutating func attemptFailed() { middleDeadline = .never }

  /// The provider is asked again.
  package mutating func reopened(now: Instant) { middleDeadline = now.advanced(nanoseconds: limits.firstToken) }

  /// When `due` has something to say, unless events move it later.
  package var next: Instant {
    let nearest = min(totalDeadline, nextHeartbeat)
    return pausedSince == nil ? min(nearest, middleDeadline) : nearest
  }

  /// A piece of the answer came: text, reasoning, a tool call. Heartbeats and empty pieces are not events.
  package mutating func semanticEvent(now: Instant) {
    hasFirstToken = true
    middleDeadline = now.advanced(nanoseconds: limits.progress)
    if pausedSince != nil { pausedSince = now }
  }

  package mutating func paused(now: Instant) {
    if pausedSince == nil { pausedSince = now }
  }

  package mutating func resumed(now: Instant) {
    guard let since = pausedSince else { return }
    pausedSince = nil
    guard middleDeadline != .never else { return }
    middleDeadline = middleDeadline.advanced(nanoseconds: now.nanoseconds(since: since))
  }

  /// What has come due. A heartbeat that is due moves to its next beat; ask again until nil.
  package mutating func due(now: Instant) -> Due? {
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
