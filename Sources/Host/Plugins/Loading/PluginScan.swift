internal import Glibc

/// What the plugin directories held.
package struct PluginScan: Sendable {
  package var found: [FoundPlugin] = []
  package var refused: [PluginRefusal] = []

  /// The plugin that offers `provider`, and what it says of it.
  package func offer(of provider: String) -> (plugin: FoundPlugin, description: ProviderDescription)? {
    for plugin in found {
      if let description = plugin.description.providers.first(where: { $0.id == provider }) {
        return (plugin, description)
      }
    }
    return nil
  }

  /// Looks at every `*.so` of `directories`: the directories in their order, the entries of each sorted by name. Of two
  /// plugins with one id, or one provider's id, the first stays.
  static func run(directories: [String], store: PluginStore, scanner: any PluginScanner) -> PluginScan {
    var scan = PluginScan()
    var seen: Set<String> = []
    var paths: [String] = []
    for directory in directories {
      switch entries(of: directory) {
      case .success(let names):
        for name in names {
          let path = directory.utf8.last == 0x2F ? directory + name : "\(directory)/\(name)"
          if seen.insert(path).inserted { paths.append(path) }
        }
      case .failure(let fault): scan.refused.append(fault.refusal(of: directory))
      }
    }
    for (path, outcome) in zip(paths, look(at: paths, store, scanner)) {
      do throws(PluginFault) {
        let plugin = try outcome.get()
        try scan.requireNew(plugin)
        scan.found.append(plugin)
      } catch {
        scan.refused.append(error.refusal(of: path))
      }
    }
    return scan
  }

  /// Looks at the one file at `path`.
  static func look(at path: String, store: PluginStore, scanner: any PluginScanner) throws(PluginFault) -> FoundPlugin {
    try look(at: [path], store, scanner)[0].get()
  }

  /// Copies the files, then asks all that could be copied what they are.
  private static func look(at paths: [String], _ store: PluginStore, _ scanner: any PluginScanner)
    -> [Result<FoundPlugin, PluginFault>]
  {
    let copies = paths.map { path in
      Result { () throws(PluginFault) in try store.copy(of: PluginFile(path: path)) }
    }
    var descriptions = scanner.describe(copies.compactMap { try? $0.get().path })[...]
    return zip(paths, copies).map { path, copy in
      copy.flatMap { copy in
        descriptions.removeFirst().map { description in
          FoundPlugin(path: path, copyPath: copy.path, sha256: copy.sha256, description: description)
        }
      }
    }
  }

  private func requireNew(_ plugin: FoundPlugin) throws(PluginFault) {
    for other in found {
      if other.description.id == plugin.description.id {
        throw PluginFault("its id \(plugin.description.id) is taken by \(other.path)", remedy: "remove one of the two")
      }
      for provider in plugin.description.providers
      where other.description.providers.contains(where: { $0.id == provider.id }) {
        throw PluginFault(
          "its provider \"\(provider.id)\" is already offered by \(other.path)", remedy: "remove one of the two")
      }
    }
  }

  static func isPluginName(_ name: String) -> Bool { name.hasSuffix(".so") && !name.hasPrefix(".") }

  /// The names of the shared libraries in `directory`, sorted by their bytes; none when there is no such directory.
  private static func entries(of directory: String) -> Result<[String], PluginFault> {
    guard let stream = opendir(directory) else {
      let code = errno
      if code == ENOENT { return .success([]) }
      return .failure(
        PluginFault("the directory cannot be read: \(systemMessage(code))", remedy: "correct plugins.directories"))
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if isPluginName(name) { names.append(name) }
    }
    return .success(names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
  }
}
