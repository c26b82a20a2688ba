import CLinux
import Decisions
import Glibc

/// What the process costs, for the log lines of the start.
enum ProcessFigures {
  /// Resident memory with one decimal; `unknown` without /proc.
  static var residentMegabytes: String {
    let descriptor = clinux_open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return "unknown" }
    defer { close(descriptor) }
    var text = [UInt8](repeating: 0, count: 128)
    let count = read(descriptor, &text, text.count)
    let words = text.prefix(max(0, count)).split(separator: 0x20)
    guard words.count > 1, let pages = Int(String(decoding: words[1], as: UTF8.self)) else { return "unknown" }
    return oneDecimal(Double(pages * sysconf(Int32(_SC_PAGESIZE))) / 1_048_576)
  }

  static func milliseconds(since start: Instant) -> String {
    oneDecimal(Double(Instant.now().nanoseconds(since: start)) / 1_000_000)
  }

  private static func oneDecimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
