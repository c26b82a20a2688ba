package import Decisions
import Glibc

extension Instant {
  /// Reads CLOCK_MONOTONIC. A loop reads it once a turn and passes it on.
  package static func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }
}
