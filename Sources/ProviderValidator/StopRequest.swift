internal import CLinux
internal import Glibc

/// SIGINT and SIGTERM as a descriptor to poll, while this object lives: a run that is stopped cleans up.
final class StopRequest {
  let descriptor: Int32
  private var set = sigset_t()
  private var before = sigset_t()

  init() throws(ValidationFault) {
    sigemptyset(&set)
    for number in [SIGINT, SIGTERM] { sigaddset(&set, number) }
    pthread_sigmask(SIG_BLOCK, &set, &before)
    descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
    if descriptor < 0 { throw ValidationFault("listen for signals", errno) }
  }

  deinit {
    pthread_sigmask(SIG_SETMASK, &before, nil)
    if descriptor >= 0 { close(descriptor) }
  }

  /// The signal that came.
  func take() -> Int32 {
    var information = signalfd_siginfo()
    let count = read(descriptor, &information, MemoryLayout<signalfd_siginfo>.size)
    return count > 0 ? Int32(information.ssi_signo) : 0
  }
}
