internal import Glibc

/// Why a file was not taken as a plugin, and what its owner can do. A refused plugin never stops the host.
package struct PluginRefusal: Sendable, Equatable, CustomStringConvertible {
  package var path: String
  /// What is wrong, found against expected: "built for ABI major 3, this host speaks 1".
  package var reason: String
  /// What to do about it: "rebuild the plugin".
  package var remedy: String

  package init(path: String, reason: String, remedy: String) {
    self.path = path
    self.reason = reason
    self.remedy = remedy
  }

  package var description: String { "cannot load plugin \(path): \(reason); \(remedy)" }
}

/// The part of a refusal that is known where only bytes or tables are seen, not the path they came from.
package struct PluginFault: Error, Equatable {
  package var reason: String
  package var remedy: String

  package init(_ reason: String, remedy: String) {
    self.reason = reason
    self.remedy = remedy
  }

  package func refusal(of path: String) -> PluginRefusal { PluginRefusal(path: path, reason: reason, remedy: remedy) }
}

/// The text of `errno`, for messages.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }
