internal import Glibc

/// CLOCK_MONOTONIC, and how long something takes by it.
enum MonotonicClock {
  static func nanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
  }

  /// Milliseconds that `body` takes, and its result.
  static func measure<Result>(_ body: () throws(CheckStop) -> Result) throws(CheckStop) -> (
    Result, milliseconds: Double
  ) {
    let began = nanoseconds()
    let result = try body()
    return (result, Double(nanoseconds() &- began) / 1e6)
  }
}
