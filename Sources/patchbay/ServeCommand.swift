import Glibc
import Host

/// `patchbay serve`: the host in the foreground.
enum ServeCommand {
  static func run(_ options: Options) throws -> Int32 {
    try options.requireNoPositional()
    // Before a key is read: otherwise any process of the same user could read it in our memory.
    let isDebuggable = options.has("--debuggable")
    if !isDebuggable { HostPrivacy.closeMemory() }
    let configuration: Configuration
    do {
      configuration = try Settings.load(options)
    } catch let errors as ConfigurationErrors {
      Settings.report(errors, command: "serve")
      return Command.Exit.failure
    }
    let log = try Settings.openLog(configuration.log)
    if isDebuggable {
      log.warning(
        "Other processes of this user can read the host's memory", ("remedy", "start it without --debuggable"))
    }
    let program = CommandLine.arguments.first ?? "patchbay"
    let path = options["--config"]
    let host = Host(
      configuration: configuration, log: log,
      readAgain: { () throws(ConfigurationErrors) in try Configuration.load(path: path) }
    ) { address in
      guard !"\(address)".hasPrefix("unix:") else { return }  // `chat` speaks TCP only
      let isSecure = configuration.listeners.first { $0.serves.contains(.websocket) }?.tls != nil
      let url = isSecure ? "wss://\(address) --ca FILE" : "ws://\(address)"
      Terminal.print("\nReady. From another terminal:\n\n  \(program) chat --url \(url) \"Hello\"\n")
    }
    return try host.run()
  }
}

/// `patchbay check`: whether the configuration is good, and the timeouts that follow from it.
enum CheckCommand {
  static func run(_ options: Options) throws -> Int32 {
    try options.requireNoPositional()
    do {
      let configuration = try Settings.load(options)
      Terminal.print("configuration: \(configuration.file ?? "built-in defaults and the environment")")
      Terminal.print("providers: \(configuration.providers.map(\.id).joined(separator: ", "))")
      Terminal.print(configuration.timeoutTable())
      for note in configuration.notYetInForce + configuration.warnings { Terminal.print("note: \(note)") }
      return Command.Exit.success
    } catch let errors as ConfigurationErrors {
      Settings.report(errors, command: "check")
      return Command.Exit.failure
    }
  }
}

/// The configuration as the commands that need it find it.
enum Settings {
  static func load(_ options: Options) throws -> Configuration {
    try Configuration.load(path: options["--config"])
  }

  /// In the file that is configured, or on standard error.
  static func openLog(_ settings: Configuration.Logging) throws -> Log {
    guard let file = settings.file else { return Log(level: settings.level, format: settings.format) }
    return try Log(file: file, level: settings.level, format: settings.format)
  }

  static func report(_ errors: ConfigurationErrors, command: String) {
    let count = errors.errors.count
    Terminal.error("patchbay \(command): the configuration has \(count) \(count == 1 ? "fault" : "faults")")
    for error in errors.errors { Terminal.error("  \(error)") }
  }
}
