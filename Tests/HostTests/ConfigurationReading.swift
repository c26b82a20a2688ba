@testable import Host

/// Reads configurations from memory.
enum ConfigurationReading {
  static func parse(
    _ text: String?, file: String? = "/etc/patchbay/patchbay.json5", environment: [String: String] = [:],
    files: [String: String] = [:]
  ) throws(ConfigurationErrors) -> Configuration {
    try Configuration.parse(text: text.map { Array($0.utf8) }, file: file, environment: { environment[$0] }) { path in
      files[path].map { .bytes(Array($0.utf8)) } ?? .absent
    }
  }

  /// The faults that were found; none when it was accepted.
  static func errors(
    _ text: String?, file: String? = "/etc/patchbay/patchbay.json5", environment: [String: String] = [:],
    files: [String: String] = [:]
  ) -> [ConfigurationError] {
    do {
      _ = try parse(text, file: file, environment: environment, files: files)
      return []
    } catch {
      return error.errors
    }
  }
}
