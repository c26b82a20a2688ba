import Decisions

/// The plugin directories, the configuration file and the certificates of a host with `plugins.watch`: tells what has changed once it has
/// been quiet for a moment, so that ten files that come together are one change.
///
/// Thread: the control thread's.
final class FileWatch {
  struct Changes: OptionSet {
    let rawValue: UInt8
    static let plugins = Changes(rawValue: 1)
    static let configuration = Changes(rawValue: 2)
    static let certificates = Changes(rawValue: 4)
  }

  /// Of silence, before a change counts.
  static let quietMilliseconds: UInt64 = 200
  /// A directory that is never quiet is looked at this long after its first change.
  static let patienceMilliseconds: UInt64 = 2_000

  private let watch: DirectoryWatch
  private let configuration: WatchTarget?
  private let certificates: Set<WatchTarget>
  private var changes: Changes = []
  private var firstChange = Instant.never
  /// When what has changed counts; `never` when nothing has.
  private(set) var settleAt = Instant.never

  /// nil: the kernel has no room for another watch; the log says so.
  init?(_ configuration: Configuration, _ log: Log) {
    guard let watch = DirectoryWatch() else {
      log.error(
        "Plugin directories are not watched: the kernel has no room for it",
        ("remedy", "raise fs.inotify.max_user_instances, or use 'patchbay reload'"))
      return nil
    }
    self.watch = watch
    self.configuration = configuration.file.map(Self.target)
    certificates = Set(configuration.listeners.flatMap { $0.tls?.files ?? [] }.map(Self.target))
    let plugins = configuration.plugins.searchPath.map { WatchTarget(directory: $0, names: .plugins) }
    for fault in watch.watch(plugins + (self.configuration.map { [$0] } ?? []) + certificates) {
      log.warning(
        "A directory is not watched", ("reason", fault), ("remedy", "make it readable, or use 'patchbay reload'"))
    }
  }

  private static func target(_ path: String) -> WatchTarget {
    guard let slash = path.lastIndex(of: "/") else { return WatchTarget(directory: ".", names: .file(path)) }
    let directory = path[..<slash]
    return WatchTarget(
      directory: directory.isEmpty ? "/" : String(directory), names: .file(String(path[path.index(after: slash)...])))
  }

  /// Readable when there is something to `note`.
  var descriptor: Int32 { watch.descriptor }

  func note(now: Instant) {
    for target in watch.drain() {
      if target == configuration {
        changes.insert(.configuration)
      } else {
        changes.insert(certificates.contains(target) ? .certificates : .plugins)
      }
    }
    guard !changes.isEmpty else { return }
    firstChange = min(firstChange, now)
    settleAt = min(
      now.advanced(milliseconds: Self.quietMilliseconds), firstChange.advanced(milliseconds: Self.patienceMilliseconds))
  }

  /// What has changed and is quiet now; told once.
  func settled(now: Instant) -> Changes? {
    guard settleAt <= now else { return nil }
    defer {
      changes = []
      (firstChange, settleAt) = (.never, .never)
    }
    return changes
  }
}
