internal import Bytes
internal import CLinux
import Decisions
internal import Glibc

/// Maps each library into a child process of its own, sandboxed, so that no file that was not chosen runs in the host.
package struct ChildScanner: PluginScanner {
  /// Children at once.
  private static let width = 8

  private let executable: String
  private let timeLimitMilliseconds: UInt64
  private let end = ScanEnd()

  /// - Parameters:
  ///   - executable: a `patchbay`; by default this program.
  ///   - timeLimitMilliseconds: for one plugin, from its start to its answer.
  package init(executable: String = WorkerProgram.own, timeLimitMilliseconds: UInt64 = 5_000) {
    self.executable = executable
    self.timeLimitMilliseconds = timeLimitMilliseconds
  }

  package func describe(_ copies: [String]) -> [Result<PluginDescription, PluginFault>] {
    var answers: [Result<PluginDescription, PluginFault>] = []
    for first in stride(from: 0, to: copies.count, by: Self.width) {
      let batch = copies[first..<min(first + Self.width, copies.count)]
      let scans = batch.map { path in Result { () throws(PluginFault) in try Scan(path, executable, end) } }
      let deadline = Instant.now().advanced(milliseconds: timeLimitMilliseconds)
      answers += scans.map { scan in
        scan.flatMap { scan in
          Result { () throws(PluginFault) in try scan.answer(until: deadline, timeLimitMilliseconds) }
        }
      }
    }
    return answers
  }

  package func stop() { end.raise() }
}

/// Tells every scan of one scanner to end. Thread: any.
private final class ScanEnd: Sendable {
  static let fault = PluginFault("the host stops", remedy: "look at it again when the host runs")

  /// Readable from `raise` on, for ever; negative: the system has none left, and scans end by their time limit.
  let descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))

  deinit { close(descriptor) }

  var isRaised: Bool {
    var end = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&end, 1, 0) > 0
  }

  func raise() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }
}

/// One child that scans.
private final class Scan {
  private let child: ChildProcess
  private let reading: Int32
  private let end: ScanEnd

  init(_ library: String, _ executable: String, _ end: ScanEnd) throws(PluginFault) {
    self.end = end
    if end.isRaised { throw ScanEnd.fault }
    var pipe: [Int32] = [-1, -1]
    guard pipe2(&pipe, O_CLOEXEC) == 0 else {
      throw PluginFault("no pipe: \(systemMessage(errno))", remedy: "raise the limit of open files")
    }
    let nowhere = clinux_open("/dev/null", O_RDWR | O_CLOEXEC, 0)
    defer {
      close(pipe[1])
      close(nowhere)
    }
    reading = pipe[0]
    do throws(PluginFault) {
      child = try ChildProcess(
        executable: executable, arguments: ["plugin-worker", "--parent", "\(getpid())", "--scan", library],
        environment: ChildProcess.plainEnvironment,
        descriptors: [.init(own: nowhere, child: 0), .init(own: pipe[1], child: 1), .init(own: nowhere, child: 2)])
    } catch {
      close(pipe[0])
      throw error
    }
  }

  deinit { close(reading) }

  func answer(until deadline: Instant, _ limitMilliseconds: UInt64) throws(PluginFault) -> PluginDescription {
    var text = ByteBuffer()
    while true {
      guard try isReadable(reading, until: deadline) else {
        child.kill()
        throw PluginFault(
          "it did not say what it is within \(limitMilliseconds) ms (PRV-R002)",
          remedy: "make its constructors and its entry return at once")
      }
      let room = text.writable(65_536)
      let count = read(reading, room.baseAddress, room.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      text.commit(count)
      guard text.count <= ScanAnswer.bytesLimit else {
        child.kill()
        throw PluginFault(
          "its descriptor is larger than \(ScanAnswer.bytesLimit) bytes", remedy: "shorten its schemas and models")
      }
    }
    // It may have closed its end and go on.
    _ = try isReadable(child.endDescriptor, until: deadline)
    child.kill()
    let ending = child.reap(waiting: true)
    guard ending == .exited(WorkerExit.stopped) else {
      throw PluginFault(
        "it ended the process that looked at it with \(ending.map(\.description) ?? "no status") (PRV-R013)",
        remedy: "correct the plugin: its constructors and its entry must do nothing but describe it (PRV-R002)")
    }
    return try ScanAnswer.read(text.readable)
  }

  /// false: not until `deadline`. Throws when the scanner was stopped.
  private func isReadable(_ descriptor: Int32, until deadline: Instant) throws(PluginFault) -> Bool {
    while true {
      var ready = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: end.descriptor, events: Int16(POLLIN), revents: 0),
      ]
      let left = deadline.nanoseconds(since: .now()) / 1_000_000
      let count = left > 0 ? poll(&ready, 2, Int32(left)) : 0
      if count < 0 && errno == EINTR { continue }
      if ready[1].revents != 0 { throw ScanEnd.fault }
      return count != 0
    }
  }
}

/// The program that workers run.
package enum WorkerProgram {
  /// This program, also when its file was replaced since it was started.
  package static let own = "/proc/self/exe"
}
