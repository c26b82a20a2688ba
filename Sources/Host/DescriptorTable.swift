import CLinux
import Decisions
import Glibc

/// The descriptors that this process may have, and the kernel's table of them. Thread: any.
enum DescriptorTable {
  /// Raises the limit of open files to what the process may have.
  static func raiseLimit() {
    var limit = self.limit
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// Throws when the limit of open files is too low for all that these limits allow at once.
  static func check(_ limits: Configuration.Limits) throws(HostError) {
    let needed = count(for: limits)
    guard limit.rlim_cur >= rlim_t(needed) else {
      throw HostError(
        description: "the limit of open files is \(limit.rlim_cur), limits.connections = \(limits.connections) needs "
          + "\(needed); raise it (ulimit -n, LimitNOFILE=) or lower the setting")
    }
  }

  /// Gives the kernel's table room for all that these limits allow, which were checked. It never shrinks.
  ///
  /// One that grows with the connections makes whoever accepts them wait at each doubling until every core has been
  /// through the scheduler (Linux, `expand_fdtable`, as the process has threads): 7 to 20 ms, for everybody on that loop.
  static func reserve(for limits: Configuration.Limits) {
    let some = clinux_open("/dev/null", O_RDONLY | O_CLOEXEC, 0)
    guard some >= 0 else { return }
    let highest = clinux_fcntl_int(some, F_DUPFD_CLOEXEC, Int32(clamping: count(for: limits) - 1))
    if highest >= 0 { close(highest) }
    close(some)
  }

  /// One for each connection, two for the upstream exchange of each call, and some for plugins, logs and epoll.
  private static func count(for limits: Configuration.Limits) -> Int {
    limits.connections + Census.refusedLimit + 2 * limits.inFlight + 64
  }

  private static var limit: rlimit {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return limit
  }
}
