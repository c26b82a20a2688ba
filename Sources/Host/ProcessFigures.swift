import CLinux
import Decisions
import Glibc

/// What the process costs at this moment, as /proc tells it; nil where it does not.
enum ProcessFigures {
  /// Resident memory with one decimal; `unknown` without /proc.
  static var residentMegabytes: String {
    residentBytes.map { oneDecimal(Double($0) / 1_048_576) } ?? "unknown"
  }

  static var residentBytes: Int? { residentBytes(of: "self") }

  /// Of another process.
  static func residentBytes(of pid: Int32) -> Int? { residentBytes(of: "\(pid)") }

  private static func residentBytes(of process: String) -> Int? {
    guard let words = text(of: "/proc/\(process)/statm")?.split(separator: " "), words.count > 1,
      let pages = Int(words[1])
    else { return nil }
    return pages * sysconf(Int32(_SC_PAGESIZE))
  }

  static var threads: Int? { statWord(20).flatMap { Int($0) } }

  /// User and system together.
  static var cpuSeconds: Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    return Double(seconds) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
  }

  static var descriptorsLimit: UInt64 {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return UInt64(limit.rlim_cur)
  }

  /// When the process began, since 1970: /proc says it in ticks since the machine's start.
  static var startSeconds: Double? {
    guard let ticks = statWord(22).flatMap({ Double($0) }) else { return nil }
    var wall = timespec()
    var booted = timespec()
    clock_gettime(CLOCK_REALTIME, &wall)
    clock_gettime(CLOCK_BOOTTIME, &booted)
    let boot = Double(wall.tv_sec - booted.tv_sec) + Double(wall.tv_nsec - booted.tv_nsec) / 1e9
    return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// A word of the process's stat line by its number in proc_pid_stat(5), from 3.
  private static func statWord(_ number: Int) -> Substring? {
    // The name stands in parentheses and may hold anything; what is third of all is the first behind it.
    guard let line = text(of: "/proc/self/stat"), let end = line.lastIndex(of: ")") else { return nil }
    let words = line[line.index(after: end)...].split(separator: " ")
    return words.count > number - 3 ? words[number - 3] : nil
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
