import CLinux
import Decisions
import Glibc

/// `control.sock` in the state directory: commands of the operator, from the host's own user or root only.
///
/// One line asks, the answer is `ok` or `error` and lines for a person; then the connection ends. Thread: the control
/// thread's.
package final class ControlSocket {
  package enum Command: String, CaseIterable {
    case reload
    /// Looks at the plugin files anew.
    case rescan
    /// What serves, as one line of JSON.
    case plugins
  }

  /// For a peer to send its line, and to take the answer.
  private static let patienceMilliseconds: Int32 = 1_000
  private static let lineBytes = 256

  let descriptor: Int32
  private let path: String

  package static func path(in stateDirectory: String) -> String { "\(stateDirectory)/control.sock" }

  /// Listens, in place of whatever a host left there that is gone.
  init(path: String) throws(HostError) {
    self.path = path
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Self.error(path, "socket") }
    guard var address = UnixAddress(path) else {
      Glibc.close(descriptor)
      throw HostError(description: "\(path) is longer than the 107 bytes that a socket's path may have")
    }
    if address.isAnswered() {
      Glibc.close(descriptor)
      throw HostError(description: "another host listens at \(path); give each its own state_directory")
    }
    unlink(path)
    let mask = umask(0o177)
    let isBound = address.bind(descriptor)
    umask(mask)
    guard isBound, listen(descriptor, 8) == 0 else {
      let error = Self.error(path, "bind")
      Glibc.close(descriptor)
      throw error
    }
  }

  private static func error(_ path: String, _ call: String) -> HostError {
    HostError(description: "\(path): \(call): \(String(cString: strerror(errno)))")
  }

  func close() {
    Glibc.close(descriptor)
    unlink(path)
  }

  /// Serves one peer that waits.
  func answer(_ perform: (Command) -> ReloadReport) {
    let peer = accept4(descriptor, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
    guard peer >= 0 else { return }
    defer { Glibc.close(peer) }
    guard isTrusted(peer) else { return say(peer, false, ["only the host's own user and root may ask"]) }
    guard let line = readLine(peer) else { return say(peer, false, ["no command came within a second"]) }
    guard let command = Command(rawValue: line) else {
      let known = Command.allCases.map(\.rawValue).joined(separator: ", ")
      return say(peer, false, ["there is no command \(line.debugDescription); known: \(known)"])
    }
    let report = perform(command)
    say(peer, report.isApplied, report.lines)
  }

  private func isTrusted(_ peer: Int32) -> Bool {
    var who = (pid: pid_t(0), uid: uid_t(0), gid: gid_t(0))
    var length = socklen_t(MemoryLayout.size(ofValue: who))
    guard getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 else { return false }
    return who.uid == geteuid() || who.uid == 0
  }

  private func readLine(_ peer: Int32) -> String? {
    var bytes: [UInt8] = []
    while bytes.count < Self.lineBytes {
      var ready = pollfd(fd: peer, events: Int16(POLLIN), revents: 0)
      guard poll(&ready, 1, Self.patienceMilliseconds) > 0 else { return nil }
      var byte: UInt8 = 0
      guard recv(peer, &byte, 1, 0) == 1 else { return nil }
      if byte == 0x0A { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
    return nil
  }

  private func say(_ peer: Int32, _ isApplied: Bool, _ lines: [String]) {
    var patience = timeval(tv_sec: Int(Self.patienceMilliseconds / 1_000), tv_usec: 0)
    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let text = ([isApplied ? "ok" : "error"] + lines).joined(separator: "\n") + "\n"
    Array(text.utf8).withUnsafeBytes { bytes in
      var rest = bytes
      while !rest.isEmpty {
        let count = send(peer, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
        guard count > 0 else { return }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }
}

/// The address of a unix socket, as the kernel takes it.
package struct UnixAddress {
  private var address = sockaddr_un()

  /// nil: the path does not fit.
  package init?(_ path: String) {
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
  }

  mutating func bind(_ descriptor: Int32) -> Bool { withPointer { Glibc.bind(descriptor, $0, $1) == 0 } }

  package mutating func connect(_ descriptor: Int32) -> Bool { withPointer { Glibc.connect(descriptor, $0, $1) == 0 } }

  /// Whether somebody listens there.
  mutating func isAnswered() -> Bool {
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return false }
    defer { close(probe) }
    return connect(probe)
  }

  private mutating func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}

extension Host {
  /// A host without one runs all the same, and says so.
  func openControlSocket() -> ControlSocket? {
    mkdir(configuration.stateDirectory, 0o700)  // Usually there; what is wrong with it is told by whoever needs it.
    do {
      return try ControlSocket(path: ControlSocket.path(in: configuration.stateDirectory))
    } catch {
      log.warning("No control socket: `patchbay reload` cannot reach this host", ("reason", error.description))
      return nil
    }
  }
}
