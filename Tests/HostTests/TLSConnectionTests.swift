import Bytes
import CLinux
import Decisions
import Glibc
import Testing

@testable import Host

/// Keeps what a connection tells it.
private final class TLSProbe: ConnectionHandler {
  var received: [UInt8] = []
  var isCleared = false
  var isClosed = false

  func received(_ buffer: inout ByteBuffer, on connection: Connection) {
    received += buffer.copy()
    buffer.removeAll()
  }

  func backlogCleared() { isCleared = true }
  var heldBytes: Int { 0 }
  func shed(_ reason: String) {}
  func drain(isOver: Bool) {}
  func sweep() {}
  func connectionClosed() { isClosed = true }
}

/// One connection of a listener with TLS, and the far end of its socket.
private final class TLSBench {
  let host: HostBench
  let connection: Connection
  let probe = TLSProbe()
  private(set) var far: Int32
  private let near: Int32
  private(set) var isTakenOver = false

  init(bufferBytes: Int32? = nil, _ change: (inout Configuration) -> Void = { _ in }) throws {
    let identity = TLSIdentity(try TLSIdentity.load(TLSFixture.shared.get().settings).context)
    host = try HostBench(change)
    var pair: [Int32] = [0, 0]
    try #require(
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
    (near, far) = (pair[0], pair[1])
    if var bytes = bufferBytes {
      for end in pair { setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size)) }
    }
    connection = Connection(descriptor: pair[0], address: nil, loop: host.loop, identity: identity)
    _ = host.core.connectionOpened(from: nil)
    let (connection, probe) = (connection, probe)
    host.run {
      let greeting = TLSGreeting(connection: connection) { [weak self] in
        self?.isTakenOver = true
        return probe
      }
      do { try connection.start(greeting) } catch { Issue.record(error) }
    }
  }

  deinit {
    hangUp()
    host.run { [connection] in connection.abort(.shutdown) }
  }

  /// A client on the far end whose handshake is done.
  func client(offers protocols: [String] = []) throws -> TLSPeer {
    let client = try TLSPeer(far, offers: protocols)
    try host.wait { client.shake() && isTakenOver }
    return client
  }

  func send(_ bytes: ArraySlice<UInt8>) {
    #expect(bytes.withUnsafeBytes { Glibc.send(far, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) } == bytes.count)
    host.run()
    host.run()
  }

  /// What the host has sent, as it lies in the socket.
  func taken() -> [UInt8] {
    host.run()
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(far, &buffer, buffer.count, 0)
    return count > 0 ? Array(buffer[..<count]) : []
  }

  /// Whether nothing waits in the host's socket.
  var hasReadAll: Bool {
    var byte: UInt8 = 0
    return recv(near, &byte, 1, Int32(MSG_PEEK)) != 1
  }

  func queue(_ bytes: [UInt8]) {
    host.run { [connection] in
      connection.outbound.append(bytes)
      connection.outboundChanged()
    }
  }

  func hangUp() {
    guard far >= 0 else { return }
    shutdown(far, Int32(SHUT_RDWR))
    close(far)
    far = -1
    host.run()
    host.run()
  }

  /// The host holds nothing of the connection any more.
  func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) throws {
    try host.wait { host.loop.connections.isEmpty }
    #expect(host.core.read(now: .now()).connections == 0, sourceLocation: sourceLocation)
  }
}

/// What a client sends first.
private func clientHello() throws -> [UInt8] {
  var pair: [Int32] = [0, 0]
  try #require(
    socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
  defer { for end in pair { close(end) } }
  let peer = try TLSPeer(pair[0], offers: ["http/1.1"])
  #expect(!peer.shake())
  var bytes = [UInt8](repeating: 0, count: 4096)
  let count = recv(pair[1], &bytes, bytes.count, 0)
  try #require(count > 100)
  return Array(bytes[..<count])
}

/// Bytes that tell when one is missing or out of order.
private func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) } }

struct TLSConnectionTests {
  // MARK: - The handshake

  @Test func `a first message that comes in two parts is answered, wherever it is split`() throws {
    let hello = try clientHello()
    for split in 1..<hello.count {
      let bench = try TLSBench()
      bench.send(hello[..<split])
      #expect(bench.taken() == [], "\(split)")
      bench.send(hello[split...])
      // 22: a handshake record (RFC 8446 §5.1).
      #expect(bench.taken().first == 22, "\(split)")
      bench.hangUp()
      try bench.expectNothingLeft()
    }
  }

  @Test func `a client that leaves within its first message leaves nothing behind`() throws {
    let hello = try clientHello()
    for count in 0..<hello.count {
      let bench = try TLSBench()
      if count > 0 { bench.send(hello[..<count]) }
      bench.hangUp()
      try bench.expectNothingLeft()
      #expect(!bench.isTakenOver && !bench.probe.isClosed)
    }
  }

  @Test func `a handshake and a message are understood byte by byte`() throws {
    let bench = try TLSBench()
    var pair: [Int32] = [0, 0]
    try #require(
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
    defer { for end in pair { close(end) } }
    let client = try TLSPeer(pair[0])
    var written = 0
    let message = Array("a message".utf8)
    try bench.host.wait {
      if client.shake(), written == 0 { written = client.write(message[...]) }
      var byte: UInt8 = 0
      if recv(pair[1], &byte, 1, 0) == 1 { bench.send([byte]) }
      let answer = bench.taken()
      if !answer.isEmpty { _ = answer.withUnsafeBytes { Glibc.send(pair[1], $0.baseAddress, $0.count, 0) } }
      return bench.probe.received == message
    }
  }

  @Test(arguments: 0..<64)
  func `what is no TLS ends the connection`(seed: UInt8) throws {
    let bench = try TLSBench()
    // No letter: that would be HTTP. Some begin as a handshake record does.
    var garbage = (0..<200).map { UInt8(truncatingIfNeeded: ($0 &+ 1) &* (Int(seed) &* 7919 &+ 104_729) >> 5) }
    garbage[0] = seed.isMultiple(of: 4) ? 22 : seed | 0x80
    if seed.isMultiple(of: 8) { garbage.replaceSubrange(1..<5, with: [3, 1, 0, 100]) }
    bench.send(garbage[...])
    #expect(!bench.connection.isOpen && !bench.isTakenOver)
    #expect(bench.taken().first.map { $0 == 21 } ?? true, "an alert or nothing")
    bench.hangUp()
    try bench.expectNothingLeft()
  }

  @Test(arguments: ["GET / HTTP/1.1\r\n\r\n", "OPTIONS * HTTP/1.1\r\n", "P", "Z"])
  func `plain HTTP is answered with a 400 that says what to use`(request: String) throws {
    let bench = try TLSBench()
    bench.send(Array(request.utf8)[...])
    let answer = String(decoding: bench.taken(), as: UTF8.self)
    #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
    #expect(answer.hasSuffix("\r\n\r\nthis port speaks TLS; use https:// or wss://\n"))
    bench.hangUp()
    try bench.expectNothingLeft()
  }

  @Test(arguments: [0, 1, 100])
  func `a handshake that takes longer than hello_seconds is cut off`(bytes: Int) throws {
    let bench = try TLSBench { $0.timeouts.helloMilliseconds = 0 }
    if bytes > 0 { _ = try clientHello()[..<bytes].withUnsafeBytes { Glibc.send(bench.far, $0.baseAddress, bytes, 0) } }
    try bench.expectNothingLeft()
    #expect(!bench.isTakenOver)
  }

  @Test(
    arguments: [
      ([], ""), (["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), (["h2"], nil), (["h2", "http/1.0"], nil),
      (["http/1.11"], nil),
    ] as [([String], String?)])
  func `http 1.1 is chosen, and a client that offers only others is refused`(offers: [String], chosen: String?) throws {
    let bench = try TLSBench()
    if let chosen {
      #expect(try bench.client(offers: offers).chosen == chosen)
      return
    }
    let client = try TLSPeer(bench.far, offers: offers)
    #expect(!client.shake())
    bench.host.run()
    bench.host.run()
    #expect(!client.shake())
    #expect(client.library.reason == "tlsv1 alert no application protocol")
    #expect(!bench.isTakenOver)
  }

  @Test func `two steps of handshakes are made in a turn`() {
    var pace = HandshakePace()
    let taken = [1, 1, 1, 1, 2, 2, 2].map { pace.take(now: Instant(nanoseconds: $0)) }
    #expect(taken == [true, true, false, false, true, true, false])
  }

  @Test func `a connection that is not secured costs no more for it`() {
    #expect(MemoryLayout<Transport>.size == 8)
  }

  // MARK: - Bytes

  @Test func `many bytes go both ways at once through small buffers, and each arrives once`() throws {
    let bench = try TLSBench(bufferBytes: 4096)
    let client = try bench.client()
    let (down, up) = (pattern(3 << 20), pattern(2 << 20).reversed().map { $0 })
    bench.queue(down)
    var taken: [UInt8] = []
    var sent = 0
    try bench.host.wait {
      // A reader that takes little at a time, and a writer that offers much.
      if let some = client.read(5_000) { taken += some }
      if sent < up.count { sent += client.write(up[sent..<min(up.count, sent + 40_000)]) }
      return taken.count >= down.count && bench.probe.received.count >= up.count
    }
    #expect(taken == down)
    #expect(bench.probe.received == up)
    #expect(bench.probe.isCleared && !bench.connection.isCongested)
    #expect(bench.connection.outbound.allocatedBytes == 0)
  }

  @Test func `bytes that are queued behind a write that did not end follow it`() throws {
    let bench = try TLSBench(bufferBytes: 4096)
    let client = try bench.client()
    let bytes = pattern(400_000)
    for start in stride(from: 0, to: bytes.count, by: 10_000) { bench.queue(Array(bytes[start..<start + 10_000])) }
    var taken: [UInt8] = []
    try bench.host.wait {
      if let some = client.read(1_000) { taken += some }
      return taken.count >= bytes.count
    }
    #expect(taken == bytes)
  }

  @Test func `keys that the client changes in the middle disturb nothing`() throws {
    let bench = try TLSBench(bufferBytes: 4096)
    let client = try bench.client()
    let (down, up) = (pattern(600_000), pattern(300_000))
    bench.queue(down)
    var (taken, sent, updates) = ([UInt8](), 0, 0)
    try bench.host.wait {
      if let some = client.read(3_000) { taken += some }
      if sent < up.count {
        let count = client.write(up[sent..<min(up.count, sent + 5_000)])
        sent += count
        // 1: and the host is asked to change its own as well. Not before the last write was whole.
        if count > 0, client.library.updateKeys(client.connection, 1) == 1 { updates += 1 }
      }
      return taken.count >= down.count && bench.probe.received.count >= up.count
    }
    #expect(updates > 50)
    #expect(taken == down)
    #expect(bench.probe.received == up)
    #expect(bench.connection.isOpen)
  }

  @Test func `a client that sends nothing but changes of keys is read, and costs no memory`() throws {
    let bench = try TLSBench()
    let client = try bench.client()
    for _ in 0..<2_000 {
      #expect(client.library.updateKeys(client.connection, 1) == 1)
      try bench.host.wait {
        _ = client.read()
        return client.shake()
      }
    }
    #expect(bench.connection.isOpen && bench.connection.outbound.allocatedBytes == 0)
    bench.queue([1, 2, 3])
    try bench.host.wait { client.read() == [1, 2, 3] }
  }

  /// Sends changes of keys and takes none of the host's answers, until the host reads no more.
  private func stuff(_ bench: TLSBench, _ client: TLSPeer) {
    while bench.hasReadAll, bench.connection.isOpen {
      #expect(client.library.updateKeys(client.connection, 1) == 1)
      #expect(client.shake())
      for _ in 0..<4 { bench.host.run() }
    }
  }

  @Test func `a client that does not take the answers to its changes of keys is not read until it does`() throws {
    let bench = try TLSBench(bufferBytes: 4096)
    let client = try bench.client()
    stuff(bench, client)
    #expect(bench.connection.isOpen)
    #expect(client.write([4, 5][...]) == 2)
    bench.queue([6, 7])
    #expect(bench.probe.received == [])
    var taken: [UInt8] = []
    try bench.host.wait {
      taken += client.read() ?? []
      return taken == [6, 7] && bench.probe.received == [4, 5]
    }
    #expect(bench.hasReadAll)
  }

  @Test func `a client that never takes them is closed as one that takes no data`() throws {
    let bench = try TLSBench(bufferBytes: 4096) { $0.timeouts.clientStallMilliseconds = 0 }
    let client = try bench.client()
    stuff(bench, client)
    #expect(bench.probe.isClosed)
    try bench.expectNothingLeft()
  }

  // MARK: - The end

  @Test func `a clean end is told inside TLS, after all that was queued`() throws {
    let bench = try TLSBench(bufferBytes: 4096)
    let client = try bench.client()
    let bytes = pattern(100_000)
    bench.queue(bytes)
    bench.host.run { [connection = bench.connection] in connection.finish() }
    var taken: [UInt8] = []
    try bench.host.wait {
      if let some = client.read() { taken += some }
      return client.lastKind == CLINUX_SSL_ERROR_ZERO_RETURN
    }
    #expect(taken == bytes)
    bench.hangUp()
    #expect(bench.probe.isClosed)
    try bench.expectNothingLeft()
  }

  @Test(arguments: [true, false])
  func `an end of the client is the end, told inside TLS or not`(isTold: Bool) throws {
    let bench = try TLSBench()
    let client = try bench.client()
    #expect(client.write([7][...]) == 1)
    if isTold { _ = client.library.shutdown(client.connection) } else { shutdown(bench.far, Int32(SHUT_WR)) }
    try bench.host.wait { bench.probe.isClosed }
    #expect(bench.probe.received == [7])
    #expect(client.read() == nil && client.lastKind == CLINUX_SSL_ERROR_ZERO_RETURN, "the host tells its end as well")
    try bench.expectNothingLeft()
  }

  @Test func `a record that was changed on its way ends the connection, and nothing of it is handed on`() throws {
    let bench = try TLSBench()
    let client = try bench.client()
    #expect(client.write([1, 2, 3][...]) == 3)
    try bench.host.wait { bench.probe.received == [1, 2, 3] }
    // An application data record of 32 bytes, none of which anybody has encrypted.
    bench.send(([23, 3, 3, 0, 32] + pattern(32))[...])
    try bench.host.wait { bench.probe.isClosed }
    #expect(bench.probe.received == [1, 2, 3])
    try bench.expectNothingLeft()
  }

  @Test func `an abort frees the connection at once`() throws {
    let bench = try TLSBench()
    let client = try bench.client()
    bench.host.run { [connection = bench.connection] in connection.abort(.shutdown) }
    #expect(bench.probe.isClosed)
    #expect(client.read() == nil)
    try bench.expectNothingLeft()
  }
}
