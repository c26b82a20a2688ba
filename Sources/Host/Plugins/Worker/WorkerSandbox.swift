internal import CLinux
internal import Glibc

/// What a worker gives up before it maps a plugin, for good.
///
/// Every step only takes away, so the order matters little but for one thing: all of it comes before the library is
/// opened, whose constructors run then. Thread: the only one of the process.
struct WorkerSandbox {
  /// Address space of a worker; beyond it an allocation fails.
  static let addressSpaceBytes: rlim_t = 2 << 30
  /// Open files of a worker beyond those it begins with.
  static let openFiles: rlim_t = 64
  /// What any shared library may need to be linked and to tell the time; there is nothing of the host's in it.
  static let systemPaths = [
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/dev/null", "/dev/zero", "/dev/urandom",
  ]

  /// What could not be applied, each with its reason: "Landlock (the kernel has none)". Empty: all of it was.
  private(set) var missing: [String] = []

  /// The first part, before anything is read from the host: what needs to know no path.
  ///
  /// - Parameters:
  ///   - parent: the process that started this one; when it is gone already, this one ends.
  ///   - firstForeignDescriptor: from here on descriptors are closed.
  mutating func leaveHost(parent: pid_t, firstForeignDescriptor: Int32) {
    clinux_prctl(Int32(PR_SET_PDEATHSIG), UInt(SIGKILL))
    guard getppid() == parent else { _exit(WorkerExit.orphaned) }
    _ = clinux_close_from(UInt32(firstForeignDescriptor))
    note("descriptors of the host", chdir("/"))
    note("privileges", clinux_prctl(Int32(PR_SET_NO_NEW_PRIVS), 1))
    // Other workers of the same user cannot look into this one.
    note("privacy", clinux_prctl(Int32(PR_SET_DUMPABLE), 0))
    note("capabilities", error: clinux_drop_capabilities())
    limit("core files", RLIMIT_CORE, 0)
    limit("file sizes", RLIMIT_FSIZE, 0)
    limit("open files", RLIMIT_NOFILE, rlim_t(firstForeignDescriptor) + Self.openFiles)
    if Self.isSanitized {
      missing.append(Self.noAddressSpace)
    } else {
      limit("address space", RLIMIT_AS, Self.addressSpaceBytes)
    }
  }

  /// The second part, once the plugin's path is known.
  ///
  /// - Parameter library: the copy of the plugin; its directory may be read, for libraries that stand beside it.
  mutating func close(library: String) {
    let directory = library.utf8.lastIndex(of: 0x2F).map { String(library[..<$0]) } ?? "/"
    let paths = (Self.systemPaths + [directory]).map { strdup($0) }
    defer { for path in paths { free(path) } }
    let readable = paths.map { UnsafePointer($0) }
    let version = clinux_landlock_version()
    if version == 0 {
      missing.append(Self.noLandlock)
    } else {
      note("Landlock", error: clinux_landlock_read_only(readable, UInt32(readable.count)))
      if version < 6 { missing.append(Self.oldLandlock(version)) }
    }
    note("system calls", error: clinux_refuse_system_calls())
  }

  /// What this machine's kernel cannot do for a worker, without making one.
  static func lacksHere() -> [String] {
    let version = clinux_landlock_version()
    let sanitizer = isSanitized ? [noAddressSpace] : []
    if version == 0 { return sanitizer + [noLandlock] }
    return sanitizer + (version < 6 ? [oldLandlock(version)] : [])
  }

  private static let noAddressSpace = "address space (a sanitizer needs it)"

  private static let noLandlock = "Landlock (the kernel has none: files that the host's user can read stay readable)"

  private static func oldLandlock(_ version: Int32) -> String {
    "Landlock's scopes (the kernel's is version \(version))"
  }

  private mutating func note(_ what: String, _ status: Int32) { note(what, error: status == 0 ? 0 : errno) }

  private mutating func note(_ what: String, error: Int32) {
    if error != 0 { missing.append("\(what) (\(systemMessage(error)))") }
  }

  private mutating func limit(_ what: String, _ resource: __rlimit_resource, _ value: rlim_t) {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(resource.rawValue), &limit)
    let wanted = min(value, limit.rlim_max)
    limit = rlimit(rlim_cur: wanted, rlim_max: wanted)
    note(what, setrlimit(__rlimit_resource_t(resource.rawValue), &limit))
  }

  /// A sanitizer maps terabytes, and nothing in them.
  static var isSanitized: Bool {
    let program = dlopen(nil, RTLD_NOW)
    return dlsym(program, "__tsan_init") != nil || dlsym(program, "__asan_init") != nil
  }
}

/// What the host does against its own user's other processes.
package enum HostPrivacy {
  /// From now on only root can read this process's memory, environment and descriptors, or trace it. No core is dumped.
  package static func closeMemory() { clinux_prctl(Int32(PR_SET_DUMPABLE), 0) }
}

/// The exit statuses of a worker that ends itself.
enum WorkerExit {
  static let stopped: Int32 = 0
  /// What it was started with makes no sense: it was not started by a host.
  static let usage: Int32 = 64
  /// The host was gone before the worker could ask to die with it.
  static let orphaned: Int32 = 70
  /// The host sent a frame that breaks the protocol.
  static let protocolBroken: Int32 = 71
}
