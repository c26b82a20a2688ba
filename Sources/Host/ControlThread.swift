import CLinux
import Decisions
import Glibc

/// What wakes the control thread: signals of the process, and loops that have something for it.
///
/// Thread: made and waited on by the main thread before any other starts, so that all inherit its signal mask; `wake`
/// from any.
final class ControlPort: Sendable {
  enum Event: Equatable {
    /// SIGTERM or SIGINT.
    case stop
    /// SIGHUP.
    case reload
    /// SIGUSR1.
    case reopenLog
    /// Somebody asks at the control socket.
    case request
    /// Something of what `watch` looks at may have changed.
    case changed
    case woken
    case timeout
  }

  private let signals: Int32
  private let wakeDescriptor: Int32

  /// Blocks the signals for this and every later thread and takes them here; a broken pipe is an error, not a signal.
  init() {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] { sigaddset(&set, signal) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
    signals = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
    wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    precondition(signals >= 0 && wakeDescriptor >= 0, "signalfd or eventfd: \(String(cString: strerror(errno)))")
  }

  deinit {
    close(signals)
    close(wakeDescriptor)
  }

  func wake() {
    var one: UInt64 = 1
    _ = write(wakeDescriptor, &one, 8)
  }

  /// Waits for the next event, until `deadline`.
  ///
  /// - Parameters:
  ///   - socket: the control socket; negative: there is none.
  ///   - watch: of a `DirectoryWatch`; negative: there is none.
  func next(until deadline: Instant, socket: Int32 = -1, watch: Int32 = -1) -> Event {
    while true {
      var descriptors = [
        pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
        pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
        pollfd(fd: watch, events: Int16(POLLIN), revents: 0),
      ]
      let ready = poll(&descriptors, 4, Self.milliseconds(until: deadline))
      if ready == 0 { return .timeout }
      if descriptors[0].revents != 0 {
        var information = signalfd_siginfo()
        guard read(signals, &information, MemoryLayout<signalfd_siginfo>.size) > 0 else { continue }
        switch Int32(information.ssi_signo) {
        case SIGHUP: return .reload
        case SIGUSR1: return .reopenLog
        default: return .stop
        }
      }
      if descriptors[1].revents != 0 {
        var count: UInt64 = 0
        _ = read(wakeDescriptor, &count, 8)
        return .woken
      }
      // Last, so that nobody who asks without end keeps the rest from being seen.
      if descriptors[3].revents != 0 { return .changed }
      if descriptors[2].revents != 0 { return .request }
    }
  }

  private static func milliseconds(until deadline: Instant) -> Int32 {
    guard deadline != .never else { return -1 }
    return Int32(min(deadline.nanoseconds(since: .now()) / 1_000_000 + 1, 3_600_000))
  }
}
