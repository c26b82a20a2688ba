import CLinux
import Glibc

/// A point of CLOCK_MONOTONIC, in nanoseconds.
///
/// Decisions take it as an argument; only an event loop reads the clock, once a turn.
package struct Instant: Comparable, Hashable, Sendable {
  package var nanoseconds: UInt64

  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// Beyond any deadline.
  package static let never = Instant(nanoseconds: .max)

  /// Reads the clock.
  package static func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }

  package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// Later by `milliseconds`; stays at `never` instead of overflowing.
  package func advanced(milliseconds: UInt64) -> Instant {
    let (product, over) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
    return over ? .never : advanced(nanoseconds: product)
  }

  package func advanced(nanoseconds duration: UInt64) -> Instant {
    let (sum, over) = nanoseconds.addingReportingOverflow(duration)
    return over ? .never : Instant(nanoseconds: sum)
  }

  /// Nanoseconds from `earlier` to here; 0 when `earlier` is later.
  package func nanoseconds(since earlier: Instant) -> UInt64 {
    nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0
  }
}
