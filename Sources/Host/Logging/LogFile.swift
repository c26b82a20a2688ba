internal import CLinux
internal import Glibc

/// Why the log's file cannot be opened.
package struct LogFileFault: Error, Equatable, CustomStringConvertible {
  package var path: String
  package var reason: String
  package var remedy: String

  package var description: String { "cannot open the log file \(path): \(reason); \(remedy)" }
}

/// A file that lines are appended to, and that somebody else may move away: then it is opened anew under its name.
///
/// The descriptor's number stays the same throughout, so that whoever writes never meets a closed one.
enum LogFile {
  static let mode: mode_t = 0o640

  /// Opens `path` for appending. The caller owns the descriptor.
  static func open(_ path: String) throws(LogFileFault) -> Int32 {
    // Without O_NONBLOCK a pipe that nobody reads would stop the host here.
    let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode)
    guard descriptor >= 0 else { throw fault(path, errno) }
    var information = stat()
    guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw LogFileFault(
        path: path, reason: "it is no regular file", remedy: "name a file, or leave log.file out for standard error")
    }
    return descriptor
  }

  /// Opens `path` anew in place of what `descriptor` leads to. On a fault it leads where it did.
  static func reopen(_ path: String, as descriptor: Int32) throws(LogFileFault) {
    let opened = try open(path)
    defer { close(opened) }
    guard dup3(opened, descriptor, O_CLOEXEC) >= 0 else { throw fault(path, errno) }
  }

  private static func fault(_ path: String, _ code: Int32) -> LogFileFault {
    let remedy =
      switch code {
      case ENOENT, ENOTDIR: "make its directory"
      case EACCES, EPERM, EROFS: "make it and its directory writable for the user that runs the host"
      case EMFILE, ENFILE: "raise the limit of open files"
      case EISDIR: "name a file, or leave log.file out for standard error"
      default: "correct log.file"
      }
    return LogFileFault(path: path, reason: String(cString: strerror(code)), remedy: remedy)
  }
}
