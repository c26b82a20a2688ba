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
    guard let answer = ask(path) else {
      Terminal.error("patchbay reload: no host listens at \(path): \(String(cString: strerror(errno)))")
      return Command.Exit.unreachable
    }
    let lines = answer.split(separator: "\n")
    let isApplied = lines.first == "ok"
    let rest = lines.dropFirst().joined(separator: "\n")
    if isApplied {
      Terminal.print(rest)
    } else {
      Terminal.error("patchbay reload: the old configuration stays\n\(rest)")
    }
    return isApplied ? Command.Exit.success : Command.Exit.failure
  }

  /// nil: nobody is there.
  private static func ask(_ path: String) -> String? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    guard var address = UnixAddress(path), address.connect(descriptor) else { return nil }
    Terminal.write("reload\n", to: descriptor)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer[..<count]
    }
  }
}
