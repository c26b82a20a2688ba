internal import CLinux
internal import Glibc

/// A private copy of the plugin for one run, in a directory that is gone afterwards. What is looked at does not change
/// while it is looked at, and the author may build anew meanwhile.
final class PluginCopy {
  /// The largest file that is read, as in the host.
  private static let bytesLimit = 256 << 20

  let path: String
  private let directory: String

  init(of content: [UInt8], named file: String) throws(ValidationFault) {
    let parent = getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var template = Array("\(parent)/patchbay-validate-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ValidationFault("make a directory in \(parent)", errno) }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    path = "\(directory)/\(file.split(separator: "/").last ?? "plugin.so")"
    try Self.write(content, to: path)
  }

  deinit {
    unlink(path)
    rmdir(directory)
  }

  /// A new file with `content`, for us alone.
  static func write(_ content: [UInt8], to path: String) throws(ValidationFault) {
    let descriptor = clinux_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw ValidationFault("write \(path)", errno) }
    defer { close(descriptor) }
    var written = 0
    while written < content.count {
      let count = content.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw ValidationFault("write \(path)", errno) }
      written += count
    }
  }

  /// The whole of a regular file.
  static func read(_ path: String) throws(ValidationFault) -> [UInt8] {
    let descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    guard descriptor >= 0 else { throw ValidationFault("read \(path)", errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw ValidationFault("read \(path)", errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw ValidationFault("\(path) is no regular file") }
    guard status.st_size <= bytesLimit else {
      throw ValidationFault("\(path) is \(status.st_size) bytes long, at most \(bytesLimit) are read")
    }
    var content = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < content.count {
      let size = content.count
      let count = content.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + filled, size - filled) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw ValidationFault("\(path) became shorter while it was read") }
      filled += count
    }
    return content
  }
}
