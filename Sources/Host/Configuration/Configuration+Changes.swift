/// One setting that another configuration has otherwise.
package struct ConfigurationChange: Equatable, Sendable, CustomStringConvertible {
  package var path: String
  /// nil: absent.
  package var from: String?
  package var to: String?
  /// Whether it takes effect only with the next start.
  package var needsRestart: Bool

  package var description: String {
    "\(path): \(from ?? "absent") → \(to ?? "absent")\(needsRestart ? " (needs a restart)" : "")"
  }
}

extension Configuration {
  /// Settings that are read once, at the start.
  private static let fixed = [
    "listeners", "loops", "storage", "state_directory", "plugins", "log.format", "log.file", "metrics",
  ]

  /// What `other` has otherwise, in the order of the schema. No secret is among the values.
  package func changes(to other: Configuration) -> [ConfigurationChange] {
    let (ours, theirs) = (shown, other.shown)
    var paths = ours.map(\.path)
    let known = Set(paths)
    paths += theirs.map(\.path).filter { !known.contains($0) }
    let keepsTLS = hasListeners(of: other)
    let before = Dictionary(ours.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    let after = Dictionary(theirs.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    return paths.compactMap { path in
      guard before[path] != after[path] else { return nil }
      let isSecret = before[path]?.secret != nil && after[path]?.secret != nil
      return ConfigurationChange(
        path: path, from: before[path]?.value, to: isSecret ? "another secret" : after[path]?.value,
        needsRestart: Self.fixed.contains { path == $0 || path.hasPrefix("\($0).") || path.hasPrefix("\($0)[") }
          && !(keepsTLS && path.hasPrefix("listeners[") && path.contains("].tls.")))
    }
  }

  /// Whether `other` listens at the same places, with TLS at the same of them: then its certificates can be taken.
  private func hasListeners(of other: Configuration) -> Bool {
    listeners.map(\.address) == other.listeners.map(\.address)
      && listeners.map { $0.tls == nil } == other.listeners.map { $0.tls == nil }
  }

  private var shown: [ShownSetting] {
    ConfigurationSchema.settings.flatMap { $0.show(self, $0.facts.key) }
  }

  /// This configuration as it can take effect in a running host: what is fixed stays as it is there.
  func keepingFixed(of running: Configuration) -> Configuration {
    var copy = self
    copy.listeners = running.listeners
    if hasListeners(of: running) {
      for index in listeners.indices { copy.listeners[index].tls = listeners[index].tls }
    }
    copy.loops = running.loops
    copy.storage = running.storage
    copy.stateDirectory = running.stateDirectory
    copy.plugins = running.plugins
    copy.log.format = running.log.format
    copy.log.file = running.log.file
    copy.metrics = running.metrics
    return copy
  }
}
