internal import CLinux
internal import Glibc

/// The process that runs one check: started by `CheckProcess`, it answers over a pipe and ends.
package enum CheckChild {
  /// The hidden subcommand of `patchbay plugin`.
  package static let command = "validate-check"
  static let answerDescriptor: Int32 = 3
  static let crumbsDescriptor: Int32 = 4

  /// What a check may allocate: a plugin that never stops must not take the machine with it.
  private static let memoryBytesLimit: UInt = 1 << 30

  private static func limit(_ resource: __rlimit_resource, to value: UInt) {
    var both = rlimit(rlim_cur: value, rlim_max: value)
    setrlimit(__rlimit_resource_t(resource.rawValue), &both)
  }

  /// Never returns. `arguments` are those of `ValidationRun.childArguments`, behind the subcommand.
  package static func run(_ arguments: [String]) -> Never {
    _ = clinux_prctl(PR_SET_PDEATHSIG, UInt(SIGKILL))
    limit(RLIMIT_CORE, to: 0)
    // A sanitizer maps more than any plugin needs.
    if ChildEnvironment.isPlain { limit(RLIMIT_DATA, to: memoryBytesLimit) }
    guard let (check, context) = parse(arguments), fcntl(answerDescriptor, F_GETFD) >= 0 else {
      // Typed by a person: there is nobody to answer to.
      say("patchbay plugin \(command) is what `patchbay plugin validate` runs; run that\n", to: 2)
      _exit(64)
    }
    for descriptor in [answerDescriptor, crumbsDescriptor] {
      _ = clinux_fcntl_int(descriptor, F_SETFD, FD_CLOEXEC)
    }
    let verdict: Verdict
    do throws(CheckStop) {
      verdict = try check.run(context)
    } catch {
      verdict = error.verdict
    }
    // Without atexit handlers: the plugin's own may not have been what was checked.
    _exit(say(verdict.json, to: answerDescriptor) ? 0 : 70)
  }

  private static func parse(_ arguments: [String]) -> (Check, CheckContext)? {
    guard arguments.count >= 6, let check = CheckCatalogue.all.first(where: { $0.id == arguments[0] }),
      let seed = UInt64(arguments[3])
    else { return nil }
    let context = CheckContext(
      file: arguments[1], copy: arguments[2], seed: seed, settings: arguments[4],
      companions: Array(arguments.dropFirst(6)), recording: arguments[5],
      crumbs: Breadcrumbs(descriptor: crumbsDescriptor))
    return (check, context)
  }

  @discardableResult
  private static func say(_ text: String, to descriptor: Int32) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = write(descriptor, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
      return true
    }
  }
}
