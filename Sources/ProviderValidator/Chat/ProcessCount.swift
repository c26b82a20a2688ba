internal import Glibc

/// What this process holds at this moment.
enum ProcessCount {
  static var descriptors: Int { entries("/proc/self/fd") - 1 }
  static var threads: Int { entries("/proc/self/task") }

  /// Bytes of memory in use that are no file's.
  static var privateBytes: Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = fread(&bytes, 1, bytes.count, file)
    let words = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ").compactMap { Int($0) }
    return words.count > 2 ? (words[1] - words[2]) * sysconf(Int32(_SC_PAGESIZE)) : 0
  }

  private static func entries(_ path: String) -> Int {
    guard let directory = opendir(path) else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
      if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
    }
    return count
  }
}
