import CLinux
import Glibc

/// SIGINT and SIGTERM as an event of a poller. The second one ends the process at once, as if this were not here.
final class StopSignals {
  /// Names the signals among the poller's events.
  static let number = UInt32.max

  private let descriptor: Int32
  private var set = sigset_t()

  init(poller: Poller) throws {
    sigemptyset(&set)
    for number in [SIGINT, SIGTERM] {
      sigaddset(&set, number)
      // A shell's background job ignores SIGINT, and what is ignored is not told.
      signal(number, SIG_DFL)
    }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
    guard descriptor >= 0 else { throw ClientError(description: "signalfd: \(String(cString: strerror(errno)))") }
    try poller.add(descriptor, number: Self.number, generation: 0, writes: false)
  }

  deinit { close(descriptor) }

  /// Takes the first signal and lets the next one through.
  func take() {
    var information = signalfd_siginfo()
    _ = read(descriptor, &information, MemoryLayout<signalfd_siginfo>.size)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }
}
