/// Whether a connection is served in each turn of its loop, or only in the time that is left for the low priority.
///
/// | state  | known and a second within its share | more than its share |
/// |--------|-------------------------------------|---------------------|
/// | low    | normal                              | low, a second anew  |
/// | normal | normal                              | low                 |
///
/// All begin low: what thousands send that have said nothing yet must not hold up who is at work. A few connections
/// cannot hold each other up for long, so among them whoever is known has the normal priority, whatever it sends.
package struct Standing: Equatable, Sendable {
  /// Bytes that a connection may send in a second, from the first of them on.
  package static let bytesPerSecond = 128 << 10
  /// Connections of a loop that count as few.
  package static let few = 32
  package static let provingNanoseconds: UInt64 = 1_000_000_000

  package private(set) var isLow = true
  /// Whether the host knows what it is connected for: a session, not a stranger.
  package private(set) var isKnown = false
  private var lowSince: Instant
  private var windowStart: Instant
  private var windowBytes = 0

  package init(now: Instant) {
    lowSince = now
    windowStart = now
  }

  package mutating func becameKnown() { isKnown = true }

  /// So many bytes came. true: the priority is another one now.
  package mutating func received(_ bytes: Int, connections: Int, now: Instant) -> Bool {
    if now.nanoseconds(since: windowStart) >= 1_000_000_000 {
      windowStart = now
      windowBytes = 0
    }
    windowBytes = min(windowBytes, Self.bytesPerSecond) + min(bytes, Self.bytesPerSecond + 1)
    return judge(hasExceeded: windowBytes > Self.bytesPerSecond, connections, now)
  }

  /// More waits for it than it takes. true: the priority is another one now.
  package mutating func becameCongested(connections: Int, now: Instant) -> Bool {
    judge(hasExceeded: true, connections, now)
  }

  private mutating func judge(hasExceeded: Bool, _ connections: Int, _ now: Instant) -> Bool {
    let isAmongFew = connections <= Self.few
    let was = isLow
    if hasExceeded, !isAmongFew {
      isLow = true
      lowSince = now
    } else if isLow, isKnown, isAmongFew || now.nanoseconds(since: lowSince) >= Self.provingNanoseconds {
      isLow = false
    }
    return isLow != was
  }
}
