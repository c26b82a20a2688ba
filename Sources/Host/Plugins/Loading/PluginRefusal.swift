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

extension PluginFault {
  package func refusal(of path: String) -> PluginRefusal { PluginRefusal(path: path, reason: reason, remedy: remedy) }
}

/// The text of `errno`, for messages.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }
