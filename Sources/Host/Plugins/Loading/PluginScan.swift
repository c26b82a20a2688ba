internal import Glibc

/// What the plugin directories held.
package struct PluginScan: Sendable {
  package var loaded: [LoadedPlugin] = []
  package var refused: [PluginRefusal] = []

  /// The loaded plugin that offers `provider`, and what it says of it.
  package func offer(of provider: String) -> (plugin: LoadedPlugin, description: ProviderDescription)? {
    for plugin in loaded {
      if let description = plugin.description.providers.first(where: { $0.id == provider }) {
        return (plugin, description)
      }
    }
    return nil
  }

  /// Loads every `*.so` of `directories`: the directories in their order, the entries of each sorted by name. Of two
  /// plugins with one id, or one provider's id, the first stays.
  static func run(directories: [String], store: PluginStore) -> PluginScan {
    var scan = PluginScan()
    var seen: Set<String> = []
    for directory in directories {
      switch entries(of: directory) {
      case .success(let names):
        for name in names {
          let path = directory.utf8.last == 0x2F ? directory + name : "\(directory)/\(name)"
          if seen.insert(path).inserted { scan.take(path, store) }
        }
      case .failure(let fault): scan.refused.append(fault.refusal(of: directory))
      }
    }
    return scan
  }

  /// Loads the one file at `path`.
  static func load(_ path: String, store: PluginStore) throws(PluginFault) -> LoadedPlugin {
    let file = try PluginFile(path: path)
    return try LoadedPlugin(path: path, copy: store.copy(of: file))
  }

  private mutating func take(_ path: String, _ store: PluginStore) {
    do throws(PluginFault) {
      let plugin = try Self.load(path, store: store)
      try requireNew(plugin)
      loaded.append(plugin)
    } catch {
      refused.append(error.refusal(of: path))
    }
  }

  private func requireNew(_ plugin: LoadedPlugin) throws(PluginFault) {
    for other in loaded {
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
      if name.hasSuffix(".so") && !name.hasPrefix(".") { names.append(name) }
    }
    return .success(names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
  }
}
