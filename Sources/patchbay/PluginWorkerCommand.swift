import Glibc
import Host

/// `patchbay plugin-worker`: what the host runs itself as, to keep a plugin out of its own process. Not for people, and
/// not listed among the commands.
enum PluginWorkerCommand {
  static let name = "plugin-worker"

  static func run(arguments: [String]) -> Int32 {
    do {
      try run(Options(arguments, valued: ["--parent", "--scan", "--loops"]))
    } catch {
      let message = (error as? UsageError)?.message ?? "\(error)"
      Terminal.error("patchbay \(name): \(message)\n\n\(usage)")
    }
    return Command.Exit.usage
  }

  private static let usage = "usage: patchbay plugin-worker --parent PID --scan FILE | --loops N"

  private static func run(_ options: Options) throws {
    try options.requireNoPositional()
    guard let parent = options["--parent"].flatMap(Int32.init) else {
      throw UsageError(message: "a host starts workers, with --parent")
    }
    if let library = options["--scan"] { ScanWorker.run(library: library, parent: parent) }
    if let loops = options["--loops"].flatMap(Int32.init) { PluginWorker.run(loops: loops, parent: parent) }
    throw UsageError(message: "--scan or --loops is missing")
  }
}
