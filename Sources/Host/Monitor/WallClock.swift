import Decisions
import Glibc

/// What the wall's clock shows at points of the monotonic one: read once, so that all times of one answer agree.
struct WallClock: Sendable {
  private let now: Instant
  /// Nanoseconds that the wall's clock is ahead.
  private let lead: Int64

  /// Clocks that were read before and differ by less than this go on as they were: the same instant is then shown as
  /// the same time again.
  private static let toleranceNanoseconds: Int64 = 5_000_000

  /// Reads both clocks.
  init(after before: WallClock? = nil) {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    self.init(now: .now(), wallNanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec), after: before)
  }

  /// - Parameter wallNanoseconds: since 1970.
  init(now: Instant, wallNanoseconds: Int64, after before: WallClock? = nil) {
    self.now = now
    let lead = wallNanoseconds - Int64(clamping: now.nanoseconds)
    if let before, (lead - before.lead).magnitude < Self.toleranceNanoseconds.magnitude {
      self.lead = before.lead
    } else {
      self.lead = lead
    }
  }

  /// Unix milliseconds, now.
  var present: Int64 { milliseconds(of: now) }

  /// Unix milliseconds; what lies ahead is shown as now.
  func milliseconds(of instant: Instant) -> Int64 {
    (Int64(clamping: min(instant, now).nanoseconds) + lead) / 1_000_000
  }

  /// Milliseconds from `instant` to now.
  func age(of instant: Instant) -> UInt64 { now.nanoseconds(since: instant) / 1_000_000 }
}
