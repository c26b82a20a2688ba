import Decisions
import Glibc
import Testing

@testable import Host

/// A directory of its own, gone afterwards.
final class ScratchDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/patchbay-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { remove(path) }

  private func remove(_ path: String) {
    if let folder = opendir(path) {
      var names: [String] = []
      while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
      }
      closedir(folder)
      for name in names { remove("\(path)/\(name)") }
    }
    Glibc.remove(path)
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func read(_ name: String) -> String {
    guard case .bytes(let bytes) = ConfigurationFile.read(file(name)) else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }

  func write(_ text: String, to name: String) throws {
    let descriptor = open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
  }

  var names: [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

struct LogFileTests {
  @Test func `a file that was moved away is opened anew under its name`() throws {
    let folder = try ScratchDirectory()
    let log = try Log(file: folder.file("log"))
    log.info("before")
    rename(folder.file("log"), folder.file("log.1"))
    log.info("between")
    _ = try log.reopen().get()
    log.info("after")
    #expect(folder.read("log.1").split(separator: "\n").map { $0.split(separator: " ").last } == ["before", "between"])
    let lines = folder.read("log").split(separator: "\n")
    #expect(lines.count == 2 && lines[0].contains("The log file was opened anew") && lines[1].hasSuffix("info after"))
  }

  @Test func `what cannot be opened anew leaves the old file, which says so`() throws {
    let folder = try ScratchDirectory()
    let inner = folder.file("inner")
    mkdir(inner, 0o700)
    let log = try Log(file: "\(inner)/log")
    rename(inner, folder.file("moved"))
    guard case .failure(let fault) = log.reopen() else {
      Issue.record("it was opened in a directory that is gone")
      return
    }
    #expect("\(fault)" == "cannot open the log file \(inner)/log: No such file or directory; make its directory")
    log.info("still here")
    let text = folder.read("moved/log")
    #expect(text.contains("error The log file was not opened anew; the old one stays path="))
    #expect(text.contains("still here"))
  }

  @Test func `only a regular file is taken`() throws {
    let folder = try ScratchDirectory()
    mkfifo(folder.file("pipe"), 0o600)
    for path in [folder.path, "/dev/null", folder.file("pipe")] {
      let fault = try #require(throws: LogFileFault.self) { try Log(file: path) }
      #expect(fault.remedy.contains("name a file") || fault.reason.contains("No such device"), "\(fault)")
    }
  }

  @Test func `without a file there is nothing to be opened anew, and that is no fault`() throws {
    let reader = try LogReader()
    #expect(try reader.log.reopen().get().contains("standard error"))
    #expect(try reader.line().hasPrefix("info The log has no file"))
  }

  @Test func `lines that nobody takes are counted`() throws {
    let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
    defer { close(full) }
    let log = Log(descriptor: full)
    log.info("into nowhere")
    #expect(log.lostLines == 1)
    #expect(!log.state.isHealthy && log.state.message.contains("No space left on device"))
    #expect(Log(descriptor: 2).state.isHealthy)
  }

  @Test(arguments: [LogLevel.info, .debug])
  func `a message beyond its rate is left out and counted, unless debug is asked for`(level: LogLevel) throws {
    let folder = try ScratchDirectory()
    let log = try Log(file: folder.file("log"), level: level)
    let isBounded = level == .info
    for _ in 0..<(LogRates.linesLimit + 3) { log.warning("again", ("a", "1")) }
    for _ in 0..<(LogRates.linesLimit + 3) { log.debug("asked for") }
    for number in 0..<(LogRates.linesLimit + 3) { log.write(.info, "plugin says \(number)", kind: "p", []) }
    log.tellLeftOut(now: Instant.now().advanced(milliseconds: LogRates.windowMilliseconds))
    let lines = folder.read("log").split(separator: "\n")
    let written = LogRates.linesLimit + (isBounded ? 0 : 3)
    #expect(lines.count { $0.contains("warning again") } == written)
    #expect(lines.count { $0.contains("debug asked for") } == (isBounded ? 0 : written))
    #expect(lines.count { $0.contains("info plugin says") } == written)
    for kind in ["again", "p"] {
      let told = "warning Lines were left out of=\(kind) lines=3 window_seconds=10"
      #expect(lines.contains { $0.hasSuffix(told) } == isBounded)
    }
    #expect(log.leftOutLines == (isBounded ? 6 : 0))
  }
}
