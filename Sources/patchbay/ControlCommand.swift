import CLinux
import Glibc
import Host

/// The commands that tell a running host to do something: they find it by its state directory.
enum ControlCommand {
  /// `patchbay reload`: it reads its configuration anew.
  static func reload(_ options: Options) throws -> Int32 {
    try options.requireNoPositional()
    return ask("reload", as: "reload", options, refusal: "the old configuration stays")
  }

  /// `patchbay log-level LEVEL`: which lines it writes, until the next reload.
  static func logLevel(_ options: Options) throws -> Int32 {
    guard options.positional.count == 1, let level = LogLevel(named: options.positional[0]) else {
      throw UsageError(
        message: "found \(options.positional.joined(separator: " ").debugDescription), expected one of "
          + LogLevel.names.joined(separator: ", "))
    }
    return ask("log-level \(level.name)", as: "log-level", options, refusal: "the level stays")
  }

  /// `patchbay reopen-log`: it opens the log's file anew, as SIGUSR1 makes it.
  static func reopenLog(_ options: Options) throws -> Int32 {
    try options.requireNoPositional()
    return ask("reopen-log", as: "reopen-log", options, refusal: "the old file stays")
  }

  private static func ask(_ line: String, as command: String, _ options: Options, refusal: String) -> Int32 {
    let directory: String
    if let given = options["--state"] {
      directory = given
    } else {
      do {
        directory = try Settings.load(options).stateDirectory
      } catch let errors as ConfigurationErrors {
        // The host would refuse it as well; without it nobody knows where the host is.
        Settings.report(errors, command: command)
        return Command.Exit.failure
      } catch {
        Terminal.error("patchbay \(command): \(error)")
        return Command.Exit.failure
      }
    }
    let path = ControlSocket.path(in: directory)
    guard let answer = ControlClient.ask(line, at: path) else {
      Terminal.error("patchbay \(command): no host listens at \(path): \(String(cString: strerror(errno)))")
      return Command.Exit.unreachable
    }
    if answer.isApplied {
      Terminal.print(answer.text)
    } else {
      Terminal.error("patchbay \(command): \(refusal)\n\(answer.text)")
    }
    return answer.isApplied ? Command.Exit.success : Command.Exit.failure
  }
}
