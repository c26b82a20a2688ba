internal import CLinux
internal import Glibc
internal import Synchronization

/// A value that one thread waits for and another puts there, once.
///
/// Thread: any.
final class Latch<Value>: Sendable {
  /// `@unchecked`: behind the mutex, and handed over whole.
  private struct Box: @unchecked Sendable { var value: Value? }

  private let box = Mutex(Box())
  private let descriptor: Int32

  init() {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC))
    precondition(descriptor >= 0, "eventfd: \(systemMessage(errno))")
  }

  deinit { close(descriptor) }

  /// The first one counts.
  func put(_ value: Value) {
    let sent = Box(value: value)
    box.withLock { if $0.value == nil { $0 = sent } }
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// nil: nothing came in time.
  func wait(milliseconds: UInt64) -> Value? {
    var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let limit = Int32(clamping: milliseconds)
    while poll(&ready, 1, limit) < 0 && errno == EINTR {}
    return box.withLock { $0 }.value
  }
}
