internal import Bytes
internal import CLinux
internal import Glibc
internal import JSON
internal import Synchronization

/// `<state>/quarantine.json`: plugin files that no worker is started of, by their content.
///
/// Read anew each time, so that the command line may change it under a running host. Thread: any.
package final class Quarantine: Sendable {
  package struct Entry: Sendable, Equatable {
    /// The file's, 64 hexadecimal digits.
    package var sha256: String
    /// Where it was found.
    package var path: String
    package var reason: String
    /// Unix seconds.
    package var since: Int64
  }

  private static let bytesLimit = 1 << 20
  private static let entriesLimit = 1_000

  private let directory: String
  private let lock = Mutex(())

  package init(stateDirectory: String) { directory = stateDirectory }

  private var path: String { directory + "/quarantine.json" }

  /// Empty when there is no file; throws when it is not ours to read or no quarantine.
  package func entries() throws(PluginFault) -> [Entry] {
    let descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return [] }
      throw fault("cannot be read: \(systemMessage(errno))")
    }
    defer { close(descriptor) }
    var text = ByteBuffer()
    while true {
      let room = text.writable(65_536)
      let count = read(descriptor, room.baseAddress, room.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      text.commit(count)
      guard text.count <= Self.bytesLimit else { throw fault("is larger than \(Self.bytesLimit) bytes") }
    }
    guard let list = (try? JSONValue(parsing: text.readable))?["quarantined"]?.array else {
      throw fault("is not what this program wrote")
    }
    return list.compactMap { value in
      guard let sha256 = value["sha256"]?.string, let path = value["path"]?.string,
        let reason = value["reason"]?.string, let since = value["since"]?.integer
      else { return nil }
      return Entry(sha256: sha256, path: path, reason: reason, since: since)
    }
  }

  package func entry(of sha256: String) throws(PluginFault) -> Entry? {
    try entries().first { $0.sha256 == sha256 }
  }

  func add(_ plugin: FoundPlugin, _ reason: String) throws(PluginFault) {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let entry = Entry(sha256: plugin.sha256, path: plugin.path, reason: reason, since: Int64(now.tv_sec))
    try change { entries in
      entries.removeAll { $0.sha256 == entry.sha256 }
      entries = entries.suffix(Self.entriesLimit - 1) + [entry]
    }
  }

  /// Lets plugins go whose path or content `word` names. Answers them.
  package func remove(_ word: String) throws(PluginFault) -> [Entry] {
    var removed: [Entry] = []
    try change { entries in
      removed = entries.filter { $0.path == word || $0.sha256 == word.lowercased() }
      entries.removeAll { removed.contains($0) }
    }
    return removed
  }

  private func change(_ body: (inout [Entry]) -> Void) throws(PluginFault) {
    let result: Result<Void, PluginFault> = lock.withLock { _ in
      Result { () throws(PluginFault) in
        var entries = try self.entries()
        let before = entries
        body(&entries)
        if entries != before { try write(entries) }
      }
    }
    try result.get()
  }

  private func write(_ entries: [Entry]) throws(PluginFault) {
    var text = ByteBuffer()
    JSONValue.object([
      .init(
        "quarantined",
        .array(
          entries.map { entry in
            .object([
              .init("sha256", .string(entry.sha256)), .init("path", .string(entry.path)),
              .init("reason", .string(entry.reason)), .init("since", .integer(entry.since)),
            ])
          }))
    ]).write(to: &text)
    text.append("\n")
    let temporary = "\(path).\(getpid()).new"
    let descriptor = clinux_open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw fault("cannot be written: \(systemMessage(errno))") }
    defer { close(descriptor) }
    while !text.isEmpty {
      let written = Glibc.write(descriptor, text.readable.baseAddress, text.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw fault("cannot be written: \(systemMessage(errno))") }
      text.consume(written)
    }
    guard rename(temporary, path) == 0 else { throw fault("cannot be written: \(systemMessage(errno))") }
  }

  private func fault(_ what: String) -> PluginFault {
    PluginFault("the list of quarantined plugins, \(path), \(what)", remedy: "repair or remove it")
  }
}
