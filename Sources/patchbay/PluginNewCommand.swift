import Glibc
import Scaffold

/// `patchbay plugin new`: writes what `Scaffold` decides, all of it or nothing.
enum PluginNewCommand {
  static func run(_ options: Options) throws -> Int32 {
    guard options.positional.count == 2 else { throw UsageError(message: "new needs one NAME") }
    let languages = Scaffold.Language.allCases.map(\.rawValue).joined(separator: " or ")
    guard let word = options["--language"] else { throw UsageError(message: "new needs --language \(languages)") }
    guard let language = Scaffold.Language(rawValue: word) else {
      throw UsageError(message: "there is no language '\(word)' to begin in; expected \(languages)")
    }
    let name = try ScaffoldName(options.positional[1])
    let directory = options["--directory"] ?? name.id
    let scaffold =
      switch language {
      case .c: Scaffold(inC: name)
      case .swift: try Scaffold(inSwift: name, sdk: SDKLocation.find(options["--patchbay"]))
      }
    try NewDirectory.write(scaffold.files, to: directory)
    Terminal.print(
      """
      wrote \(directory): \(scaffold.files.map(\.path).joined(separator: ", "))

      cd \(directory) && make && make test && make validate
      """)
    return Command.Exit.success
  }
}

/// Where the SDK for Swift is: as the user says, or beside this executable.
enum SDKLocation {
  /// The absolute path, which holds no link.
  static func find(_ given: String?) throws(NewPluginError) -> String {
    if let given {
      guard let path = resolved(given), isSDK(path) else {
        throw NewPluginError(
          "there is no Patchbay at \(given): expected Package.swift and Sources/ProviderAPI in it; give --patchbay a "
            + "checkout of Patchbay, or PREFIX/share/patchbay/sdk of an installation")
      }
      return path
    }
    let places = besideExecutable()
    guard let found = places.lazy.compactMap({ resolved($0) }).first(where: isSDK) else {
      throw NewPluginError(
        "Patchbay's SDK for Swift was not found beside this executable (in \(places.first ?? "/")); give --patchbay a "
          + "checkout of Patchbay, or PREFIX/share/patchbay/sdk of an installation")
    }
    return found
  }

  /// PREFIX/share/patchbay/sdk for PREFIX/bin/patchbay, then every folder above: a checkout holds its build.
  private static func besideExecutable() -> [String] {
    guard let executable = resolved("/proc/self/exe") else { return [] }
    var folders: [String] = []
    var parts = executable.split(separator: "/").dropLast()
    while !parts.isEmpty {
      folders.append("/" + parts.joined(separator: "/"))
      parts = parts.dropLast()
    }
    return folders.prefix(1).map { "\($0)/../share/patchbay/sdk" } + folders
  }

  private static func isSDK(_ path: String) -> Bool {
    access("\(path)/Package.swift", R_OK) == 0 && access("\(path)/Sources/ProviderAPI/Provider.swift", R_OK) == 0
  }

  private static func resolved(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }
}

/// A directory that appears whole or not at all: it is written beside its place and moved there.
enum NewDirectory {
  static func write(_ files: [Scaffold.File], to directory: String) throws(NewPluginError) {
    var present = stat()
    guard lstat(directory, &present) != 0 else {
      throw NewPluginError("\(directory) exists already; choose another --directory, or remove it")
    }
    guard errno == ENOENT else { throw NewPluginError(cannot: "create", directory) }
    var path = directory
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    let draft = "\(path).new-\(getpid())"
    var written: [String] = []
    do throws(NewPluginError) {
      for file in files { try write(file, below: draft, &written) }
      // Onto a directory that appeared meanwhile it fails, unless that is empty.
      guard rename(draft, path) == 0 else { throw NewPluginError(cannot: "create", directory) }
    } catch {
      for path in written.reversed() { remove(path) }
      throw error
    }
  }

  /// Appends what it made to `written`, folders before what is in them.
  private static func write(_ file: Scaffold.File, below folder: String, _ written: inout [String])
    throws(NewPluginError)
  {
    var path = folder
    for part in file.path.split(separator: "/") {
      if !written.contains(path) {
        guard mkdir(path, 0o755) == 0 else { throw NewPluginError(cannot: "create", path) }
        written.append(path)
      }
      path += "/\(part)"
    }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw NewPluginError(cannot: "create", path) }
    written.append(path)
    defer { close(descriptor) }
    var rest = Array(file.text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw NewPluginError(cannot: "write", path) }
      rest = rest.dropFirst(count)
    }
  }
}

/// Why nothing was written.
struct NewPluginError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }

  /// By errno.
  init(cannot verb: String, _ path: String) {
    self.init("cannot \(verb) \(path): \(String(cString: strerror(errno)))")
  }
}
