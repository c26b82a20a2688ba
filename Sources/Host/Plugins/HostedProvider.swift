/// A provider instance as its owner sees it: what may be called is `ProviderInstance`; this is how it ends, and what it
/// runs.
///
/// Thread: `stop` and `destroy` one at a time, never a loop; the rest any.
package protocol HostedProvider: ProviderInstance {
  /// The plugin that it is an instance of.
  var origin: PluginOrigin { get }

  /// Calls that are not closed, on all loops.
  var openCalls: Int { get }

  /// How its worker fares; nil: it runs in the host's process.
  var workerFigures: WorkerFigures? { get }

  /// The host's log has another level: its worker's gets it too.
  func adopt(_ level: LogLevel)

  /// Takes no new calls, tells the plugin so, and cancels those that are open. Once; later ones do nothing.
  func stop()

  /// Frees the plugin's instance when `stop` was called and every call was closed. False: it was not freed, because a
  /// call still belongs to the plugin, or there is nothing to free.
  func destroy() -> Bool
}

/// Which file an instance came from, and where its code runs.
package struct PluginOrigin: Sendable, Equatable {
  /// The file that the operator put there.
  package var path: String
  /// The host's copy, which is what runs.
  package var copyPath: String
  /// Of the content, 64 hexadecimal digits.
  package var sha256: String
  package var isolation: ProviderSettings.Isolation
  /// What of its sandbox the machine could not apply; empty in process, where there is none.
  package var sandboxLacks: [String]

  package init(
    path: String, copyPath: String, sha256: String, isolation: ProviderSettings.Isolation, sandboxLacks: [String] = []
  ) {
    self.path = path
    self.copyPath = copyPath
    self.sha256 = sha256
    self.isolation = isolation
    self.sandboxLacks = sandboxLacks
  }
}
