internal import CLinux
internal import Glibc

/// A child of this process, until it was reaped.
///
/// Thread: the one that spawned it must outlive it, since the kernel kills the child when that thread ends
/// (PR_SET_PDEATHSIG, which the child asks for). The rest: that thread's too.
final class ChildProcess {
  /// How a process ended.
  enum Ending: Equatable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    /// "exit status 3", "signal 11 (Segmentation fault)".
    var description: String {
      switch self {
      case .exited(let status): "exit status \(status)"
      case .signalled(let signal): "signal \(signal) (\(String(cString: strsignal(signal))))"
      }
    }
  }

  /// What a child finds at its descriptors; the rest of ours are closed on exec.
  struct Descriptor {
    var own: Int32
    var child: Int32
  }

  /// What lists of processes show.
  private static let name = "patchbay"

  let pid: pid_t
  /// Readable once the child has ended.
  let endDescriptor: Int32
  private var ending: Ending?

  /// Starts `executable`, with nothing of ours but the environment and the descriptors that are given.
  ///
  /// - Parameters:
  ///   - executable: "/proc/self/exe" is this program, also when its file was replaced.
  ///   - descriptors: stay the caller's.
  init(executable: String, arguments: [String], environment: [String], descriptors: [Descriptor]) throws(PluginFault) {
    var staged: [Int32] = []
    defer { for descriptor in staged { close(descriptor) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // First out of the way of all numbers that they get in the child, so that none is overwritten.
    let firstFree = 1 + (descriptors.map(\.child).max() ?? 2)
    for descriptor in descriptors {
      let copy = clinux_fcntl_int(descriptor.own, F_DUPFD_CLOEXEC, firstFree)
      guard copy >= 0 else { throw Self.fault(errno) }
      staged.append(copy)
      posix_spawn_file_actions_adddup2(&actions, copy, descriptor.child)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let words = Self.cStrings([Self.name] + arguments)
    let variables = Self.cStrings(environment)
    defer { for word in words + variables { free(word) } }
    var child = pid_t()
    let status = posix_spawn(&child, executable, &actions, &attributes, words, variables)
    guard status == 0 else { throw Self.fault(status) }
    pid = child
    let descriptor = clinux_pidfd_open(child)
    endDescriptor = descriptor
    guard descriptor >= 0 else {
      Glibc.kill(child, SIGKILL)
      var status: Int32 = 0
      waitpid(child, &status, 0)
      throw Self.fault(-descriptor)
    }
  }

  /// Not reaped: it is killed and waited for, so that no process and no zombie is left.
  deinit {
    if ending == nil {
      kill()
      _ = reap(waiting: true)
    }
    close(endDescriptor)
  }

  /// Ends it at once.
  func kill() { if ending == nil { Glibc.kill(pid, SIGKILL) } }

  /// How it ended; nil: it runs. With `waiting` it is waited for.
  func reap(waiting: Bool = false) -> Ending? {
    if let ending { return ending }
    var status: Int32 = 0
    var got: pid_t
    repeat { got = waitpid(pid, &status, waiting ? 0 : WNOHANG) } while got < 0 && errno == EINTR
    guard got == pid else { return nil }
    // The bits as wait(2) has them; its macros are not functions.
    ending = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signalled(status & 0x7F)
    return ending
  }

  /// What a worker's environment holds: no key, nothing that changes how libraries are loaded.
  static var plainEnvironment: [String] {
    var result: [String] = []
    for name in ["PATH", "LANG", "TZ"] {
      if let value = getenv(name) { result.append("\(name)=\(String(cString: value))") }
    }
    // A backtrace would be written by another program, which a worker may not run.
    result.append("SWIFT_BACKTRACE=enable=no")
    return result
  }

  private static func cStrings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] { texts.map { strdup($0) } + [nil] }

  private static func fault(_ code: Int32) -> PluginFault {
    PluginFault(
      "no worker process can be started: \(systemMessage(code))",
      remedy: "raise the limits of processes and open files for the user that runs the host")
  }
}
