internal import CLinux
internal import Glibc

/// What a plugin could change of the process it is in, as it is at one moment.
package struct ProcessState: Equatable {
  /// Thread ids.
  var threads: Set<String>
  /// Open descriptors and what they lead to.
  var descriptors: [String: String]
  /// Signal dispositions: address of the handler and flags, by number.
  var handlers: [Int32: String]
  var environment: [String]
  var directory: String
  var locale: String
  /// SigBlk, Umask and the like, as the kernel prints them.
  var kernel: [String]

  package static func now() -> ProcessState {
    ProcessState(
      threads: threads, descriptors: descriptors(), handlers: handlers(),
      environment: environmentWords(), directory: directory(),
      locale: setlocale(LC_ALL, nil).map { String(cString: $0) } ?? "", kernel: kernelLines())
  }

  /// What of `other`, a later state, differs: one sentence each.
  package func changes(to other: ProcessState) -> [String] {
    var changes: [String] = []
    let threads = other.threads.subtracting(self.threads).count
    if threads > 0 { changes.append("\(threads) new thread\(threads == 1 ? "" : "s")") }
    for (number, target) in other.descriptors.sorted(by: { $0.key < $1.key })
    where descriptors[number] != target {
      changes.append("descriptor \(number) is open: \(target)")
    }
    for number in descriptors.keys.sorted() where other.descriptors[number] == nil {
      changes.append("descriptor \(number) was closed")
    }
    for number in other.handlers.keys.sorted() where handlers[number] != other.handlers[number] {
      changes.append("another handler of \(SignalName.of(number))")
    }
    if environment != other.environment {
      let new = Set(other.environment).symmetricDifference(environment).map { String($0.prefix { $0 != "=" }) }
      changes.append("the environment: \(Set(new).sorted().joined(separator: ", "))")
    }
    if directory != other.directory { changes.append("the working directory is \(other.directory)") }
    if locale != other.locale { changes.append("the locale is \(other.locale)") }
    for (before, after) in zip(kernel, other.kernel) where before != after { changes.append("\(after), was \(before)") }
    return changes
  }

  /// The ids of the threads.
  package static var threads: Set<String> { Set(entries("/proc/self/task")) }

  private static let settlingNanoseconds: UInt64 = 500_000_000

  /// How many threads there are that are not among `before`. A thread that was joined stays listed until the kernel has
  /// buried it, so those that are there are looked for again, for half a second.
  package static func threadsLeft(beyond before: Set<String>) -> Int {
    let end = MonotonicClock.nanoseconds() &+ settlingNanoseconds
    while true {
      let left = threads.subtracting(before).count
      if left == 0 || MonotonicClock.nanoseconds() >= end { return left }
      usleep(1000)
    }
  }

  /// The number of open descriptors, without the one that counts.
  package static var descriptorCount: Int { entries("/proc/self/fd").count - 1 }

  /// The children of this process.
  static var children: [pid_t] {
    entries("/proc/self/task").flatMap { thread in
      text("/proc/self/task/\(thread)/children").split(separator: " ").compactMap { pid_t($0) }
    }
  }

  /// Bytes of memory that are in use and not a file's.
  package static var residentBytes: Int {
    let words = text("/proc/self/statm").split(separator: " ").compactMap { Int($0) }
    return words.count > 2 ? (words[1] - words[2]) * sysconf(Int32(_SC_PAGESIZE)) : 0
  }

  // MARK: - Reading

  private static func descriptors() -> [String: String] {
    var result: [String: String] = [:]
    for number in entries("/proc/self/fd") {
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
        let count = readlink("/proc/self/fd/\(number)", buffer.baseAddress!, buffer.count)
        guard count > 0 else { return }  // the one that lists
        result[number] = String(
          decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), as: UTF8.self)
      }
    }
    return result
  }

  private static func handlers() -> [Int32: String] {
    var result: [Int32: String] = [:]
    for number in Int32(1)..<65 {
      var action = sigaction()
      guard sigaction(number, nil, &action) == 0 else { continue }
      result[number] = "\(unsafeBitCast(action.__sigaction_handler, to: UInt.self)) \(action.sa_flags)"
    }
    return result
  }

  private static func environmentWords() -> [String] {
    var words: [String] = []
    var place = environ
    while let word = place.pointee {
      words.append(String(cString: word))
      place += 1
    }
    return words.sorted()
  }

  private static func directory() -> String {
    guard let path = getcwd(nil, 0) else { return "" }
    defer { free(path) }
    return String(cString: path)
  }

  private static func kernelLines() -> [String] {
    let wanted = ["Umask:", "SigBlk:", "NoNewPrivs:"]
    return text("/proc/self/status").split(separator: "\n").filter { line in wanted.contains { line.hasPrefix($0) } }
      .map { String($0.replacing("\t", with: " ")) }
  }

  private static func entries(_ path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.first != "." { names.append(name) }
    }
    return names
  }

  private static func text(_ path: String) -> String {
    let descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 16) { buffer in
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      return String(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<max(0, count)]), as: UTF8.self)
    }
  }
}
