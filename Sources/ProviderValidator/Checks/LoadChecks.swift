internal import CProviderABI
internal import Glibc

/// Mapping the library: constructors run, nothing of ours has been called.
enum LoadChecks {
  static let all = [linked, time, sideEffects, generations]

  static let linked = Check(
    "load-rtld-now", rule: "HOST", category: .load, needs: .plugin,
    proves: "The system links every symbol at once (RTLD_NOW), as the host asks it to."
  ) { context throws(CheckStop) in
    _ = try context.library()
    return .pass()
  }

  private static let slowMilliseconds = 20.0

  static let time = Check(
    "load-time", rule: "PRV-R002", category: .load, needs: .loaded, proves: "Mapping it takes at most 20 ms."
  ) { context throws(CheckStop) in
    let (_, milliseconds) = try MonotonicClock.measure { () throws(CheckStop) in try context.library() }
    return .timed(milliseconds, limit: slowMilliseconds, "dlopen")
  }

  static let sideEffects = Check(
    "load-no-side-effects", rule: "PRV-R012", category: .load, needs: .loaded,
    proves: "Its constructors start nothing, open nothing, print nothing and change nothing of the process."
  ) { context throws(CheckStop) in
    // The system's loader itself opens files, and says so to no one: they are looked for afterwards.
    let watch = try SyscallWatch([.network, .tasks, .output, .place])
    let before = ProcessState.now()
    let calls = try watch.during { () throws(CheckStop) in _ = try context.library() }
    let changes = before.changes(to: .now()) + calls
    return changes.isEmpty
      ? .pass()
      : .fail(expected: "a process as it was before dlopen", found: changes.joined(separator: "; "))
  }

  static let generations = Check(
    "load-two-generations", rule: "HOST", category: .load, needs: .descriptor,
    proves: "Two copies of it live in one process, as when the host replaces it while calls run."
  ) { context throws(CheckStop) in
    let first = try context.library().ask()
    let copy = try CopiedFile(of: context.copy)
    let second = try PluginLibrary(copy.path, context.crumbs).ask()
    guard second.status == PRV_OK, let newer = second.plugin else {
      return .fail(expected: "the second copy answers PRV_OK too", found: second.description)
    }
    guard newer != first.plugin else {
      return .fail(
        expected: "each copy has a descriptor of its own",
        found: "both gave the same one: they share symbols (STB_GNU_UNIQUE, -z global)")
    }
    let old = try context.descriptor().description
    let new = try PluginDescriptor(newer, context.crumbs).description
    return old == new ? .pass() : .fail(expected: "both describe the same", found: "their descriptors differ")
  }
}

extension Verdict {
  /// A pass, or a warning when it took longer than it should.
  static func timed(_ milliseconds: Double, limit: Double, _ what: String) -> Verdict {
    let shown = "\(ValidationReport.seconds(milliseconds)) ms"
    return milliseconds <= limit
      ? .pass(shown) : .warn(expected: "\(what) within \(Int(limit)) ms", found: shown)
  }
}

/// Another file with the same content, beside the first, removed with this object.
private final class CopiedFile {
  let path: String

  init(of file: String) throws(CheckStop) {
    path = "\(file).second.so"
    do throws(ValidationFault) {
      try PluginCopy.write(try PluginCopy.read(file), to: path)
    } catch {
      throw CheckStop(.skip(error.description))
    }
  }

  deinit { unlink(path) }
}
