import Glibc

/// Looks at plugins as the host does, for the command line: in child processes, and nothing of the host's state is
/// touched.
package enum PluginInspection {
  /// What the plugin directories of a configuration hold.
  package static func scan(directories: [String]) throws(PluginFault) -> PluginScan {
    try withStore { store in
      .success(PluginScan.run(directories: directories, store: store, scanner: ChildScanner()))
    }
  }

  /// The one plugin at `path`.
  package static func look(at path: String) throws(PluginFault) -> FoundPlugin {
    try withStore { store in
      Result { () throws(PluginFault) in try PluginScan.look(at: path, store: store, scanner: ChildScanner()) }
    }
  }

  /// What this machine cannot keep from a worker.
  package static func sandboxLacks() -> [String] { WorkerSandbox.lacksHere() }

  /// Copies go to a directory that is gone afterwards.
  private static func withStore<Value>(_ body: (PluginStore) -> Result<Value, PluginFault>) throws(PluginFault) -> Value
  {
    var template = Array("/tmp/patchbay-inspect-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw PluginFault("no temporary directory: \(systemMessage(errno))", remedy: "make /tmp writable")
    }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { remove(directory) }
    return try body(PluginStore(stateDirectory: directory)).get()
  }

  /// Removes a directory that only this process wrote to, and all below it.
  private static func remove(_ directory: String) {
    if let stream = opendir(directory) {
      defer { closedir(stream) }
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name == "." || name == ".." { continue }
        let path = "\(directory)/\(name)"
        if entry.pointee.d_type == UInt8(DT_DIR) { remove(path) } else { unlink(path) }
      }
    }
    rmdir(directory)
  }
}
