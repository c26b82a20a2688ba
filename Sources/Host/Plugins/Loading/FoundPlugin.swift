/// A plugin file that was taken: its copy, and what it says of itself. Nothing of it runs in the host by that.
package struct FoundPlugin: Sendable, Equatable {
  /// The file that the operator put there.
  package var path: String
  /// The host's copy, which is what runs.
  package var copyPath: String
  package var sha256: String
  package var description: PluginDescription

  package init(path: String, copyPath: String, sha256: String, description: PluginDescription) {
    self.path = path
    self.copyPath = copyPath
    self.sha256 = sha256
    self.description = description
  }
}
