import CLinux
import Glibc
import Host

/// `patchbay reload`: asks the host of a state directory to read its configuration anew.
enum ReloadCommand {
  static func run(_ options: Options) throws -> Int32 {
    try options.requireNoPositional()
    let directory: String
    if let given = options["--state"] {
      directory = given
    } else {
      do {
        directory = try Settings.load(options).stateDirectory
      } catch let errors as ConfigurationErrors {
        // The host would refuse it as well; without it nobody knows where the host is.
        Settings.report(errors, command: "reload")
        return Command.Exit.failure
      }
    }
    let path = ControlSocket.path(in: directory)
    guard let answer = ControlClient.ask("reload", at: path) else {
      Terminal.error("patchbay reload: no host listens at \(path): \(String(cString: strerror(errno)))")
      return Command.Exit.unreachable
    }
    if answer.isApplied {
      Terminal.print(answer.text)
    } else {
      Terminal.error("patchbay reload: the old configuration stays\n\(answer.text)")
    }
    return answer.isApplied ? Command.Exit.success : Command.Exit.failure
  }
}
