internal import Glibc

/// What to watch for: files of a directory, by name.
package struct WatchTarget: Sendable, Hashable {
  package enum Names: Sendable, Hashable {
    /// Every name that a plugin may have.
    case plugins
    case file(String)
  }

  package var directory: String
  package var names: Names

  package init(directory: String, names: Names) {
    self.directory = directory
    self.names = names
  }

  func matches(_ name: String) -> Bool {
    switch names {
    case .plugins: PluginScan.isPluginName(name)
    case .file(let wanted): name == wanted
    }
  }
}

/// Tells that something in a set of directories may have changed (inotify(7)).
///
/// A file counts once it is whole: closed after writing, or moved in; so neither `cp` nor `mv` is met half-way. It
/// counts as well when it goes, and when its mode or owner changes, which may be what it was refused for. A directory
/// that is not there yet is waited for at the nearest one above it. When the kernel lost events, all may have changed.
///
/// Owner: whoever made it; closes its descriptor at the end. Thread: one at a time.
package final class DirectoryWatch {
  private static let contentMask = UInt32(
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB)
  private static let selfMask = UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
  private static let parentMask = UInt32(IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)
  /// Of one read: some hundreds of events.
  private static let readBytes = 64 << 10

  /// One directory that the kernel watches, and what a name in it means.
  private struct Place {
    var targets: [WatchTarget] = []
    /// Names whose appearance brings targets nearer.
    var awaited: [String: [WatchTarget]] = [:]
  }

  /// Readable when there is something to `drain`.
  package let descriptor: Int32
  private var targets: [WatchTarget] = []
  private var places: [Int32: Place] = [:]

  /// nil: the kernel has no room for another one (fs.inotify.max_user_instances).
  package init?() {
    descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }

  /// Watches these and nothing else. Relative paths start at the working directory.
  ///
  /// - Returns: what cannot be watched, each with the kernel's reason.
  @discardableResult
  package func watch(_ targets: [WatchTarget]) -> [String] {
    self.targets = targets
    return arm()
  }

  /// Reads what has happened. Thread: one that may take a system call or two.
  ///
  /// - Returns: which targets may have changed.
  package func drain() -> Set<WatchTarget> {
    var changed: Set<WatchTarget> = []
    var isStale = false
    var buffer = [UInt8](repeating: 0, count: Self.readBytes)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      buffer.withUnsafeBytes { bytes in
        var rest = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        while let event = Self.next(&rest) {
          let effect = judge(event)
          changed.formUnion(effect.changed)
          isStale = isStale || effect.isStale
        }
      }
    }
    if isStale { arm() }
    return changed
  }

  // MARK: - Events

  private struct Event {
    var watch: Int32
    var mask: UInt32
    var name: String
  }

  /// struct inotify_event: the watch, the mask, a cookie, and the length of the name that follows, padded with zeros.
  private static func next(_ rest: inout UnsafeRawBufferPointer) -> Event? {
    guard rest.count >= 16 else { return nil }
    let length = Int(rest.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
    guard length <= rest.count - 16 else { return nil }
    let name = rest[16..<16 + length].prefix { $0 != 0 }
    let event = Event(
      watch: rest.loadUnaligned(fromByteOffset: 0, as: Int32.self),
      mask: rest.loadUnaligned(fromByteOffset: 4, as: UInt32.self), name: String(decoding: name, as: UTF8.self))
    rest = UnsafeRawBufferPointer(rebasing: rest[(16 + length)...])
    return event
  }

  private func judge(_ event: Event) -> (changed: [WatchTarget], isStale: Bool) {
    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { return (targets, true) }
    guard let place = places[event.watch] else { return ([], false) }
    if event.mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT) != 0 {
      return (place.targets, true)
    }
    if let nearer = place.awaited[event.name] { return (nearer, true) }
    guard event.mask & Self.contentMask != 0 else { return ([], false) }
    return (place.targets.filter { $0.matches(event.name) }, false)
  }

  // MARK: - Watches

  @discardableResult
  private func arm() -> [String] {
    let previous = places
    places = [:]
    var faults: [String] = []
    for target in targets {
      if let fault = arm(target) { faults.append(fault) }
    }
    for watch in previous.keys where places[watch] == nil { inotify_rm_watch(descriptor, watch) }
    return faults
  }

  /// Watches the target's directory, or the nearest one above it that is there.
  private func arm(_ target: WatchTarget) -> String? {
    let chain = Self.chain(to: target.directory)
    var level = 0
    while level < chain.count {
      let mask = level == 0 ? Self.contentMask : Self.parentMask
      let watch = inotify_add_watch(descriptor, chain[level], mask | Self.selfMask | UInt32(IN_MASK_ADD))
      guard watch >= 0 else {
        guard errno == ENOENT else { return "\(chain[level]): \(systemMessage(errno))" }
        level += 1
        continue
      }
      if level == 0 {
        places[watch, default: Place()].targets.append(target)
        return nil
      }
      let below = chain[level - 1]
      let name = String(below.split(separator: "/").last ?? "")
      places[watch, default: Place()].awaited[name, default: []].append(target)
      // It may have come before the watch stood.
      guard access(below, F_OK) == 0 else { return nil }
      level -= 1
    }
    return "\(target.directory): \(systemMessage(ENOENT))"
  }

  /// The directory and all above it, the deepest first.
  private static func chain(to directory: String) -> [String] {
    let isAbsolute = directory.hasPrefix("/")
    var names = directory.split(separator: "/").map(String.init)
    var chain: [String] = []
    while !names.isEmpty {
      chain.append((isAbsolute ? "/" : "") + names.joined(separator: "/"))
      names.removeLast()
    }
    return chain + [isAbsolute ? "/" : "."]
  }
}
