/// A token or key that no description, log line or error shows.
///
/// `value` is the only way to what it hides; whoever logs hands it to `Log.redact` first.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Where it came from; this may be shown.
  package enum Source: Sendable, Equatable, CustomStringConvertible {
    case environment(name: String)
    case file(path: String)
    case literal

    package var description: String {
      switch self {
      case .environment(let name): "env:\(name)"
      case .file(let path): "file:\(path)"
      case .literal: "written in the configuration"
      }
    }
  }

  package let value: String
  package let source: Source

  package init(value: String, source: Source = .literal) {
    self.value = value
    self.source = source
  }

  package var description: String { "[redacted]" }
  package var debugDescription: String { "[redacted]" }
  package var customMirror: Mirror { Mirror(self, children: ["source": "\(source)"]) }
}
