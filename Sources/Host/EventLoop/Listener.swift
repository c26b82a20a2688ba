import CLinux
import Decisions
import Glibc

/// A connection that was just accepted; closed when nobody takes its descriptor.
package struct AcceptedSocket: ~Copyable {
  /// Non-blocking and close-on-exec. It belongs to this value until `take`.
  package let fd: Int32
  package let peer: SocketAddress

  /// The descriptor; from now on the caller closes it.
  package consuming func take() -> Int32 {
    let fd = self.fd
    discard self
    return fd
  }

  deinit { close(fd) }
}

/// Why an address cannot be listened on.
package struct ListenerError: Error, CustomStringConvertible {
  package var address: BindAddress
  package var call: String
  package var code: Int32
  /// What more is known.
  package var reason: String?

  package var description: String {
    let advice =
      switch code {
      case EADDRINUSE where reason != nil: "; \(reason ?? ""): stop it, remove it, or choose another path"
      case EADDRINUSE: "; another process listens there: stop it, or choose another address"
      case EACCES: "; ports below 1024 and foreign directories need permission"
      case EADDRNOTAVAIL: "; this machine does not have that address"
      default: ""
      }
    return "cannot listen on \(address): \(call): \(String(cString: strerror(code)))\(advice)"
  }
}

/// Accepts the connections to one address.
///
/// Without free descriptors it still answers: it gives a spare one up to accept and close whoever waits, instead of
/// spinning on a readiness it cannot serve. Thread: its loop's, or any before the loop runs.
package final class Listener: DescriptorHandler, TimerTarget {
  private enum State {
    case open(DescriptorToken)
    /// Accepting failed for want of something that time may bring back.
    case resting(DescriptorToken, TimerID)
    case closed
  }

  /// Connections accepted before others on the loop have their turn.
  private static let acceptsPerTurn = 4
  private static let restMilliseconds: UInt64 = 100
  static let backlog: Int32 = 1_024

  /// Where it listens: port 0 has become the port that the kernel chose.
  package let boundAddress: BindAddress

  private let loop: EventLoop
  private let log: Log?
  private let accept: (consuming AcceptedSocket) -> Void
  private let descriptor: Int32
  private let file: UnixSocketFile?
  private var state = State.closed
  private var spare: Int32
  private var throttle = LogThrottle()

  /// - Parameter mode: of a unix socket's file: who may write to it may connect.
  package init(
    address: BindAddress, mode: UInt32 = 0o600, loop: EventLoop, log: Log? = nil,
    accept: @escaping (consuming AcceptedSocket) -> Void
  ) throws(ListenerError) {
    let made = try Self.listen(address, mode: mode)
    (descriptor, boundAddress, file) = (made.descriptor, made.bound, made.file)
    self.loop = loop
    self.log = log
    self.accept = accept
    spare = Self.openSpare()
    do {
      state = .open(try loop.add(descriptor, .read, handler: self))
    } catch {
      Glibc.close(descriptor)
      if spare >= 0 { Glibc.close(spare) }
      file?.remove()
      throw ListenerError(address: address, call: error.call, code: error.code)
    }
    if case .unix(let path) = address.place, let danger = UnixSocketFile.danger(path: path) {
      log?.warning(
        "Others could replace the socket that clients connect to", ("address", "\(address)"), ("reason", danger))
    }
  }

  deinit {
    guard case .closed = state else { preconditionFailure("a listener on \(boundAddress) was dropped without close") }
  }

  /// Listens no longer; what was accepted stays.
  package func close() {
    switch state {
    case .open(let token):
      loop.remove(token)
    case .resting(let token, let timer):
      loop.remove(token)
      _ = loop.cancel(timer)
    case .closed:
      return
    }
    state = .closed
    Glibc.close(descriptor)
    if spare >= 0 { Glibc.close(spare) }
    file?.remove()
  }

  package func descriptorReady(_ ready: DescriptorInterest) {
    for _ in 0..<Self.acceptsPerTurn {
      guard case .open(let token) = state, acceptOne(token) else { return }
    }
  }

  package func timerFired(_ tag: UInt32) {
    guard case .resting(let token, _) = state else { return }
    state = .open(token)
    loop.modify(token, .read)
  }

  /// false: nobody else waits, or none can be taken now.
  private func acceptOne(_ token: DescriptorToken) -> Bool {
    var storage = sockaddr_storage()
    let accepted = acceptDescriptor(&storage)
    if accepted >= 0 {
      var peer = SocketAddress(storage)
      if peer.family == .unix, let known = SocketAddress(credentialsOf: accepted) { peer = known }
      if peer.family != .unix { Self.prepare(accepted) }
      accept(AcceptedSocket(fd: accepted, peer: peer))
      return true
    }
    switch errno {
    case EAGAIN:
      return false
    case EMFILE, ENFILE:
      return turnAway(token, code: errno)
    case ENOBUFS, ENOMEM:
      warn("Cannot accept connections", code: errno)
      rest(token)
      return false
    default:
      // The connection broke before it was accepted (accept(2) lists a dozen such errors): the next one may be whole.
      return true
    }
  }

  private func acceptDescriptor(_ storage: inout sockaddr_storage) -> Int32 {
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { accept4(descriptor, $0, &length, flags) }
    }
  }

  /// No descriptor is free: accepts with the spare one and closes, so that the peer learns at once.
  private func turnAway(_ token: DescriptorToken, code: Int32) -> Bool {
    warn("Turned a connection away: no descriptor is free", code: code)
    guard spare >= 0 else {
      rest(token)
      return false
    }
    Glibc.close(spare)
    var storage = sockaddr_storage()
    let accepted = acceptDescriptor(&storage)
    if accepted >= 0 { Glibc.close(accepted) }
    spare = Self.openSpare()
    return accepted >= 0
  }

  private func rest(_ token: DescriptorToken) {
    if spare < 0 { spare = Self.openSpare() }
    loop.modify(token, [])
    state = .resting(token, loop.schedule(at: loop.now.advanced(milliseconds: Self.restMilliseconds), self, tag: 0))
  }

  /// Once a second at most; each line says how many came before it unsaid.
  private func warn(_ message: String, code: Int32) {
    guard let unreported = throttle.admit(now: loop.now) else { return }
    log?.warning(
      message, ("address", "\(boundAddress)"), ("reason", String(cString: strerror(code))),
      ("unreported_total", "\(unreported)"))
  }

  private static func openSpare() -> Int32 { clinux_open("/dev/null", O_RDONLY | O_CLOEXEC, 0) }

  /// What a socket takes that the network does not: a client which reads nothing would make the kernel keep megabytes
  /// (tcp(7), TCP_NOTSENT_LOWAT). The rest waits in the connection's own buffer, where it is counted.
  private static let unsentBytes: Int32 = 16 << 10

  private static func prepare(_ descriptor: Int32) {
    var on: Int32 = 1
    var unsent = unsentBytes
    // Cannot fail on a TCP socket; on one that is already reset the first read will say so.
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, &unsent, socklen_t(MemoryLayout<Int32>.size))
  }
}
