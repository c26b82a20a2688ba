internal import CLinux
internal import Glibc

/// The system calls that a plugin makes while something is asked of it. What they do is not changed.
///
/// Watches the thread that began it and the threads which that one starts; for the rest of the process's life.
package struct SyscallWatch {
  package struct Calls: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let files = Calls(rawValue: UInt32(CLINUX_WATCH_FILES))
    package static let network = Calls(rawValue: UInt32(CLINUX_WATCH_NETWORK))
    /// Threads, processes, programs.
    package static let tasks = Calls(rawValue: UInt32(CLINUX_WATCH_TASKS))
    /// Processes and programs; threads are none.
    package static let processes = Calls(rawValue: UInt32(CLINUX_WATCH_PROCESSES))
    package static let signals = Calls(rawValue: UInt32(CLINUX_WATCH_SIGNALS))
    /// Writing to standard output and error.
    package static let output = Calls(rawValue: UInt32(CLINUX_WATCH_OUTPUT))
    /// The working directory and the umask.
    package static let place = Calls(rawValue: UInt32(CLINUX_WATCH_PLACE))
  }

  /// Stops the check when this kernel cannot watch, or something else in the process watches already.
  package init(_ calls: Calls) throws(CheckStop) {
    let code = clinux_watch_begin(calls.rawValue)
    guard code == 0 else {
      throw CheckStop(.skip("this machine cannot watch system calls: \(String(cString: strerror(code)))"))
    }
  }

  /// The calls that `body` made: `openat(/etc/hosts)`. Of more than 64 in the process, the rest are only counted.
  package func during(_ body: () throws(CheckStop) -> Void) throws(CheckStop) -> [String] {
    fflush(nil)
    let before = clinux_watch_count()
    try body()
    fflush(nil)
    return (before..<clinux_watch_count()).map { index in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
        clinux_watch_text(index, buffer.baseAddress, buffer.count) > 0 ? String(cString: buffer.baseAddress!) : "…"
      }
    }
  }
}
