internal import Glibc

/// What the file says before anything of it runs.
enum ELFChecks {
  static let entry = "prv_plugin_entry_v1"

  static let all = [
    machine, exportsEntry, exportsOnlyEntry, neededResolvable, searchPath, executableStack, textRelocations,
    writableCode, relocationsReadOnly, swiftRuntime, staticTLS,
  ]

  private static func check(
    _ id: String, rule: String = "HOST", needs: Check.Stage = .library, proves: String,
    _ judge: @escaping @Sendable (ELFImage, CheckContext) -> Verdict
  ) -> Check {
    Check(id, rule: rule, category: .elf, needs: needs, proves: proves) { context throws(CheckStop) in
      judge(try context.image(), context)
    }
  }

  static let machine = check(
    "elf-arch", needs: .file, proves: "It is a whole ELF shared library for this machine."
  ) { _, _ in .pass() }

  static let exportsEntry = check(
    "elf-exports-entry", rule: "PRV-R001", proves: "It exports prv_plugin_entry_v1, as a function."
  ) { image, _ in
    if let symbol = image.exports.first(where: { $0.name == entry }) {
      return symbol.isFunction ? .pass() : .fail(expected: "\(entry) is a function", found: "it is data")
    }
    let other = image.exports.first { $0.name.hasPrefix("prv_plugin_entry_v") }
    return .fail(
      expected: "the exported function \(entry)",
      found: other.map { "\($0.name): it speaks another major of the ABI" } ?? "none of that name")
  }

  static let exportsOnlyEntry = check(
    "elf-exports-only-entry", rule: "PRV-R001", proves: "It exports nothing else that could clash with another library."
  ) { image, _ in
    let more = image.exports.map(\.name).filter { !$0.hasPrefix("prv_plugin_entry_v") }
    if more.isEmpty { return .pass() }
    let shown = more.prefix(5).joined(separator: ", ") + (more.count > 5 ? ", …" : "")
    return .fail(
      expected: "only the entry (-fvisibility=hidden, or a linker version script)",
      found: "\(more.count) more: \(shown)")
  }

  static let neededResolvable = check(
    "elf-needed-resolvable", proves: "Every library it needs is on this machine."
  ) { image, context in
    let missing = image.needed.filter { name in !isFound(name, image, beside: context.copy) }
    return missing.isEmpty
      ? .pass(image.needed.joined(separator: " "))
      : .fail(
        expected: "every needed library can be found, from a private copy of the plugin too",
        found: "not found: \(missing.joined(separator: ", "))")
  }

  /// Whether the system's loader finds the library `name` for a plugin at `plugin`.
  private static func isFound(_ name: String, _ image: ELFImage, beside plugin: String) -> Bool {
    let directory = plugin.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
    for path in image.searchPath {
      let path = path.replacing("${ORIGIN}", with: directory).replacing("$ORIGIN", with: directory)
      if access("\(path)/\(name)", R_OK) == 0 { return true }
    }
    return dlopen(name, RTLD_LAZY | RTLD_LOCAL) != nil
  }

  static let searchPath = check(
    "elf-runpath", proves: "It looks for libraries where the system does, or beside itself."
  ) { image, _ in
    let strange = image.searchPath.filter { !$0.hasPrefix("$ORIGIN") && !$0.hasPrefix("${ORIGIN}") }
    return strange.isEmpty
      ? .pass()
      : .warn(
        expected: "no search path of one machine (-Wl,-rpath, -static-stdlib for Swift)",
        found: strange.joined(separator: ":"))
  }

  static let executableStack = check(
    "elf-no-executable-stack", proves: "It does not make the host's stacks executable."
  ) { image, _ in
    guard let stack = image.segments(ELFImage.Segment.stack).first else {
      return .fail(expected: "a PT_GNU_STACK segment without X", found: "none, which means an executable stack")
    }
    return stack.isExecutable
      ? .fail(expected: "a stack that is not executable (-z noexecstack)", found: "PT_GNU_STACK has X") : .pass()
  }

  static let textRelocations = check(
    "elf-no-textrel", proves: "Its code is never written to when it is mapped."
  ) { image, _ in
    image.hasTextRelocations
      ? .fail(expected: "position-independent code (-fPIC)", found: "DT_TEXTREL: it relocates its own code") : .pass()
  }

  static let writableCode = check(
    "elf-no-writable-code", proves: "No memory of it is writable and executable at once."
  ) { image, _ in
    image.segments(ELFImage.Segment.loaded).contains { $0.isWritable && $0.isExecutable }
      ? .fail(expected: "segments that are writable or executable", found: "one that is both") : .pass()
  }

  static let relocationsReadOnly = check(
    "elf-relro", proves: "What the loader relocates becomes read-only afterwards."
  ) { image, _ in
    image.segments(ELFImage.Segment.readOnlyAfterRelocation).isEmpty
      ? .warn(expected: "a PT_GNU_RELRO segment (-z relro)", found: "none") : .pass()
  }

  static let swiftRuntime = check(
    "elf-swift-runtime", proves: "A Swift plugin carries its own runtime, so that it needs nobody's toolchain."
  ) { image, _ in
    let shared = image.needed.filter { $0.hasPrefix("libswift") || $0.hasPrefix("libFoundation") }
    return shared.isEmpty
      ? .pass()
      : .fail(
        expected: "a static Swift runtime (-static-stdlib)", found: "it needs \(shared.joined(separator: ", "))")
  }

  /// glibc keeps some 1,600 bytes for all libraries together.
  private static let staticTLSBytes: UInt64 = 512

  static let staticTLS = check(
    "elf-static-tls-size", proves: "Its static thread-local storage leaves room for other libraries."
  ) { image, _ in
    let bytes = image.segments(ELFImage.Segment.threadLocal).reduce(0) { $0 + $1.memoryBytes }
    return image.usesStaticTLS && bytes > staticTLSBytes
      ? .warn(expected: "at most \(staticTLSBytes) bytes of initial-exec storage", found: "\(bytes) bytes")
      : .pass(bytes == 0 ? "" : "\(bytes) bytes\(image.usesStaticTLS ? ", static" : "")")
  }
}

extension CheckContext {
  /// What the copy says of itself.
  func image() throws(CheckStop) -> ELFImage {
    let content: [UInt8]
    do throws(ValidationFault) {
      content = try PluginCopy.read(copy)
    } catch {
      throw CheckStop(.skip(error.description))
    }
    do throws(ELFImage.Fault) {
      return try ELFImage(content)
    } catch {
      throw CheckStop(.fail(expected: error.expected, found: error.found))
    }
  }
}
