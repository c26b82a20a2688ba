import CLinux
import Glibc
import Testing

@testable import Host

/// A blocking client socket, connected to `address`.
private func connected(to address: BindAddress) throws -> Int32 {
  guard case .network(let network) = address.place else { throw EventLoopError(call: "connect", code: EINVAL) }
  let descriptor = socket(
    network.family == .ipv4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  try #require(descriptor >= 0)
  try #require(network.withSocketAddress { connect(descriptor, $0, $1) } == 0)
  return descriptor
}

/// Ends a loop that would otherwise run forever when the tested thing does not happen.
private final class Watchdog: TimerTarget {
  private unowned let loop: EventLoop
  init(_ loop: EventLoop) {
    self.loop = loop
    _ = loop.schedule(at: .now().advanced(milliseconds: 20_000), self, tag: 0)
  }

  func timerFired(_ tag: UInt32) {
    Issue.record("nothing happened for 20 seconds")
    loop.stop()
  }
}

private func temporaryPath() -> String { "/tmp/patchbay-\(getpid())-\(UInt64.random(in: 0 ... .max)).sock" }

struct ListenerTests {
  @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
  func `a connection is accepted with the address of its peer`(text: String) throws {
    let loop = try EventLoop(index: 0)
    _ = Watchdog(loop)
    var peers: [SocketAddress] = []
    let listener = try Listener(address: BindAddress(parsing: text), loop: loop) { socket in
      peers.append(socket.peer)
      let descriptor = socket.take()
      #expect(clinux_fcntl_int(descriptor, F_GETFL, 0) & O_NONBLOCK != 0)
      #expect(clinux_fcntl_int(descriptor, F_GETFD, 0) & FD_CLOEXEC != 0)
      close(descriptor)
      if peers.count == 2 { loop.stop() }
    }
    let clients = [try connected(to: listener.boundAddress), try connected(to: listener.boundAddress)]
    defer { for client in clients { close(client) } }
    loop.run()
    listener.close()
    #expect(peers.count == 2)
    #expect(peers.allSatisfy { $0.isLoopback && $0.port > 0 })
    #expect(peers[0].host == (text.hasPrefix("[") ? "::1" : "127.0.0.1"))
    #expect("\(listener.boundAddress)" != text)
  }

  @Test func `the kernel keeps little for a client that reads nothing`() throws {
    let loop = try EventLoop(index: 0)
    _ = Watchdog(loop)
    var accepted: Int32 = -1
    let listener = try Listener(address: BindAddress(parsing: "127.0.0.1:0"), loop: loop) { socket in
      accepted = socket.take()
      loop.stop()
    }
    let client = try connected(to: listener.boundAddress)
    defer { close(client) }
    loop.run()
    listener.close()
    defer { close(accepted) }
    let block = [UInt8](repeating: 7, count: 4 << 10)
    var taken = 0
    while case let count = write(accepted, block, block.count), count > 0 { taken += count }
    #expect(errno == EAGAIN)
    // What the client's own kernel has room for, 16 KiB, and the last piece, which goes over that.
    let received = receiveBuffer(of: client)
    #expect(
      taken > 16 << 10 && taken <= received + (16 << 10) + (64 << 10), "\(taken) bytes, \(received) of them received")
  }

  private func receiveBuffer(of descriptor: Int32) -> Int {
    var size: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, &length)
    return Int(size)
  }

  @Test func `a socket that nobody takes is closed`() throws {
    let loop = try EventLoop(index: 0)
    _ = Watchdog(loop)
    let listener = try Listener(address: BindAddress(parsing: "127.0.0.1:0"), loop: loop) { _ in loop.stop() }
    let client = try connected(to: listener.boundAddress)
    defer { close(client) }
    loop.run()
    listener.close()
    var byte: UInt8 = 0
    #expect(read(client, &byte, 1) == 0)
  }

  @Test func `a port in use is an error that names the address and the remedy`() throws {
    let loop = try EventLoop(index: 0)
    let first = try Listener(address: BindAddress(parsing: "127.0.0.1:0"), loop: loop) { _ in }
    defer { first.close() }
    let error = try #require(throws: ListenerError.self) {
      try Listener(address: first.boundAddress, loop: loop) { _ in }
    }
    #expect(error.code == EADDRINUSE)
    #expect(error.description.contains("\(first.boundAddress)") && error.description.contains("another process"))
  }

  @Test func `a unix socket replaces one left over, refuses a living one, and is gone after close`() throws {
    let path = temporaryPath()
    let address = try BindAddress(parsing: "unix:\(path)")
    let loop = try EventLoop(index: 0)
    // What a killed process leaves: a socket file without a listener.
    let abandoned = try Listener.listen(address).descriptor
    close(abandoned)
    let listener = try Listener(address: address, loop: loop) { _ in }
    let error = try #require(throws: ListenerError.self) { try Listener(address: address, loop: loop) { _ in } }
    #expect(error.code == EADDRINUSE)
    listener.close()
    #expect(access(path, F_OK) != 0)
  }

  @Test func `a file that is no socket is not replaced`() throws {
    let path = temporaryPath()
    close(clinux_open(path, O_CREAT | O_WRONLY, 0o600))
    defer { unlink(path) }
    let loop = try EventLoop(index: 0)
    let address = try BindAddress(parsing: "unix:\(path)")
    #expect(throws: ListenerError.self) { try Listener(address: address, loop: loop) { _ in } }
    #expect(access(path, F_OK) == 0)
  }

  @Test func `without free descriptors a peer is turned away at once, and served again later`() async {
    // In a process of its own: the limit of descriptors is everyone's.
    await #expect(processExitsWith: .success) {
      let loop = try EventLoop(index: 0)
      _ = Watchdog(loop)
      var served = 0
      let listener = try Listener(address: BindAddress(parsing: "127.0.0.1:0"), loop: loop) { _ in
        served += 1
        loop.stop()
      }
      let turnedAway = [try connected(to: listener.boundAddress), try connected(to: listener.boundAddress)]
      var fillers: [Int32] = []
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      limit.rlim_cur = min(limit.rlim_cur, 256)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      while case let filler = dup(0), filler >= 0 { fillers.append(filler) }
      loop.enqueue(
        .work {
          // After the turn that turned both away: make room, and come again.
          loop.enqueue(
            .work {
              listener.descriptorReady(.read)
              for client in turnedAway {
                var byte: UInt8 = 0
                let count = recv(client, &byte, 1, Int32(MSG_DONTWAIT))
                if count > 0 || (count < 0 && errno == EAGAIN) { exit(2) }
              }
              if served > 0 { exit(3) }
              for filler in fillers { close(filler) }
              do { _ = try connected(to: listener.boundAddress) } catch { exit(4) }
            })
        })
      loop.run()
      listener.close()
      exit(served == 1 ? 0 : 5)
    }
  }
}

struct BindAddressTests {
  @Test(arguments: ["127.0.0.1:8079", "[::1]:80", "0.0.0.0:0", "[2001:db8::5]:65535", "unix:/run/patchbay.sock"])
  func `an address is written as it was read`(text: String) throws {
    #expect("\(try BindAddress(parsing: text))" == text)
  }

  @Test(arguments: [
    "", "8079", ":8079", "localhost:8079", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
    "[127.0.0.1]:80", "[::1]", "unix:", "unix:relative", "127.0.0.1:8 0",
  ])
  func `what is no address is refused with the reason`(text: String) throws {
    let error = try #require(throws: BindAddress.Malformed.self) { try BindAddress(parsing: text) }
    #expect(error.description.contains("\"\(text)\" is no address to listen on"))
  }

  @Test func `a unix path may have 107 bytes and no more`() throws {
    let longest = "unix:/" + String(repeating: "a", count: 106)
    #expect("\(try BindAddress(parsing: longest))" == longest)
    #expect(throws: BindAddress.Malformed.self) { try BindAddress(parsing: longest + "a") }
  }

  @Test(arguments: [
    ("127.0.0.1:1", true), ("127.255.0.1:1", true), ("[::1]:1", true), ("[::ffff:127.0.0.1]:1", true),
    ("unix:/a", true), ("0.0.0.0:1", false), ("[::]:1", false), ("10.0.0.1:1", false), ("[::2]:1", false),
  ])
  func `loopback is told from the rest`(text: String, isLoopback: Bool) throws {
    #expect(try BindAddress(parsing: text).isLoopback == isLoopback)
  }
}
