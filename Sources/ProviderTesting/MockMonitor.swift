import Glibc

/// A lock with a signal: what a mock host's state is behind, and how it hears of a plugin's own threads.
///
/// Recursive, so that a function of the host may use another. Never held while the plugin is called.
final class MockMonitor {
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var activity: UInt64 = 0

  init() {
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
    pthread_mutex_init(lock, &attributes)
    pthread_mutexattr_destroy(&attributes)
    var clock = pthread_condattr_t()
    pthread_condattr_init(&clock)
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC)
    pthread_cond_init(changed, &clock)
    pthread_condattr_destroy(&clock)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return try body()
  }

  /// Wakes whoever waits; within `locked`.
  func signal() {
    activity &+= 1
    pthread_cond_broadcast(changed)
  }

  /// Waits for a signal until the instant `end` (CLOCK_MONOTONIC). False: none came.
  func wait(until end: timespec, unless isDone: () -> Bool) -> Bool {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    if isDone() { return true }
    let seen = activity
    var end = end
    while activity == seen {
      if pthread_cond_timedwait(changed, lock, &end) == ETIMEDOUT { return activity != seen }
    }
    return true
  }

  /// The instant `seconds` from now.
  static func instant(after seconds: Double) -> timespec {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    let nanoseconds = UInt64(now.tv_nsec) + UInt64(max(0, seconds) * 1e9)
    return timespec(
      tv_sec: now.tv_sec + Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
  }

  /// CLOCK_MONOTONIC, nanoseconds.
  static func realNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }
}
