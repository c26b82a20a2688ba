import CLinux
import Decisions
import Glibc
import Testing

@testable import Host

private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

struct ControlExchangeTests {
  @Test func `a line asks, wherever it is cut, and what is behind it is dropped`() {
    for size in 1...12 {
      var exchange = ControlExchange(now: at(0))
      var actions: [ControlExchange.Action] = []
      var rest = Array("rescan\nreload\n".utf8)[...]
      while !rest.isEmpty {
        actions.append(exchange.received(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      #expect(actions.filter { $0 != .wait } == [.perform(.rescan)])
      #expect(exchange.room == 0)
    }
  }

  @Test(arguments: [255, 256, 257])
  func `a line is bounded`(bytes: Int) {
    var exchange = ControlExchange(now: at(0))
    let action = exchange.received([UInt8](repeating: 0x61, count: min(bytes, exchange.room)))
    #expect(action == (bytes > 256 ? .refuse("a command has at most 256 bytes") : .wait))
    #expect(exchange.room == (bytes > 256 ? 0 : 257 - bytes))
    guard bytes <= 256, case .refuse(let reason) = exchange.received([0x0A]) else { return }
    #expect(reason.hasPrefix("there is no command"))
  }

  @Test(
    arguments: [
      ("reload", .reload), ("rescan", .rescan), ("plugins", .plugins), ("reopen-log", .reopenLog),
      ("log-level debug", .logLevel(.debug)), ("log-level error", .logLevel(.error)),
    ] as [(String, ControlSocket.Command)])
  func `every command is known by its words`(line: String, command: ControlSocket.Command) {
    var exchange = ControlExchange(now: at(0))
    let action = exchange.received(Array("\(line)\n".utf8))
    #expect(action == .perform(command))
  }

  @Test(arguments: [
    ("log-level", #"there is no command "log-level"; known: reload, rescan, plugins, reopen-log, log-level LEVEL"#),
    ("log-level loud", #"there is no log level "loud"; known: debug, info, warning, error"#),
    ("log-level debug ", #"there is no log level "debug "; known: debug, info, warning, error"#),
    ("log-level  debug", #"there is no log level " debug"; known: debug, info, warning, error"#),
    ("Reload", #"there is no command "Reload"; known: reload, rescan, plugins, reopen-log, log-level LEVEL"#),
  ])
  func `what is no command is told which there are`(line: String, reason: String) {
    var exchange = ControlExchange(now: at(0))
    let action = exchange.received(Array("\(line)\n".utf8))
    #expect(action == .refuse(reason))
  }

  @Test func `a second is for the line, and another for the answer`() {
    var exchange = ControlExchange(now: at(0))
    _ = exchange.received([0x72])
    #expect(exchange.due(now: at(999)) == .wait)
    #expect(exchange.due(now: at(1_000)) == .refuse("no command came within a second"))
    exchange.answering(now: at(1_500))
    #expect(exchange.due(now: at(2_499)) == .wait)
    #expect(exchange.due(now: at(2_500)) == .end)
    var gone = ControlExchange(now: at(0))
    #expect(gone.ended() == .end)
  }
}

/// A control socket in a directory of its own; nothing is served but by `serve`.
private final class ControlBench {
  let socket: ControlSocket
  let path = "/tmp/patchbay-control-\(getpid())-\(UInt64.random(in: 0 ... .max))"
  var performed: [ControlSocket.Command] = []
  var lines = ["done"]

  init() throws { socket = try ControlSocket(path: path, log: Log(level: .error)) }
  deinit { if !isClosed { socket.close() } }
  private var isClosed = false

  func close() {
    socket.close()
    isClosed = true
  }

  func connected(_ text: String = "") throws -> Int32 {
    let descriptor = Glibc.socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = try #require(UnixAddress(path))
    let isConnected = address.connect(descriptor)
    try #require(isConnected)
    send(descriptor, text)
    return descriptor
  }

  func send(_ descriptor: Int32, _ text: String) {
    _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
  }

  /// Serves until nobody is ready any more.
  func serve(now: Instant = .now()) {
    for _ in 0..<100 {
      var ready = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&ready, 1, 0) > 0 else { return }
      socket.answer(now: now) { command in
        performed.append(command)
        return ReloadReport(isApplied: true, lines: lines)
      }
    }
    Issue.record("it is ready without end")
  }

  /// nil: the connection has not ended.
  func answer(_ descriptor: Int32) -> String? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else {
        guard count == 0 || errno == ECONNRESET else { return nil }
        Glibc.close(descriptor)
        return String(decoding: bytes, as: UTF8.self)
      }
      bytes += buffer[..<count]
    }
  }
}

struct ControlSocketTests {
  @Test func `a command is performed once and answered`() throws {
    let bench = try ControlBench()
    var information = stat()
    #expect(lstat(bench.path, &information) == 0 && information.st_mode & 0o777 == 0o600)
    let peer = try bench.connected("rel")
    bench.serve()
    #expect(bench.answer(peer) == nil && bench.performed == [])
    bench.send(peer, "oad\nreload\nreload\n")
    bench.serve()
    #expect(bench.answer(peer) == "ok\ndone\n" && bench.performed == [.reload])
    #expect(bench.socket.deadline == .never)
  }

  @Test func `what is no command is refused by name, and endless bytes at the bound`() throws {
    let bench = try ControlBench()
    let (wrong, endless) = (try bench.connected("stop\n"), try bench.connected(String(repeating: "x", count: 100_000)))
    bench.serve()
    #expect(
      bench.answer(wrong)
        == "error\nthere is no command \"stop\"; known: reload, rescan, plugins, reopen-log, log-level LEVEL\n")
    #expect(bench.answer(endless) == "error\na command has at most 256 bytes\n")
    #expect(bench.performed == [])
  }

  @Test func `peers that say nothing hold up nobody and are sent away after a second`() throws {
    let bench = try ControlBench()
    let start = Instant.now()
    let silent = try (0..<7).map { _ in try bench.connected() }
    bench.serve(now: start)
    let able = try bench.connected("plugins\n")
    bench.serve(now: start)
    #expect(bench.answer(able) == "ok\ndone\n")
    // All places are taken: who comes now waits, and nothing spins.
    let last = try bench.connected()
    bench.serve(now: start)
    let waiting = try bench.connected("reload\n")
    bench.serve(now: start)
    #expect(bench.answer(waiting) == nil)
    bench.socket.expire(now: start.advanced(milliseconds: 999))
    #expect(bench.answer(silent[0]) == nil)
    bench.socket.expire(now: start.advanced(milliseconds: 1_000))
    for peer in silent + [last] { #expect(bench.answer(peer) == "error\nno command came within a second\n") }
    bench.serve()
    #expect(bench.answer(waiting) == "ok\ndone\n" && bench.performed == [.plugins, .reload])
  }

  @Test func `an answer that nobody takes waits for a second and then goes`() throws {
    let bench = try ControlBench()
    bench.lines = [String(repeating: "x", count: 4 << 20)]
    let (slow, never) = (try bench.connected("plugins\n"), try bench.connected("plugins\n"))
    bench.serve()
    #expect(bench.performed == [.plugins, .plugins])
    var bytes = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(slow, &buffer, buffer.count, 0)
      if count == 0 { break }
      if count > 0 { bytes += count } else { bench.serve() }
    }
    close(slow)
    #expect(bytes == (4 << 20) + 4)
    bench.socket.expire(now: .now().advanced(milliseconds: 1_001))
    #expect(bench.socket.deadline == .never)
    let cut = try #require(bench.answer(never))
    #expect(cut.utf8.count < 4 << 20)
  }

  @Test func `a peer that leaves is forgotten`() throws {
    let bench = try ControlBench()
    let peer = try bench.connected("rel")
    bench.serve()
    close(peer)
    bench.serve()
    #expect(bench.socket.deadline == .never)
  }

  @Test func `another host's socket is not taken, a left-over one is, and ours is removed`() throws {
    let bench = try ControlBench()
    let error = #expect(throws: HostError.self) { try ControlSocket(path: bench.path, log: Log(level: .error)) }
    #expect(error?.description.contains("state_directory") == true)
    bench.close()
    #expect(access(bench.path, F_OK) != 0)
  }
}
