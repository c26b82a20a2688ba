internal import CLinux
internal import Glibc
internal import ProviderContract

/// Puts a plugin into a plugin directory in one step: a host that watches sees the whole file or none.
package enum PluginInstaller {
  private static let pieceBytes = 1 << 16

  /// Copies `file` beside its place, looks at that copy in a child process, and gives it the name. What is wrong is
  /// thrown, and the directory is as it was.
  ///
  /// - Parameters:
  ///   - name: the file's name in the directory.
  ///   - directories: the plugin directories of the host, `directory` among them: of two files with one plugin a host
  ///     takes only the first.
  ///   - prove: looks at the copy more closely before it gets the name.
  package static func install(
    _ file: String, as name: String, in directory: String, of directories: [String],
    prove: (String) throws(PluginFault) -> Void = { _ in }
  ) throws(PluginFault) -> FoundPlugin {
    let target = "\(directory)/\(name)"
    let temporary = "\(directory)/.\(name).\(getpid()).new"
    defer { unlink(temporary) }
    try copy(file, to: temporary)
    var plugin = try PluginInspection.look(at: temporary)
    plugin.path = target
    try requireAlone(plugin, in: directories)
    try prove(temporary)
    guard rename(temporary, target) == 0 else { throw fault("cannot be renamed to \(target)", errno) }
    sync(directory)
    return plugin
  }

  private static func copy(_ file: String, to target: String) throws(PluginFault) {
    let source = clinux_open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    guard source >= 0 else { throw fault("cannot be read", errno) }
    defer { close(source) }
    var status = stat()
    guard fstat(source, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw PluginFault("it is not a regular file", remedy: "name the plugin's file")
    }
    unlink(target)
    let copy = clinux_open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard copy >= 0 else { throw fault("cannot be written to \(target)", errno) }
    defer { close(copy) }
    var piece = [UInt8](repeating: 0, count: pieceBytes)
    while true {
      let count = read(source, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw fault("cannot be read", errno) }
      if count == 0 { break }
      var written = 0
      while written < count {
        let more = piece.withUnsafeBytes { write(copy, $0.baseAddress! + written, count - written) }
        if more < 0 && errno == EINTR { continue }
        guard more > 0 else { throw fault("cannot be written to \(target)", errno) }
        written += more
      }
    }
    guard fchmod(copy, 0o755) == 0, fsync(copy) == 0 else { throw fault("cannot be written to \(target)", errno) }
  }

  private static func requireAlone(_ plugin: FoundPlugin, in directories: [String]) throws(PluginFault) {
    for other in try PluginInspection.scan(directories: directories).found where other.path != plugin.path {
      guard other.description.id == plugin.description.id else { continue }
      throw PluginFault(
        "\(other.path) is the same plugin, \(other.description.id) \(other.description.version)",
        remedy: "install it under that name to replace it, or remove that file first")
    }
  }

  /// The rename survives a loss of power.
  private static func sync(_ directory: String) {
    let descriptor = clinux_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  private static func fault(_ what: String, _ code: Int32) -> PluginFault {
    PluginFault("it \(what): \(systemMessage(code))", remedy: "correct the path, or run as a user who may")
  }
}
