import Glibc
internal import Host

/// What the program can be asked to do, and the exit statuses it answers with.
enum Command: String, CaseIterable {
  case serve, check, reload
  case logLevel = "log-level"
  case reopenLog = "reopen-log"
  case chat, status, stress, soak, plugin

  /// The statuses of every command; `status` has its own reading of them (docs/operating.md).
  enum Exit {
    static let success: Int32 = 0
    static let failure: Int32 = 1
    static let usage: Int32 = 64  // sysexits.h EX_USAGE
    static let unreachable: Int32 = 2
  }

  var summary: String {
    switch self {
    case .serve: "run the host in the foreground"
    case .check: "validate the configuration and print the timeout table"
    case .reload: "make a running host read its configuration anew"
    case .logLevel: "change which lines a running host logs"
    case .reopenLog: "make a running host open its log file anew"
    case .chat: "ask a running host one question; the answer streams to the terminal"
    case .status: "show a running host on one screen"
    case .plugin: "list the plugins, show what one contains, validate one, begin a new one"
    case .stress: "load a running host with as many calls as it takes, and judge it"
    case .soak: "call a running host calmly for a day, and judge it"
    }
  }

  var usage: String {
    switch self {
    case .serve:
      """
      usage: patchbay serve [--config FILE] [--debuggable]

      Runs the host until SIGTERM or SIGINT, which finish what is in flight first.
      Without --config: PATCHBAY_CONFIG, ./patchbay.json5, /etc/patchbay/patchbay.json5, else the defaults and
      whatever providers the environment offers (KIMI_API_KEY, GLM_API_KEY, CUSTOM_API_URL; Echo always).
      With --debuggable other processes of the same user, debuggers and plugins among them, can read its memory.
      """
    case .check:
      """
      usage: patchbay check [--config FILE]

      Exit status 0: the configuration is good; 1: it is not, and each fault is named.
      """
    case .reload:
      """
      usage: patchbay reload [--config FILE | --state DIRECTORY]

      Finds the host by the state_directory of its configuration (or DIRECTORY) and shows what has changed. SIGHUP does
      the same. Only the host's own user and root may ask.
      Exit status 0: applied; 1: refused, the old configuration stays and each fault is named; 2: no host is there.
      """
    case .logLevel:
      """
      usage: patchbay log-level LEVEL [--config FILE | --state DIRECTORY]

      LEVEL is debug, info, warning or error, and holds until the next reload or start, which take the configured one.
      Exit status 0: changed; 1: refused; 2: no host is there.
      """
    case .reopenLog:
      """
      usage: patchbay reopen-log [--config FILE | --state DIRECTORY]

      For whoever has moved log.file away; SIGUSR1 does the same.
      Exit status 0: a new file is written; 1: it cannot be opened, and the old one stays; 2: no host is there.
      """
    case .chat:
      """
      usage: patchbay chat [--url URL] [--model MODEL] [--token TOKEN] [--ca FILE] [--json] PROMPT

      URL defaults to ws://127.0.0.1:8079, TOKEN to the environment's PATCHBAY_TOKEN. With wss:// the host's certificate
      must be for the URL's host, and signed by whom the system trusts or by an authority in FILE (PEM).
      Exit status 0: a complete answer; 1: an error, on standard error; 2: the host cannot be reached.
      """
    case .status:
      """
      usage: patchbay status [--url URL] [--token TOKEN] [--ca FILE] [--json]

      Shows what is not well, since when and what to do, and the alerts that are raised.
      Exit status 0: healthy; 1: degraded or unhealthy; 2: the host cannot be reached.
      """
    case .plugin:
      """
      usage: patchbay plugin list [--config FILE] [--json]
             patchbay plugin info FILE [--json]
             patchbay plugin install FILE [--config FILE] [--directory DIRECTORY] [--name NAME.so] [--unchecked]
             patchbay plugin unquarantine FILE|SHA256 [--config FILE]
             patchbay plugin validate FILE [OPTIONS]; see patchbay plugin validate --help
             patchbay plugin new NAME --language swift|c [--directory DIRECTORY] [--patchbay PATH]

      list shows what the plugin directories hold, and what a host that runs with this configuration made of it.
      install holds FILE against the validator's quick checks, puts it into the first plugin directory in one step, and
      tells what the running host made of it.
      new writes a provider with its tests into a new DIRECTORY (./NAME), which builds without a network. In Swift it
      builds against PATH: a checkout of Patchbay, or its installed SDK, which is found by itself.
      Exit status 0: every plugin can be loaded; 1: one was refused, or nothing was written; the reason and remedy are
      shown.
      """
    case .stress:
      """
      usage: patchbay stress [OPTIONS]

      Real calls to a running host, one after the other on each connection; docs/load-testing.md says how it is judged.

        --duration TIME    60s    1s to 30d, such as 90s, 10m or 24h
        --concurrent N     10     connections, each with one call at a time
        --per-second RATE         calls a second in all; without it as many as the connections carry
      \(LoadCommand.usage)
      """
    case .soak:
      """
      usage: patchbay soak [OPTIONS]

      The same as stress at a calm pace, for long runs; docs/load-testing.md says how it is judged.

        --duration TIME    24h    1s to 30d, such as 90s, 10m or 24h
        --concurrent N     2      connections, each with one call at a time
        --per-second RATE  1      calls a second in all
      \(LoadCommand.usage)
      """
    }
  }

  static let overview: String = {
    let width = (allCases.map(\.rawValue.count).max() ?? 0) + 2
    let lines = allCases.map { command in
      "  \(command.rawValue)\(String(repeating: " ", count: width - command.rawValue.count))\(command.summary)"
    }
    return """
      patchbay - a provider host for language models

      usage: patchbay COMMAND [ARGUMENTS]

      \(lines.joined(separator: "\n"))

      patchbay COMMAND --help says more.
      """
  }()

  static func run(_ arguments: [String]) -> Int32 {
    guard let first = arguments.first else {
      Terminal.error(overview)
      return Exit.usage
    }
    if first == "--help" || first == "-h" || first == "help" {
      Terminal.print(overview)
      return Exit.success
    }
    if first == "--version" {
      Terminal.print("patchbay \(Version.current)")
      return Exit.success
    }
    if first == PluginWorkerCommand.name { return PluginWorkerCommand.run(arguments: Array(arguments.dropFirst())) }
    guard let command = Command(rawValue: first) else {
      Terminal.error("patchbay: there is no command '\(first)'\n\n\(overview)")
      return Exit.usage
    }
    let rest = Array(arguments.dropFirst())
    if command == .plugin, let status = PluginCommand.runOwnSubcommand(rest) { return status }
    if rest.contains("--help") || rest.contains("-h") {
      Terminal.print(command.usage)
      return Exit.success
    }
    do {
      return try command.perform(rest)
    } catch let error as UsageError {
      Terminal.error("patchbay \(command.rawValue): \(error.message)\n\n\(command.usage)")
      return Exit.usage
    } catch {
      Terminal.error("patchbay \(command.rawValue): \(error)")
      return Exit.failure
    }
  }

  private func perform(_ arguments: [String]) throws -> Int32 {
    switch self {
    case .serve: try ServeCommand.run(Options(arguments, valued: ["--config"], flags: ["--debuggable"]))
    case .check: try CheckCommand.run(Options(arguments, valued: ["--config"]))
    case .reload: try ControlCommand.reload(Options(arguments, valued: ["--config", "--state"]))
    case .logLevel: try ControlCommand.logLevel(Options(arguments, valued: ["--config", "--state"]))
    case .reopenLog: try ControlCommand.reopenLog(Options(arguments, valued: ["--config", "--state"]))
    case .chat:
      try ChatCommand.run(Options(arguments, valued: ["--url", "--model", "--token", "--ca"], flags: ["--json"]))
    case .status: try StatusCommand.run(Options(arguments, valued: ["--url", "--token", "--ca"], flags: ["--json"]))
    case .stress: try LoadCommand.run(.stress, Options(arguments, valued: LoadCommand.valued, flags: ["--json"]))
    case .soak: try LoadCommand.run(.soak, Options(arguments, valued: LoadCommand.valued, flags: ["--json"]))
    case .plugin:
      try PluginCommand.run(
        Options(
          arguments, valued: ["--config", "--directory", "--name", "--language", "--patchbay"],
          flags: ["--json", "--unchecked"]))
    }
  }
}

/// The command line does not say what to do.
struct UsageError: Error {
  var message: String
}

/// A command's arguments: options that are known, and the rest.
struct Options {
  private var values: [String: String] = [:]
  private var flags: Set<String> = []
  private(set) var positional: [String] = []

  init(_ arguments: [String], valued: Set<String>, flags known: Set<String> = []) throws {
    var index = 0
    var onlyPositional = false
    while index < arguments.count {
      let argument = arguments[index]
      index += 1
      if onlyPositional || !argument.hasPrefix("--") {
        positional.append(argument)
      } else if argument == "--" {
        onlyPositional = true
      } else if known.contains(argument) {
        flags.insert(argument)
      } else if let equals = argument.firstIndex(of: "="), valued.contains(String(argument[..<equals])) {
        values[String(argument[..<equals])] = String(argument[argument.index(after: equals)...])
      } else if valued.contains(argument) {
        guard index < arguments.count else { throw UsageError(message: "\(argument) needs a value") }
        values[argument] = arguments[index]
        index += 1
      } else {
        let all = valued.union(known).sorted().joined(separator: ", ")
        throw UsageError(message: "unknown option \(argument); known: \(all), --help")
      }
    }
  }

  subscript(_ name: String) -> String? { values[name] }
  func has(_ flag: String) -> Bool { flags.contains(flag) }

  /// The options of a command that takes nothing else.
  func requireNoPositional() throws {
    guard let first = positional.first else { return }
    throw UsageError(message: "unexpected argument '\(first)'")
  }
}

/// Lines to the person at the terminal; write errors (a closed pipe) end the program quietly.
enum Terminal {
  static func print(_ text: String) { write(text + "\n", to: 1) }
  static func error(_ text: String) { write(text + "\n", to: 2) }

  static func write(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }

  static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }
}
