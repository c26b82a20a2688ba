/// Whether a connection is served in each turn of its loop, or only in the time that is left for the low priority.
///
/// | state  | known, a second without excess, and all that came is read | excess             |
/// |--------|-----------------------------------------------------------|--------------------|
/// | low    | normal                                                    | low, a second anew |
/// | normal | normal                                                    | low                |
///
/// Excess is to send more than a share of what a loop can take, to send faster than it is read, to ask for more in a
/// turn than a turn gives, or to take so little that what waits is bounded.
///
/// All begin low: what thousands send that have said nothing yet must not hold up who is at work. A few connections
/// cannot hold each other up for long, so among them whoever is known has the normal priority, whatever it sends.
package struct Standing: Equatable, Sendable {
  /// Bytes a second that a loop takes when it does nothing but answer small requests; its connections share them.
  package static let loopBytesPerSecond = 128 << 20
  /// Bytes a second that a connection may send at least, among however many.
  package static let leastBytesPerSecond = 128 << 10
  /// Bytes that may be read of a connection in a row while more of it waits.
  package static let undrainedBytes = 64 << 10
  /// Connections of a loop that count as few.
  package static let few = 32
  package static let provingNanoseconds: UInt64 = 1_000_000_000

  package private(set) var isLow = true
  /// Whether the host knows what it is connected for: a session, not a stranger.
  package private(set) var isKnown = false
  private var lowSince: Instant
  private var windowStart: Instant
  private var windowBytes = 0
  private var undrained = 0

  package init(now: Instant) {
    lowSince = now
    windowStart = now
  }

  package mutating func becameKnown() { isKnown = true }

  /// Bytes a second that each of so many connections of a loop may send.
  package static func share(connections: Int) -> Int {
    max(leastBytesPerSecond, loopBytesPerSecond / max(1, connections))
  }

  /// So many bytes came. true: the priority is another one now.
  ///
  /// - Parameter isDrained: nothing more of it waits to be read.
  package mutating func received(_ bytes: Int, isDrained: Bool, connections: Int, now: Instant) -> Bool {
    if now.nanoseconds(since: windowStart) >= 1_000_000_000 {
      windowStart = now
      windowBytes = 0
    }
    let share = Self.share(connections: connections)
    windowBytes = min(windowBytes, share) + min(bytes, share + 1)
    undrained = isDrained ? 0 : min(undrained, Self.undrainedBytes) + min(bytes, Self.undrainedBytes + 1)
    let hasExceeded = windowBytes > share || undrained > Self.undrainedBytes
    return judge(hasExceeded: hasExceeded, isDrained: isDrained, connections, now)
  }

  /// It takes less than waits for it, or asks for more than its turn. true: the priority is another one now.
  package mutating func exceeded(connections: Int, now: Instant) -> Bool {
    judge(hasExceeded: true, isDrained: false, connections, now)
  }

  private mutating func judge(hasExceeded: Bool, isDrained: Bool, _ connections: Int, _ now: Instant) -> Bool {
    let isAmongFew = connections <= Self.few
    let was = isLow
    if hasExceeded, !isAmongFew {
      isLow = true
      lowSince = now
    } else if isLow, isKnown, isAmongFew || (isDrained && now.nanoseconds(since: lowSince) >= Self.provingNanoseconds) {
      isLow = false
    }
    return isLow != was
  }
}
