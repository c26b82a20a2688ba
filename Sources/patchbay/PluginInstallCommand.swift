import Glibc
import Host
import JSON
import ProviderValidator

/// `patchbay plugin install FILE`: puts a plugin into a plugin directory in one step, and tells what a running host made
/// of it.
enum PluginInstallCommand {
  /// How long a running host may take to say what became of it, a canary call included.
  private static let patienceMilliseconds = 60_000
  private static let pollMilliseconds: UInt32 = 20

  static func run(_ options: Options, file: String) throws -> Int32 {
    let configuration: Configuration
    do {
      configuration = try Settings.load(options)
    } catch let errors as ConfigurationErrors {
      Settings.report(errors, command: "plugin install")
      return Command.Exit.failure
    }
    let name = options["--name"] ?? String(file.split(separator: "/").last ?? "")
    guard name.hasSuffix(".so"), !name.hasPrefix("."), !name.contains("/") else {
      throw UsageError(message: "a plugin's name ends in .so, without a dot before it and without '/'; found '\(name)'")
    }
    let directories = configuration.plugins.searchPath
    guard let directory = options["--directory"] ?? directories.first else {
      Terminal.error("patchbay plugin install: no plugin directory is configured; name one with --directory")
      return Command.Exit.failure
    }
    do throws(PluginFault) {
      let plugin = try PluginInstaller.install(
        file, as: name, in: directory, of: directories.contains(directory) ? directories : [directory] + directories,
        prove: options.has("--unchecked") ? { _ in } : hold)
      Terminal.print("installed  \(plugin.description.id) \(plugin.description.version)  \(plugin.path)")
      return tell(plugin, ControlSocket.path(in: configuration.stateDirectory))
    } catch {
      Terminal.error("cannot install plugin \(file): \(error.reason); \(error.remedy)")
      return Command.Exit.failure
    }
  }

  /// Those of the validator's checks that need neither settings nor an upstream.
  private static let checks = ["elf", "load", "entry", "descriptor"]

  /// Holds a copy that is about to be installed against the contract.
  private static func hold(_ copy: String) throws(PluginFault) {
    let result: ValidationResult
    do {
      var run = ValidationRun(program: try ValidateCommand.program(), file: copy)
      run.selection = CheckSelection(include: checks)
      run.jobs = ValidateCommand.cores
      result = try ValidationRunner.run(run)
    } catch {
      throw PluginFault("it cannot be checked: \(error)", remedy: "correct that, or install it with --unchecked")
    }
    guard let finding = result.findings.first(where: \.status.isBad) else { return }
    throw PluginFault(
      "it breaks \(finding.rule) in the check \(finding.check): \(finding.found), expected \(finding.expected)",
      remedy: "correct it (patchbay plugin validate shows all), or install it with --unchecked")
  }

  /// What the host of this configuration has made of it; nothing when there is none.
  private static func tell(_ plugin: FoundPlugin, _ socket: String) -> Int32 {
    guard ControlClient.ask("rescan", at: socket) != nil else {
      Terminal.print("no host runs with this configuration; it is taken with the next start")
      return Command.Exit.success
    }
    for _ in 0..<patienceMilliseconds / Int(pollMilliseconds) {
      guard let report = RunningPlugins(at: socket) else { break }
      if report.phase == "idle" { return verdict(plugin, report) }
      usleep(pollMilliseconds * 1_000)
    }
    Terminal.error("patchbay plugin install: the running host does not say what became of it; see its log")
    return Command.Exit.failure
  }

  private static func verdict(_ plugin: FoundPlugin, _ report: RunningPlugins) -> Int32 {
    if let serving = report.providers.first(where: { $0["sha256"]?.string == plugin.sha256 }) {
      Terminal.print("serving    \(RunningPlugins.line(serving))")
      return Command.Exit.success
    }
    let refusal = report.refusals.first { refusal in
      refusal["path"]?.string == plugin.path
        || plugin.description.providers.contains { $0.id == refusal["provider"]?.string }
    }
    if let refusal {
      Terminal.error("refused    \(RunningPlugins.refusalLine(refusal))")
      return Command.Exit.failure
    }
    let names = plugin.description.providers.map(\.id).joined(separator: ", ")
    Terminal.print("not used   no provider of the running host is configured with it; it offers: \(names)")
    return Command.Exit.success
  }
}

/// What a running host says of its plugins.
struct RunningPlugins {
  let json: JSONValue

  /// nil: no host is there.
  init?(at socket: String) {
    guard let answer = ControlClient.ask("plugins", at: socket), answer.isApplied,
      let json = try? JSONValue(parsing: answer.text)
    else { return nil }
    self.json = json
  }

  var phase: String { json["phase"]?.string ?? "" }
  var providers: [JSONValue] { json["providers"]?.array ?? [] }
  var refusedUpdates: [JSONValue] { json["refused_updates"]?.array ?? [] }
  var refusals: [JSONValue] {
    ["refused_updates", "refused_providers", "refused_files"].flatMap { json[$0]?.array ?? [] }
  }

  static func line(_ provider: JSONValue) -> String {
    let text = { (name: String) in provider[name]?.string ?? "" }
    let number = { (name: String) in provider[name]?.integer ?? 0 }
    return "\(text("id"))  \(text("plugin")) \(text("version"))  generation \(number("generation"))  "
      + "\(text("isolation"))  \(number("open_calls")) calls  \(text("path"))"
  }

  static func refusalLine(_ refusal: JSONValue) -> String {
    let text = { (name: String) in refusal[name]?.string }
    let subject = [text("provider"), text("path")].compactMap { $0 }.joined(separator: "  ")
    return "\(subject): \(text("reason") ?? ""); \(text("remedy") ?? "")"
  }
}
