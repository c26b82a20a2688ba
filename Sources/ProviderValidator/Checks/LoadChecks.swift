internal import CProviderABI
internal import Glibc
internal import ProviderContract

/// Mapping the library: constructors run, nothing of ours has been called.
enum LoadChecks {
  static let all = [linked, time, sideEffects, generations, coexistence]

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
    defer { withExtendedLifetime(copy) {} }
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

extension LoadChecks {
  static let coexistence = Check(
    "coexist-with-other-plugins", rule: "HOST", category: .load, needs: .descriptor,
    proves: "It and other plugins live in one process, loaded before and after it, and none claims another's provider."
  ) { context throws(CheckStop) in
    let paths = context.companions
    let before = paths.prefix((paths.count + 1) / 2).compactMap { try? Companion($0, context.crumbs) }
    let own = try context.descriptor()
    let after = paths.dropFirst((paths.count + 1) / 2).compactMap { try? Companion($0, context.crumbs) }
    // One of the same id is an older or newer one of this plugin: the host takes only one of them.
    let others = (before + after).filter { $0.description.id != own.description.id }
    if others.isEmpty { return .skip("there is no other plugin to load; name some with --with") }
    for other in others {
      let taken = other.description.providers.map(\.id)
      for provider in own.description.providers where taken.contains(provider.id) {
        return .fail(
          expected: "a provider id of its own", found: "\"\(provider.id)\" is offered by \(other.description.id) too")
      }
      guard other.describesItselfAgain() else {
        return .fail(expected: "\(other.description.id) goes on as before", found: "it answers something else now")
      }
    }
    return .pass("beside \(others.map(\.description.id).joined(separator: ", "))")
  }

  /// Another plugin; one that cannot be loaded is none.
  private struct Companion {
    let library: PluginLibrary
    let description: PluginDescription

    init(_ path: String, _ crumbs: Breadcrumbs) throws(CheckStop) {
      library = try PluginLibrary(path, crumbs)
      guard let table = library.ask().plugin else { throw CheckStop(.skip("\(path) gives no descriptor")) }
      description = try PluginDescriptor(table, crumbs).description
    }

    func describesItselfAgain() -> Bool {
      guard let table = library.ask().plugin else { return false }
      return (try? DescriptorReader.read(table)) == description
    }
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
