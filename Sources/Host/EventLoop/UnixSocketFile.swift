import CLinux
import Glibc

/// The file of a unix socket that we listen on: made with its mode, in nobody's place but that of a socket which its
/// process has left over, and removed only while it is still the one that was made.
///
/// Thread: its owner's.
final class UnixSocketFile {
  /// Why there is none.
  enum Fault: Error, Equatable {
    case failed(call: String, code: Int32)
    /// Something is at the path that is not replaced.
    case taken(String)
  }

  private let path: String
  /// Leads to the file itself, and keeps its number from being given to another.
  private let file: Int32

  /// Binds `descriptor`, an AF_UNIX socket, to `path`.
  ///
  /// The file never has a wider mode than `mode`, not even for a moment: the kernel makes it with the mode that the
  /// descriptor has, less the umask, and what the umask took is given afterwards.
  init(_ descriptor: Int32, path: String, mode: UInt32) throws(Fault) {
    try Self.make(descriptor, path: path, mode: mode)
    // From here on through the file itself, not its path: what is there by now may be somebody else's link.
    let file = clinux_open(path, Self.pathOnly | O_NOFOLLOW | O_CLOEXEC, 0)
    guard file >= 0 else { throw .failed(call: "open", code: errno) }
    self.path = path
    self.file = file
    guard let information = Self.information(of: file) else { throw .failed(call: "fstat", code: errno) }
    guard information.st_mode & S_IFMT == S_IFSOCK else { throw .taken("it was replaced while it was made") }
    if information.st_mode & 0o777 != mode, chmod("/proc/self/fd/\(file)", mode) != 0 {
      throw .failed(call: "chmod", code: errno)
    }
  }

  deinit { close(file) }

  /// Makes the file with `mode` less the umask.
  static func make(_ descriptor: Int32, path: String, mode: UInt32) throws(Fault) {
    guard var address = UnixAddress(path) else { throw .failed(call: "bind", code: ENAMETOOLONG) }
    guard fchmod(descriptor, mode) == 0 else { throw .failed(call: "fchmod", code: errno) }
    if address.bind(descriptor) { return }
    guard errno == EADDRINUSE else { throw .failed(call: "bind", code: errno) }
    try replaceLeftOver(path) { address.bind(descriptor) }
  }

  private static func information(of file: Int32) -> stat? {
    var information = stat()
    return fstat(file, &information) == 0 ? information : nil
  }

  /// O_PATH, which Glibc's module lacks.
  private static let pathOnly: Int32 = 0o10_000_000

  /// Removes the file, unless another has taken its place.
  func remove() {
    var there = stat()
    guard let ours = Self.information(of: file), lstat(path, &there) == 0, there.st_dev == ours.st_dev,
      there.st_ino == ours.st_ino
    else { return }
    unlink(path)
  }

  // MARK: - What is there already

  private static let lockMilliseconds = 1_000

  /// Under a lock on the directory: two hosts that find the same left-over file would otherwise remove each other's.
  private static func replaceLeftOver(_ path: String, _ bind: () -> Bool) throws(Fault) {
    let directory = clinux_open(directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard directory >= 0 else { throw .failed(call: "open", code: errno) }
    defer { close(directory) }
    var waited = 0
    while flock(directory, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR, waited < lockMilliseconds else {
        throw .failed(call: "flock", code: errno)
      }
      usleep(10_000)
      waited += 10
    }
    if bind() { return }
    if let owner = inUse(path) { throw .taken(owner) }
    unlink(path)
    guard bind() else { throw .failed(call: "bind", code: errno) }
  }

  /// nil: a socket of ours that nobody listens on.
  private static func inUse(_ path: String) -> String? {
    var information = stat()
    guard lstat(path, &information) == 0 else { return nil }
    guard information.st_mode & S_IFMT == S_IFSOCK else { return "a file that is no socket is there" }
    guard information.st_uid == geteuid() else { return "a socket of user \(information.st_uid) is there" }
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0, var address = UnixAddress(path) else { return "it cannot be looked at" }
    defer { close(probe) }
    // A living one takes us, or has its backlog full.
    return !address.connect(probe) && errno == ECONNREFUSED ? nil : "another process listens there"
  }

  // MARK: - Its directory

  private static func directory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Who could put a socket of their own in this one's place, so that clients talk to them; nil: nobody but us and root.
  static func danger(path: String) -> String? {
    let directory = directory(of: path)
    var information = stat()
    guard stat(directory, &information) == 0 else { return nil }
    if information.st_uid != geteuid(), information.st_uid != 0 {
      return "\(directory) belongs to user \(information.st_uid)"
    }
    guard information.st_mode & 0o022 != 0, information.st_mode & S_ISVTX == 0 else { return nil }
    return "\(directory) can be written by others (mode 0\(String(information.st_mode & 0o777, radix: 8)))"
  }
}
