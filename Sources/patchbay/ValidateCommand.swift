import Glibc
import JSON
import ProviderValidator

/// `patchbay plugin validate`: holds one plugin against the contract, check by check.
enum ValidateCommand {
  /// Its own reading of the statuses, as test programs have it.
  enum Exit {
    static let good: Int32 = 0
    static let bad: Int32 = 1
    static let usage: Int32 = 2
  }

  static let usage = """
    usage: patchbay plugin validate FILE [OPTIONS]
           patchbay plugin validate --list

      --include IDS      only these checks: ids, globs or categories, separated by commas ("entry-*,services")
      --exclude IDS      all but these
      --seed N           1       what random choices are drawn from
      --settings JSON            what `create` gets; without it what the plugin's schema suggests
      --recording FILE           a recorded chat, when the plugin's upstream does not speak the OpenAI format
      --with FILES               other plugins that must get along with this one, separated by commas; those that
                                 came with this program are always among them
      --jobs N                   checks at once; without it one for each core
      --timeout SECONDS  45      for each check; then it is killed
      --only-failed              leave out what passed
      --json                     the report as JSON instead of a table (docs/validator.md)
      --junit FILE               a JUnit report too
      --list                     print every check and what it proves

    Exit status 0: nothing is broken (warnings and skipped checks are told); 1: a check failed; 2: no check could run.
    """

  private static let valued: Set<String> = [
    "--include", "--exclude", "--seed", "--settings", "--recording", "--with", "--jobs", "--timeout", "--junit",
  ]

  static func run(_ arguments: [String]) -> Int32 {
    do {
      let options = try Options(arguments, valued: valued, flags: ["--json", "--only-failed", "--list"])
      if options.has("--list") { return list() }
      return try report(try ValidationRunner.run(plan(options)), options)
    } catch let error as UsageError {
      Terminal.error("patchbay plugin validate: \(error.message)\n\n\(usage)")
    } catch {
      Terminal.error("patchbay plugin validate: \(error)")
    }
    return Exit.usage
  }

  private static func plan(_ options: Options) throws -> ValidationRun {
    guard options.positional.count == 1 else { throw UsageError(message: "validate needs one FILE") }
    var run = ValidationRun(program: try program(), file: options.positional[0])
    run.selection = CheckSelection(include: list(options["--include"]), exclude: list(options["--exclude"]))
    if let pattern = run.selection.strangers(to: CheckCatalogue.all).first {
      throw UsageError(message: "no check is named '\(pattern)'; --list shows them all")
    }
    if let text = options["--seed"] {
      guard let seed = UInt64(text) else { throw UsageError(message: "--seed is a whole number, got '\(text)'") }
      run.seed = seed
    }
    run.settings = options["--settings"] ?? ""
    run.recording = options["--recording"] ?? ""
    if !run.recording.isEmpty { try ChatRecording.check(run.recording) }
    if !run.settings.isEmpty, (try? JSONValue(parsing: run.settings))?.members == nil {
      throw UsageError(message: "--settings is a JSON object, got '\(run.settings)'")
    }
    run.companions = list(options["--with"]) + shippedPlugins(beside: run.program)
    run.jobs = cores
    if let text = options["--jobs"] {
      guard let jobs = Int(text), (1...ValidationRun.jobsLimit).contains(jobs) else {
        throw UsageError(message: "--jobs is 1 to \(ValidationRun.jobsLimit), got '\(text)'")
      }
      run.jobs = jobs
    }
    if let text = options["--timeout"] {
      guard let seconds = Double(text), ValidationRun.limitSeconds.contains(seconds) else {
        throw UsageError(message: "--timeout is \(ValidationRun.limitSeconds) seconds, got '\(text)'")
      }
      run.limitNanoseconds = UInt64(seconds * 1e9)
    }
    return run
  }

  static var cores: Int { max(1, min(ValidationRun.jobsLimit, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  private static func report(_ result: ValidationResult, _ options: Options) throws -> Int32 {
    if let path = options["--junit"] { try write(ValidationReport.junit(result), to: path) }
    Terminal.print(
      options.has("--json")
        ? ValidationReport.json(result) : ValidationReport.text(result, onlyFailed: options.has("--only-failed")))
    return result.isBad ? Exit.bad : Exit.good
  }

  private static func list() -> Int32 {
    for check in CheckCatalogue.all {
      Terminal.print("\(padded(check.id, 32)) \(padded(check.rule, 9)) \(check.proves)")
    }
    return Exit.good
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func list(_ text: String?) -> [String] {
    (text ?? "").split(separator: ",").map(String.init)
  }

  /// The plugins that came with this program: beside it after a build, below ../lib when it is installed.
  private static func shippedPlugins(beside program: String) -> [String] {
    let directory = program.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
    return ["\(directory)/plugins", "\(directory)/../lib/patchbay/plugins"].flatMap { directory -> [String] in
      guard let stream = opendir(directory) else { return [] }
      defer { closedir(stream) }
      var paths: [String] = []
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name.hasSuffix(".so") && !name.hasPrefix(".") { paths.append("\(directory)/\(name)") }
      }
      return paths.sorted()
    }
  }

  /// This program, to be started again for each check.
  /// The file of this program.
  static func program() throws -> String {
    guard let path = realpath("/proc/self/exe", nil) else {
      throw ValidationFault("cannot find this program: \(String(cString: strerror(errno)))")
    }
    defer { free(path) }
    return String(cString: path)
  }

  private static func write(_ text: String, to path: String) throws {
    guard let stream = fopen(path, "w") else {
      throw ValidationFault("cannot write \(path): \(String(cString: strerror(errno)))")
    }
    let written = fputs(text, stream)
    guard fclose(stream) == 0, written >= 0 else { throw ValidationFault("cannot write \(path)") }
  }
}
