import Host
import JSON

/// `patchbay plugin list` and `info`: what was found, and why not.
enum PluginCommand {
  static func run(_ options: Options) throws -> Int32 {
    switch options.positional.first {
    case "list" where options.positional.count == 1: return try list(options)
    case "info" where options.positional.count == 2:
      return try info(options.positional[1], asJSON: options.has("--json"))
    case "list": throw UsageError(message: "list takes no arguments")
    case "info": throw UsageError(message: "info needs one FILE")
    case let other?: throw UsageError(message: "unknown subcommand '\(other)'")
    case nil: throw UsageError(message: "list or info is missing")
    }
  }

  private static func list(_ options: Options) throws -> Int32 {
    return Command.Exit.success
  }

  private static func info(_ file: String, asJSON: Bool) throws -> Int32 {
    return Command.Exit.success
  }
}
