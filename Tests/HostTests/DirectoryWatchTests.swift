import Foundation
import Testing

@testable import Host

@Suite struct DirectoryWatchTests {
  /// A directory of its own, gone afterwards.
  private final class Folder {
    let path: String

    init() throws {
      path = NSTemporaryDirectory() + "patchbay-watch-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    subscript(name: String) -> String { "\(path)/\(name)" }

    func write(_ name: String, _ text: String = "x") throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: self[name]))
    }

    func makeDirectory(_ name: String) throws {
      try FileManager.default.createDirectory(atPath: self[name], withIntermediateDirectories: true)
    }
  }

  private func watch(_ directory: String) throws -> DirectoryWatch {
    let watch = try #require(DirectoryWatch())
    #expect(watch.watch([WatchTarget(directory: directory, names: .plugins)]) == [])
    return watch
  }

  private func hasChanged(_ watch: DirectoryWatch) -> Bool { !watch.drain().isEmpty }

  /// The event may come a little late: what another test starts holds a copy of our descriptors until it runs.
  private func changes(_ watch: DirectoryWatch) -> Bool {
    var ready = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
    while poll(&ready, 1, 10_000) > 0 {
      if hasChanged(watch) { return true }
    }
    return false
  }

  @Test func `a plugin that is written, moved in, replaced, changed in mode or removed is a change`() throws {
    let folder = try Folder()
    let watch = try watch(folder.path)
    #expect(!hasChanged(watch))
    try folder.write("a.so")
    #expect(changes(watch))
    #expect(!hasChanged(watch), "an event is told once")
    try folder.write("other")
    #expect(!hasChanged(watch), "other names do not matter")
    rename(folder["other"], folder["b.so"])
    #expect(changes(watch))
    chmod(folder["b.so"], 0o600)
    #expect(changes(watch))
    rename(folder["b.so"], folder["gone"])
    #expect(changes(watch))
    unlink(folder["a.so"])
    #expect(changes(watch))
  }

  @Test func `a file counts when it is whole: not while it is written`() throws {
    let folder = try Folder()
    let watch = try watch(folder.path)
    let descriptor = open(folder["a.so"], O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
    #expect(write(descriptor, "x", 1) == 1)
    #expect(!hasChanged(watch))
    close(descriptor)
    #expect(changes(watch))
  }

  @Test func `hidden names and the half-written file of an installer do not matter`() throws {
    let folder = try Folder()
    let watch = try watch(folder.path)
    try folder.write(".a.so")
    try folder.write("a.so.new")
    #expect(!hasChanged(watch))
  }

  @Test func `a directory that is missing is waited for, however many above it are`() throws {
    let folder = try Folder()
    let watch = try watch(folder["one/two/plugins"])
    try folder.makeDirectory("one")
    #expect(changes(watch))
    try folder.makeDirectory("one/two/plugins")
    #expect(changes(watch))
    try folder.write("one/two/plugins/a.so")
    #expect(changes(watch))
  }

  @Test func `a directory that goes and comes again is watched again`() throws {
    let folder = try Folder()
    try folder.makeDirectory("plugins")
    let watch = try watch(folder["plugins"])
    try FileManager.default.removeItem(atPath: folder["plugins"])
    #expect(changes(watch))
    try folder.makeDirectory("plugins")
    #expect(changes(watch))
    try folder.write("plugins/a.so")
    #expect(changes(watch))
  }

  @Test func `one file of a directory is watched by its name, beside plugins in the same one`() throws {
    let folder = try Folder()
    let watch = try #require(DirectoryWatch())
    watch.watch([
      WatchTarget(directory: folder.path, names: .file("patchbay.json5")),
      WatchTarget(directory: folder.path, names: .plugins),
    ])
    try folder.write("patchbay.json5")
    #expect(changes(watch))
    try folder.write("a.so")
    #expect(changes(watch))
    try folder.write("patchbay.json5~")
    #expect(!hasChanged(watch))
  }

  @Test func `what is watched no more is silent`() throws {
    let (first, second) = (try Folder(), try Folder())
    let watch = try watch(first.path)
    watch.watch([WatchTarget(directory: second.path, names: .plugins)])
    try first.write("a.so")
    #expect(!hasChanged(watch))
    try second.write("a.so")
    #expect(changes(watch))
  }

  @Test func `a file in the way of a directory is named with the reason`() throws {
    let folder = try Folder()
    try folder.write("plugins")
    let watch = try #require(DirectoryWatch())
    let faults = watch.watch([WatchTarget(directory: folder["plugins"], names: .plugins)])
    #expect(faults == ["\(folder["plugins"]): Not a directory"])
  }
}
