import CLinux
import Glibc
import Testing

@testable import Host

/// A directory of its own, gone with its contents when the test ends.
private final class Folder {
  let path: String

  init() throws {
    var template = Array("/tmp/patchbay-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in ["socket", "other"] { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  var socket: String { "\(path)/socket" }
}

private func unixSocket() throws -> Int32 {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  try #require(descriptor >= 0)
  return descriptor
}

private func mode(_ path: String) -> UInt32? {
  var information = stat()
  return lstat(path, &information) == 0 ? information.st_mode & 0o777 : nil
}

struct UnixSocketFileTests {
  @Test func `a file is made with its mode, whatever the umask, and never with a wider one`() async {
    // In processes of their own: the umask is everyone's.
    await #expect(processExitsWith: .success) {
      umask(0)
      for wanted: UInt32 in [0o600, 0o660, 0o666] {
        let folder = try Folder()
        // What the kernel makes at once, before anything could be mended.
        try UnixSocketFile.make(try unixSocket(), path: folder.socket, mode: wanted)
        #expect(mode(folder.socket) == wanted)
      }
    }
    await #expect(processExitsWith: .success) {
      for mask: UInt32 in [0, 0o022, 0o077, 0o177] {
        umask(mask)
        for wanted: UInt32 in [0o600, 0o660, 0o777] {
          let folder = try Folder()
          _ = try UnixSocketFile(try unixSocket(), path: folder.socket, mode: wanted)
          #expect(mode(folder.socket) == wanted)
        }
      }
    }
  }

  @Test func `what is there is not replaced, unless it is a socket of ours that nobody listens on`() throws {
    let folder = try Folder()
    close(clinux_open(folder.socket, O_CREAT | O_WRONLY, 0o600))
    #expect(throws: UnixSocketFile.Fault.taken("a file that is no socket is there")) {
      try UnixSocketFile(try unixSocket(), path: folder.socket, mode: 0o600)
    }
    unlink(folder.socket)
    symlink("\(folder.path)/other", folder.socket)
    #expect(throws: UnixSocketFile.Fault.taken("a file that is no socket is there")) {
      try UnixSocketFile(try unixSocket(), path: folder.socket, mode: 0o600)
    }
    #expect(mode("\(folder.path)/other") == nil)
    unlink(folder.socket)
    let living = try unixSocket()
    let file = try UnixSocketFile(living, path: folder.socket, mode: 0o600)
    listen(living, 1)
    #expect(throws: UnixSocketFile.Fault.taken("another process listens there")) {
      try UnixSocketFile(try unixSocket(), path: folder.socket, mode: 0o600)
    }
    close(living)
    let next = try UnixSocketFile(try unixSocket(), path: folder.socket, mode: 0o660)
    #expect(mode(folder.socket) == 0o660)
    file.remove()
    #expect(mode(folder.socket) == 0o660, "the old one's owner does not remove the new one")
    next.remove()
    #expect(mode(folder.socket) == nil)
  }

  @Test func `a socket of another user is not replaced`() throws {
    guard geteuid() == 0 else { return }  // Only root can make one.
    let folder = try Folder()
    let left = try unixSocket()
    _ = try UnixSocketFile(left, path: folder.socket, mode: 0o600)
    close(left)
    try #require(chown(folder.socket, 12_345, 12_345) == 0)
    #expect(throws: UnixSocketFile.Fault.taken("a socket of user 12345 is there")) {
      try UnixSocketFile(try unixSocket(), path: folder.socket, mode: 0o600)
    }
  }

  @Test(
    arguments: [
      (0o700, nil), (0o755, nil), (0o1777, nil), (0o777, "can be written by others (mode 0777)"),
      (0o770, "can be written by others (mode 0770)"),
    ] as [(UInt32, String?)])
  func `a directory in which others could replace it is told`(directory: UInt32, expected: String?) throws {
    let folder = try Folder()
    chmod(folder.path, directory)
    #expect(UnixSocketFile.danger(path: folder.socket) == expected.map { "\(folder.path) \($0)" })
  }

  @Test func `a peer's user and process are known`() throws {
    var pair: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
    defer { for descriptor in pair { close(descriptor) } }
    let peer = try #require(SocketAddress(credentialsOf: pair[0]))
    #expect(peer.user == geteuid() && "\(peer)" == "unix, user \(geteuid()), process \(getpid())")
    #expect(SocketAddress.unix.user == nil && "\(SocketAddress.unix)" == "unix")
    #expect(SocketAddress(literal: "127.0.0.1", port: 1)?.user == nil)
  }
}
