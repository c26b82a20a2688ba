import Decisions
import Foundation
import Testing

@testable import Host

@Suite struct FileWatchTests {
  /// A host's folder, with plugins/. What was written before the watch stood could still be told of after.
  private final class Folder {
    let path = NSTemporaryDirectory() + "patchbay-files-\(UUID().uuidString)"

    init() throws {
      try FileManager.default.createDirectory(atPath: path + "/plugins", withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String) throws { try Data("x".utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)")) }

    func watch() throws -> FileWatch {
      var configuration = Configuration()
      configuration.file = path + "/patchbay.json5"
      configuration.plugins.directories = [path + "/plugins"]
      return try #require(FileWatch(configuration, Log(level: .error, format: .text)))
    }
  }

  private let start = Instant(nanoseconds: 1_000_000_000_000)
  private func after(_ milliseconds: UInt64) -> Instant { start.advanced(milliseconds: milliseconds) }

  /// Waits for the event of what was written: a program that another test starts may hold it back for a moment.
  private func note(_ watch: FileWatch, now: Instant) {
    var ready = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
    #expect(poll(&ready, 1, 10_000) == 1)
    watch.note(now: now)
  }

  @Test func `a change counts after the quiet time, not a millisecond before, and once`() throws {
    let folder = try Folder()
    let watch = try folder.watch()
    #expect(watch.settleAt == .never)
    try folder.write("plugins/a.so")
    note(watch, now: start)
    #expect(watch.settleAt == after(FileWatch.quietMilliseconds))
    #expect(watch.settled(now: after(FileWatch.quietMilliseconds - 1)) == nil)
    #expect(watch.settled(now: after(FileWatch.quietMilliseconds)) == .plugins)
    #expect(watch.settled(now: after(FileWatch.quietMilliseconds)) == nil)
    #expect(watch.settleAt == .never)
  }

  @Test func `each further change begins the quiet time anew, until patience ends`() throws {
    let folder = try Folder()
    let watch = try folder.watch()
    for turn in 0..<30 {
      try folder.write("plugins/a.so")
      note(watch, now: after(UInt64(turn) * 100))
    }
    #expect(watch.settleAt == after(FileWatch.patienceMilliseconds))
  }

  @Test func `plugins and the configuration file are told apart, and together when both changed`() throws {
    let folder = try Folder()
    let watch = try folder.watch()
    try folder.write("patchbay.json5")
    note(watch, now: start)
    #expect(watch.settled(now: after(1_000)) == .configuration)
    try folder.write("patchbay.json5")
    note(watch, now: after(1_000))
    try folder.write("plugins/a.so")
    note(watch, now: after(1_000))
    #expect(watch.settled(now: after(2_000)) == [.configuration, .plugins])
  }

  @Test func `what does not matter begins no quiet time`() throws {
    let folder = try Folder()
    let watch = try folder.watch()
    try folder.write("plugins/.a.so.new")
    note(watch, now: start)
    try folder.write("other")
    note(watch, now: start)
    #expect(watch.settleAt == .never)
  }

  @Test func `a certificate's file that changes is told apart`() throws {
    let folder = try Folder()
    var configuration = Configuration()
    configuration.file = folder.path + "/patchbay.json5"
    configuration.listeners[0].tls = .init(certificate: folder.path + "/a.pem", key: folder.path + "/a.key")
    let watch = try #require(FileWatch(configuration, Log(level: .error, format: .text)))
    try folder.write("other.pem")
    try folder.write("a.key")
    note(watch, now: start)
    #expect(watch.settled(now: after(FileWatch.quietMilliseconds)) == .certificates)
    try folder.write("patchbay.json5")
    note(watch, now: after(500))
    #expect(watch.settled(now: after(500 + FileWatch.quietMilliseconds)) == .configuration)
  }
}
