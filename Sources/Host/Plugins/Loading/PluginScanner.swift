/// Asks plugins what they are. Nothing of what a file says is believed before `DescriptorReader` has seen it.
///
/// Thread: any but a loop: a plugin may take its time.
package protocol PluginScanner: Sendable {
  /// The description of each library of `copies`, in their order, or why it has none.
  func describe(_ copies: [String]) -> [Result<PluginDescription, PluginFault>]
  /// Nobody wants to know any more: what is asked now ends soon, and nothing is asked after. Thread: any.
  func stop()
}

/// Maps the libraries into this process. For a process that is thrown away, and for tests of what is trusted.
package struct InProcessScanner: PluginScanner {
  package init() {}

  package func describe(_ copies: [String]) -> [Result<PluginDescription, PluginFault>] {
    copies.map { path in
      Result { () throws(PluginFault) in
        try LoadedPlugin(path: path, copy: .init(path: path, sha256: "", wasKnown: true), flags: PluginHandshake.scan)
          .description
      }
    }
  }

  package func stop() {}
}
