import CLinux
import Decisions
import Glibc

/// `control.sock` in the state directory: commands of the operator, from the host's own user or root only.
///
/// What is asked and answered is `ControlExchange`'s to decide. A peer that says nothing, or takes nothing, holds one of
/// eight places for a second and holds up nobody else: nothing here waits. Thread: the control thread's.
package final class ControlSocket {
  package enum Command: Equatable, Sendable {
    case reload
    /// Looks at the plugin files anew.
    case rescan
    /// What serves, as one line of JSON.
    case plugins
    /// Opens the log's file anew.
    case reopenLog
    case logLevel(LogLevel)

    /// Why a line is no command.
    struct Unknown: Error, Equatable {
      var reason: String
    }

    private static let plain: [(word: String, command: Command)] = [
      ("reload", .reload), ("rescan", .rescan), ("plugins", .plugins), ("reopen-log", .reopenLog),
    ]
    private static let level = "log-level"

    init(_ line: String) throws(Unknown) {
      if let known = Self.plain.first(where: { $0.word == line }) {
        self = known.command
        return
      }
      let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      guard words.count == 2, words[0] == Self.level else {
        let known = Self.plain.map(\.word) + ["\(Self.level) LEVEL"]
        throw Unknown(
          reason: "there is no command \(line.debugDescription); known: \(known.joined(separator: ", "))")
      }
      guard let level = LogLevel(named: words[1]) else {
        throw Unknown(
          reason: "there is no log level \(words[1].debugDescription); known: \(LogLevel.names.joined(separator: ", "))"
        )
      }
      self = .logLevel(level)
    }
  }

  private struct Peer {
    var descriptor: Int32
    var exchange: ControlExchange
    /// What it has not taken yet of its answer.
    var answer: [UInt8] = []
  }

  /// At once; whoever comes then waits to be accepted.
  static let peersLimit = 8

  /// Becomes readable when somebody is to be served: an epoll over the listener and the peers.
  let descriptor: Int32
  private let listener: Int32
  private let file: UnixSocketFile
  private let log: Log
  private var throttle = LogThrottle()
  private var peers: [Peer] = []
  private var isFull = false

  package static func path(in stateDirectory: String) -> String { "\(stateDirectory)/control.sock" }

  /// Listens, in place of whatever a host left there that is gone.
  init(path: String, log: Log) throws(HostError) {
    self.log = log
    let listener = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard listener >= 0 else { throw Self.error(path, "socket", errno) }
    self.listener = listener
    do throws(UnixSocketFile.Fault) {
      file = try UnixSocketFile(listener, path: path, mode: 0o600)
    } catch {
      Glibc.close(listener)
      switch error {
      case .failed(_, ENAMETOOLONG):
        throw HostError(description: "\(path) is longer than the 107 bytes that a socket's path may have")
      case .failed(let call, let code): throw Self.error(path, call, code)
      case .taken(let reason):
        throw HostError(description: "\(path): \(reason); give each host its own state_directory")
      }
    }
    descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard descriptor >= 0, listen(listener, 8) == 0 else {
      let error = Self.error(path, descriptor < 0 ? "epoll_create1" : "listen", errno)
      if descriptor >= 0 { Glibc.close(descriptor) }
      Glibc.close(listener)
      file.remove()
      throw error
    }
    watch(listener, EPOLLIN, EPOLL_CTL_ADD)
  }

  private static func error(_ path: String, _ call: String, _ code: Int32) -> HostError {
    HostError(description: "\(path): \(call): \(String(cString: strerror(code)))")
  }

  func close() {
    for peer in peers { Glibc.close(peer.descriptor) }
    peers = []
    Glibc.close(listener)
    Glibc.close(descriptor)
    file.remove()
  }

  /// When `expire` has something to do.
  var deadline: Instant { peers.map(\.exchange.deadline).min() ?? .never }

  // MARK: - Serving

  /// Serves whoever is ready to be.
  func answer(now: Instant, _ perform: (Command) -> ReloadReport) {
    var events = [epoll_event](repeating: epoll_event(), count: Self.peersLimit + 1)
    let count = epoll_wait(descriptor, &events, Int32(events.count), 0)
    for event in events.prefix(Int(max(0, count))) {
      let ready = Int32(truncatingIfNeeded: event.data.u64)
      if ready == listener {
        acceptPeers(now: now)
      } else if let index = peers.firstIndex(where: { $0.descriptor == ready }) {
        if peers[index].answer.isEmpty { read(ready, index, perform) } else { send(ready) }
      }
    }
  }

  /// Ends what has taken too long.
  func expire(now: Instant) {
    for peer in peers where peer.exchange.deadline <= now {
      guard let index = peers.firstIndex(where: { $0.descriptor == peer.descriptor }) else { continue }
      let action = peers[index].exchange.due(now: now)
      if case .refuse(let reason) = action { say(peer.descriptor, false, [reason]) }
      if action == .end { end(peer.descriptor) }
    }
  }

  private func acceptPeers(now: Instant) {
    while peers.count < Self.peersLimit {
      let peer = accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
      guard peer >= 0 else { return }
      peers.append(Peer(descriptor: peer, exchange: ControlExchange(now: now)))
      watch(peer, EPOLLIN, EPOLL_CTL_ADD)
      let who = SocketAddress(credentialsOf: peer)
      guard let user = who?.user, user == geteuid() || user == 0 else {
        warn("Refused a command", now, ("reason", "another user"), ("peer", who.map { "\($0)" } ?? "unix"))
        say(peer, false, ["only the host's own user and root may ask"])
        continue
      }
    }
    setFull(peers.count >= Self.peersLimit)
  }

  private func read(_ peer: Int32, _ index: Int, _ perform: (Command) -> ReloadReport) {
    var bytes = [UInt8](repeating: 0, count: max(1, peers[index].exchange.room))
    let count = recv(peer, &bytes, bytes.count, 0)
    let action: ControlExchange.Action
    if count > 0 {
      action = peers[index].exchange.received(bytes[..<count])
    } else if count == 0 {
      action = peers[index].exchange.ended()
    } else if errno == EAGAIN || errno == EINTR {
      return
    } else {
      action = .end
    }
    switch action {
    case .wait: break
    case .end: end(peer)
    case .refuse(let reason): say(peer, false, [reason])
    case .perform(let command):
      let report = perform(command)
      say(peer, report.isApplied, report.lines)
    }
  }

  private func say(_ peer: Int32, _ isApplied: Bool, _ lines: [String]) {
    guard let index = peers.firstIndex(where: { $0.descriptor == peer }) else { return }
    peers[index].answer = ControlExchange.answer(isApplied, lines)
    peers[index].exchange.answering(now: .now())
    send(peer)
  }

  /// As much as the peer takes; the rest when it takes more.
  private func send(_ peer: Int32) {
    guard let index = peers.firstIndex(where: { $0.descriptor == peer }) else { return }
    let count = peers[index].answer.withUnsafeBytes { Glibc.send(peer, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    if count > 0 { peers[index].answer.removeFirst(count) }
    if peers[index].answer.isEmpty || (count < 0 && errno != EAGAIN && errno != EINTR) { return end(peer) }
    watch(peer, EPOLLOUT, EPOLL_CTL_MOD)
  }

  private func end(_ peer: Int32) {
    peers.removeAll { $0.descriptor == peer }
    Glibc.close(peer)
    setFull(false)
  }

  /// While no place is free the listener is not looked at: it would be ready all the time.
  private func setFull(_ full: Bool) {
    guard full != isFull else { return }
    isFull = full
    watch(listener, full ? EPOLL_EVENTS(rawValue: 0) : EPOLLIN, EPOLL_CTL_MOD)
  }

  private func watch(_ watched: Int32, _ events: EPOLL_EVENTS, _ operation: Int32) {
    var event = epoll_event(events: events.rawValue, data: epoll_data_t(u64: UInt64(UInt32(bitPattern: watched))))
    epoll_ctl(descriptor, operation, watched, &event)
  }

  private func warn(_ message: String, _ now: Instant, _ fields: LogField...) {
    guard let unreported = throttle.admit(now: now) else { return }
    log.write(.warning, message, fields + [("unreported_total", "\(unreported)")])
  }
}

extension Host {
  /// A host without one runs all the same, and says so.
  func openControlSocket() -> ControlSocket? {
    mkdir(configuration.stateDirectory, 0o700)  // Usually there; what is wrong with it is told by whoever needs it.
    do {
      return try ControlSocket(path: ControlSocket.path(in: configuration.stateDirectory), log: log)
    } catch {
      log.warning("No control socket: `patchbay reload` cannot reach this host", ("reason", error.description))
      return nil
    }
  }
}
