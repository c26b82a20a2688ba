import CLinux
import Decisions
import Glibc

/// What the process costs at this moment, as /proc tells it; nil where it does not.
enum ProcessFigures {
  /// Resident memory with one decimal; `unknown` without /proc.
  static var residentMegabytes: String {
    residentBytes.map { oneDecimal(Double($0) / 1_048_576) } ?? "unknown"
  }

  static var residentBytes: Int? {
    guard let words = text(of: "/proc/self/statm")?.split(separator: " "), words.count > 1, let pages = Int(words[1])
    else { return nil }
    return pages * sysconf(Int32(_SC_PAGESIZE))
  }

  static var threads: Int? {
    // The name stands in parentheses and may hold anything; what is 20th of all is 18th behind it (proc_pid_stat(5)).
    guard let line = text(of: "/proc/self/stat"), let end = line.lastIndex(of: ")") else { return nil }
    let words = line[line.index(after: end)...].split(separator: " ")
    return words.count > 17 ? Int(words[17]) : nil
  }

  /// Open descriptors. Linux 6.2 and later says the number as the folder's size; before, each is counted.
  static var descriptors: Int? {
    var status = stat()
    guard stat("/proc/self/fd", &status) == 0 else { return nil }
    return status.st_size > 0 ? Int(status.st_size) : listedDescriptors()
  }

  /// The same number by walking the folder; the descriptor it is walked with is not counted.
  static func listedDescriptors() -> Int? {
    guard let folder = opendir("/proc/self/fd") else { return nil }
    defer { closedir(folder) }
    var entries = 0
    while readdir(folder) != nil { entries += 1 }
    return entries - 3  // ".", ".." and the folder's own
  }

  private static func text(of path: String) -> String? {
    let descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1024)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }

  static func milliseconds(since start: Instant) -> String {
    oneDecimal(Double(Instant.now().nanoseconds(since: start)) / 1_000_000)
  }

  private static func oneDecimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
