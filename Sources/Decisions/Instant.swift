/// A point of CLOCK_MONOTONIC, in nanoseconds.
///
/// Decisions take it as an argument; nothing in this module reads a clock.
package struct Instant: Comparable, Hashable, Sendable {
  package var nanoseconds: UInt64

  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// Beyond any deadline.
  package static let never = Instant(nanoseconds: .max)

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
