import CLinux
import Glibc

/// What reading a file gave.
package enum ConfigurationFile: Sendable, Equatable {
  case bytes([UInt8])
  case absent
  /// Why it cannot be read: "Permission denied".
  case unreadable(String)

  /// More than a configuration may have, so that one too large is refused with its own message.
  private static let bytesLimit = (1 << 20) + 1

  /// Reads a regular file, at most a byte more than a configuration may have.
  package static func read(_ path: String) -> ConfigurationFile {
    // Without O_NONBLOCK a FIFO of that name would hold the start for ever.
    let descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    guard descriptor >= 0 else {
      return errno == ENOENT || errno == ENOTDIR ? .absent : .unreadable(String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return .unreadable(String(cString: strerror(errno))) }
    guard status.st_mode & S_IFMT == S_IFREG else { return .unreadable("not a regular file") }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < bytesLimit {
      let count = Glibc.read(descriptor, &chunk, min(chunk.count, bytesLimit - bytes.count))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { return .unreadable(String(cString: strerror(errno))) }
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    return .bytes(bytes)
  }
}
