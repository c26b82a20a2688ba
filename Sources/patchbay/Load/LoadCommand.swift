import CLinux
import Glibc
import JSON
import LoadTest

/// `patchbay stress` and `patchbay soak`: real calls to a running host, and whether it passed.
enum LoadCommand {
  static let valued = LoadSettings.optionNames.union(["--url", "--token"])

  static func run(_ tool: LoadSettings.Tool, _ options: Options) throws -> Int32 {
    try options.requireNoPositional()
    let settings: LoadSettings
    do throws(LoadSettingError) {
      settings = try LoadSettings(tool) { options[$0] }
    } catch {
      throw UsageError(message: error.description)
    }
    allowDescriptors(settings.connections)
    do {
      let run = try LoadRun(
        settings: settings, url: options["--url"] ?? ClientDefaults.url,
        token: options["--token"] ?? ClientDefaults.token, progress: ProgressLine())
      let report = try run.run()
      Terminal.print(options.has("--json") ? report.json.text : report.table)
      if let cutShort = report.cutShort { Terminal.error("patchbay \(tool.rawValue): cut short: \(cutShort)") }
      return report.isPassed ? Command.Exit.success : Command.Exit.failure
    } catch let error as ClientError {
      Terminal.error("patchbay \(tool.rawValue): \(error)")
      return error.isUnreachable ? Command.Exit.unreachable : Command.Exit.failure
    }
  }

  /// Raises the soft limit of descriptors if `connections` need it; what is still too few shows as `connect_failed`.
  private static func allowDescriptors(_ connections: Int) {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let needed = rlim_t(connections + 64)
    guard limit.rlim_cur < needed else { return }
    limit.rlim_cur = min(needed, limit.rlim_max)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  static let usage = """
      --url URL          ws://127.0.0.1:8079
      --token TOKEN      the environment's PATCHBAY_TOKEN
      --model MODEL      the host's default model
      --expect WHAT      auto: providers that echo must answer with the prompt, others with any text; prompt; any
      --success PERCENT  95     at least so many calls succeed
      --errors PERCENT   5      fewer end in an error
      --p95 SECONDS      5      the 95th percentile is under this
      --p99 SECONDS      10     the 99th percentile is under this
      --memory PERCENT   5      the host's memory rises less over the last half
      --memory-span S    50     shorter runs are not judged by memory
      --settle SECONDS   5      for the host to give back its permits
      --patience SECONDS 60     a call without an end for so long is an error
      --json             the report as one object

    Exit status 0: every criterion is met; 1: one is not, or the run was cut short; 2: the host cannot be reached.
    """
}
