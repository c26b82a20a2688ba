internal import Decisions

/// Holds lines back that a peer can cause as often as it likes, so that the log is not the attack: the first is
/// written, then one an interval, each with the number of those before it that were not.
///
///     guard let unreported = throttle.admit(now: loop.now) else { return }
///     log.warning("A peer did …", ("unreported_total", "\(unreported)"))
///
/// Thread: its owner's.
struct LogThrottle {
  static let standardMilliseconds: UInt64 = 1_000

  private let intervalMilliseconds: UInt64
  private var next = Instant(nanoseconds: 0)
  private var unreported = 0

  init(intervalMilliseconds: UInt64 = standardMilliseconds) { self.intervalMilliseconds = intervalMilliseconds }

  /// Whether a line may be written at `now`: how many were held back since the last one, or nil: hold this one back.
  mutating func admit(now: Instant) -> Int? {
    guard now >= next else {
      unreported &+= 1
      return nil
    }
    next = now.advanced(milliseconds: intervalMilliseconds)
    defer { unreported = 0 }
    return unreported
  }
}
