import Host
import JSON
import ProviderValidator

/// `patchbay plugin list` and `info`: what was found, what it offers, and why the rest was refused. The other
/// subcommands have files of their own.
enum PluginCommand {
  /// Runs a subcommand that has its own options and exit statuses; nil: it is none of these.
  static func runOwnSubcommand(_ arguments: [String]) -> Int32? {
    let rest = Array(arguments.dropFirst())
    switch arguments.first {
    case CheckChild.command: CheckChild.run(rest)
    case "validate":
      guard rest.contains("--help") || rest.contains("-h") else { return ValidateCommand.run(rest) }
      Terminal.print(ValidateCommand.usage)
      return ValidateCommand.Exit.good
    default: return nil
    }
  }

  static func run(_ options: Options) throws -> Int32 {
    switch options.positional.first {
    case "list" where options.positional.count == 1: return try list(options)
    case "info" where options.positional.count == 2:
      return info(options.positional[1], asJSON: options.has("--json"))
    case "install" where options.positional.count == 2:
      return try PluginInstallCommand.run(options, file: options.positional[1])
    case "install": throw UsageError(message: "install needs one FILE")
    case "new": return try PluginNewCommand.run(options)
    case "unquarantine" where options.positional.count == 2: return try unquarantine(options.positional[1], options)
    case "unquarantine": throw UsageError(message: "unquarantine needs one FILE or SHA256")
    case "list": throw UsageError(message: "list takes no arguments")
    case "info": throw UsageError(message: "info needs one FILE")
    case let other?: throw UsageError(message: "unknown subcommand '\(other)'")
    case nil: throw UsageError(message: "list, info, install, unquarantine, validate or new is missing")
    }
  }

  private static func list(_ options: Options) throws -> Int32 {
    guard let configuration = try settings(options, "list") else { return Command.Exit.failure }
    let scan = try PluginInspection.scan(directories: configuration.plugins.searchPath)
    let running = RunningPlugins(at: ControlSocket.path(in: configuration.stateDirectory))
    if options.has("--json") {
      let loaded = JSONValue.array(scan.found.map(description))
      let refused = JSONValue.array(scan.refused.map(description))
      let quarantined = JSONValue.array(try quarantine(of: configuration).map(description))
      Terminal.print(
        JSONValue.object([
          .init("loaded", loaded), .init("refused", refused), .init("quarantined", quarantined),
          .init("sandbox_lacks", .array(PluginInspection.sandboxLacks().map(JSONValue.string))),
          .init("running", running?.json ?? .null),
        ]).text)
    } else {
      for plugin in scan.found { Terminal.print(line(plugin)) }
      for refusal in scan.refused { Terminal.print("refused  \(refusal)") }
      for entry in try quarantine(of: configuration) {
        Terminal.print("quarantined  \(entry.path)  \(entry.sha256)  \(entry.reason)")
      }
      for lack in PluginInspection.sandboxLacks() { Terminal.print("sandbox lacks  \(lack)") }
      if scan.found.isEmpty && scan.refused.isEmpty {
        Terminal.print("no plugin in \(configuration.plugins.searchPath.joined(separator: ", "))")
      }
      if let running { show(running) }
    }
    return scan.refused.isEmpty && running?.refusedUpdates.isEmpty ?? true ? Command.Exit.success : Command.Exit.failure
  }

  private static func show(_ running: RunningPlugins) {
    Terminal.print("\nin the running host:")
    for provider in running.providers { Terminal.print("serving  \(RunningPlugins.line(provider))") }
    for refusal in running.refusals { Terminal.print("refused  \(RunningPlugins.refusalLine(refusal))") }
  }

  /// Lets a plugin's file go from quarantine; a running host takes it up when it is told to reload.
  private static func unquarantine(_ word: String, _ options: Options) throws -> Int32 {
    guard let configuration = try settings(options, "unquarantine") else { return Command.Exit.failure }
    let removed: [Quarantine.Entry]
    do throws(PluginFault) {
      removed = try Quarantine(stateDirectory: configuration.stateDirectory).remove(word)
    } catch {
      Terminal.error("patchbay plugin unquarantine: \(error.reason); \(error.remedy)")
      return Command.Exit.failure
    }
    guard !removed.isEmpty else {
      Terminal.error(
        "patchbay plugin unquarantine: \(word) is not in quarantine; `patchbay plugin list` shows what is")
      return Command.Exit.failure
    }
    for entry in removed { Terminal.print("released  \(entry.path)  \(entry.sha256)") }
    Terminal.print("a running host takes it up with `patchbay reload`")
    return Command.Exit.success
  }

  private static func settings(_ options: Options, _ subcommand: String) throws -> Configuration? {
    do {
      return try Settings.load(options)
    } catch let errors as ConfigurationErrors {
      Settings.report(errors, command: "plugin \(subcommand)")
      return nil
    }
  }

  private static func info(_ file: String, asJSON: Bool) -> Int32 {
    do throws(PluginFault) {
      let plugin = try PluginInspection.look(at: file)
      Terminal.print(asJSON ? description(plugin).text : page(plugin))
      return Command.Exit.success
    } catch {
      Terminal.error("\(error.refusal(of: file))")
      return Command.Exit.failure
    }
  }

  private static func quarantine(of configuration: Configuration) throws -> [Quarantine.Entry] {
    try Quarantine(stateDirectory: configuration.stateDirectory).entries()
  }

  // MARK: - Text

  private static func line(_ plugin: FoundPlugin) -> String {
    let providers = plugin.description.providers.map(\.id).joined(separator: ", ")
    return "loaded   \(plugin.description.id) \(plugin.description.version)  \(providers)  \(plugin.path)"
  }

  private static func page(_ plugin: FoundPlugin) -> String {
    let about = plugin.description
    var lines = [
      "\(about.id) \(about.version)  \(about.name)", "  file       \(plugin.path)", "  sha256     \(plugin.sha256)",
      "  abi        1.\(about.abiMinor)",
    ]
    for (name, value) in [
      ("vendor", about.vendor), ("license", about.license), ("sdk", about.sdk), ("toolchain", about.toolchain),
    ] where !value.isEmpty {
      lines.append("  \(name)\(String(repeating: " ", count: 11 - name.count))\(value)")
    }
    for provider in about.providers {
      lines.append("  provider   \(provider.id)  \(provider.displayName)")
      if !provider.defaultBaseURL.isEmpty { lines.append("    base url   \(provider.defaultBaseURL)") }
      lines.append("    services   \(provider.requiredServices.joined(separator: ", "))")
      let models = modelIDs(provider)
      if !models.isEmpty { lines.append("    models     \(models.joined(separator: ", "))") }
      let tools = provider.tools.map(\.name)
      if !tools.isEmpty { lines.append("    tools      \(tools.joined(separator: ", "))") }
    }
    return lines.joined(separator: "\n")
  }

  // MARK: - JSON

  private static func description(_ plugin: FoundPlugin) -> JSONValue {
    let about = plugin.description
    return .object([
      .init("id", .string(about.id)), .init("name", .string(about.name)), .init("version", .string(about.version)),
      .init("vendor", .string(about.vendor)), .init("license", .string(about.license)),
      .init("sdk", .string(about.sdk)), .init("toolchain", .string(about.toolchain)),
      .init("abi", .string("1.\(about.abiMinor)")), .init("path", .string(plugin.path)),
      .init("sha256", .string(plugin.sha256)), .init("providers", .array(about.providers.map(description))),
    ])
  }

  private static func description(_ provider: ProviderDescription) -> JSONValue {
    .object([
      .init("id", .string(provider.id)), .init("name", .string(provider.displayName)),
      .init("base_url", .string(provider.defaultBaseURL)),
      .init("required_services", .array(provider.requiredServices.map(JSONValue.string))),
      .init("temperature_max", .double(provider.temperatureMax)),
      .init("models", .array(modelIDs(provider).map(JSONValue.string))),
      .init("tools", .array(provider.tools.map { .string($0.name) })),
    ])
  }

  private static func description(_ entry: Quarantine.Entry) -> JSONValue {
    .object([
      .init("path", .string(entry.path)), .init("sha256", .string(entry.sha256)),
      .init("reason", .string(entry.reason)), .init("since_unix_seconds", .integer(entry.since)),
    ])
  }

  private static func description(_ refusal: PluginRefusal) -> JSONValue {
    .object([
      .init("path", .string(refusal.path)), .init("reason", .string(refusal.reason)),
      .init("remedy", .string(refusal.remedy)),
    ])
  }

  private static func modelIDs(_ provider: ProviderDescription) -> [String] {
    (try? JSONValue(parsing: provider.modelsJSON))?.array?.compactMap { $0["id"]?.string } ?? []
  }
}
