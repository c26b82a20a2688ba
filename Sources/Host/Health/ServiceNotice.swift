import CLinux
import Decisions
import Glibc
import Synchronization

/// Tells systemd, or whoever else started the host so, how it is: sd_notify(3), datagrams to `$NOTIFY_SOCKET`.
///
/// What the socket does not take at once is kept, in order, and tried again with `flush`; nothing waits for it. Thread:
/// any; the mutex guards what waits, and is held while a datagram that cannot block is sent.
final class ServiceNotice: Sendable {
  /// Notices that may wait; a supervisor that takes none for so long is not there.
  static let queueLimit = 32

  private struct Queue {
    var texts: [String] = []
    var status = ""
  }

  private let descriptor: Int32
  private let address: Address
  private let queue = Mutex(Queue())
  /// nil: no sign of life is asked for.
  let watchdogNanoseconds: UInt64?

  /// nil: nobody wants to hear. A path, or an abstract name behind an `@`; anything else is no address of ours.
  init?(environment: (String) -> String?, pid: Int32 = getpid()) {
    guard let address = environment("NOTIFY_SOCKET").flatMap({ Address($0) }) else { return nil }
    self.address = address
    watchdogNanoseconds = Self.watchdog(environment, pid: pid)
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { return nil }
  }

  deinit { close(descriptor) }

  /// sd_watchdog_enabled(3): microseconds, meant for this process or for nobody in particular.
  private static func watchdog(_ environment: (String) -> String?, pid: Int32) -> UInt64? {
    guard let microseconds = environment("WATCHDOG_USEC").flatMap({ UInt64($0) }), microseconds > 0,
      microseconds < .max / 1000
    else { return nil }
    if let owner = environment("WATCHDOG_PID"), Int32(owner) != pid { return nil }
    return microseconds * 1000
  }

  // MARK: - What is told

  func ready() { send("READY=1") }
  func stopping() { send("STOPPING=1") }
  func watchdog() { send("WATCHDOG=1", isKept: false) }

  /// A reload begins; `ready` ends it. `now` is CLOCK_MONOTONIC's, as the host's instants are.
  func reloading(now: Instant) { send("RELOADING=1\nMONOTONIC_USEC=\(now.nanoseconds / 1000)") }

  /// One line for people; told when it is another than before.
  func status(_ text: String) {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    let isNew = queue.withLock { queue in
      defer { queue.status = line }
      return queue.status != line
    }
    if isNew { send("STATUS=\(line)") }
  }

  /// Tries what was not taken.
  func flush() { queue.withLock { sendAll(&$0) } }

  private func send(_ text: String, isKept: Bool = true) {
    queue.withLock { queue in
      // A sign of life that is late is a lie.
      if !isKept, !queue.texts.isEmpty { return }
      if queue.texts.count >= Self.queueLimit { queue.texts.removeFirst() }
      queue.texts.append(text)
      sendAll(&queue)
      if !isKept { queue.texts = [] }
    }
  }

  private func sendAll(_ queue: inout Queue) {
    while let text = queue.texts.first {
      let sent = text.utf8CString.withUnsafeBytes { bytes in
        address.send(UnsafeRawBufferPointer(rebasing: bytes.dropLast()), from: descriptor)
      }
      // It may come back: a supervisor that is executed anew binds its socket again.
      if !sent, [EAGAIN, EINTR, ENOBUFS, ENOENT, ECONNREFUSED].contains(errno) { return }
      queue.texts.removeFirst()
    }
  }

  /// A unix socket by its path or abstract name.
  private struct Address: Sendable {
    private var storage = sockaddr_un()
    private var length: socklen_t

    /// nil: neither a path nor an abstract name, or too long (unix(7)).
    init?(_ text: String) {
      var bytes = Array(text.utf8)
      let isAbstract = bytes.first == UInt8(ascii: "@")
      guard isAbstract || bytes.first == UInt8(ascii: "/"), bytes.count > 1,
        bytes.count < MemoryLayout.size(ofValue: storage.sun_path)
      else { return nil }
      if isAbstract { bytes[0] = 0 } else { bytes.append(0) }
      storage.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &storage.sun_path) { $0.copyBytes(from: bytes) }
      // Of an abstract name every byte counts, so that the length ends it.
      length = socklen_t(MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: storage.sun_path) + bytes.count)
    }

    func send(_ bytes: UnsafeRawBufferPointer, from descriptor: Int32) -> Bool {
      withUnsafePointer(to: storage) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          sendto(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), address, length) >= 0
        }
      }
    }
  }
}
