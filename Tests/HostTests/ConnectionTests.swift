import Bytes
import CLinux
import Decisions
import Glibc
import JSON
import Testing
import Wire

@testable import Host

/// Notes what a connection tells it.
private final class ConnectionProbe: ConnectionHandler {
  var words: [String] = []
  /// How many bytes of what came are left for later.
  var leaves = 0
  /// What it answers to whatever comes.
  var answer: [UInt8] = []

  func received(_ buffer: inout ByteBuffer, on connection: Connection) {
    words.append("received \(buffer.string())")
    buffer.consume(buffer.count - min(leaves, buffer.count))
    guard !answer.isEmpty else { return }
    connection.outbound.append(answer)
    connection.outboundChanged()
  }

  func backlogCleared() { words.append("cleared") }
  var heldBytes: Int { 0 }
  func shed(_ reason: String) { words.append("shed") }
  func drain(isOver: Bool) {}
  func sweep() {}
  func connectionClosed() { words.append("closed") }
}

/// One connection with a probe behind it, and the far end of its socket.
private final class ConnectionBench {
  let host: HostBench
  let connection: Connection
  let probe = ConnectionProbe()
  private(set) var far: Int32

  init(_ change: (inout Configuration) -> Void = { _ in }) throws {
    host = try HostBench(change)
    var pair: [Int32] = [0, 0]
    try #require(
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
    far = pair[1]
    connection = Connection(descriptor: pair[0], address: nil, loop: host.loop)
    let (connection, probe) = (connection, probe)
    _ = host.core.connectionOpened(from: nil)
    host.run { do { try connection.start(probe) } catch { Issue.record(error) } }
    near = pair[0]
  }

  private let near: Int32

  deinit {
    hangUp()
    host.run { [connection] in connection.abort(.shutdown) }
  }

  /// Leaves the socket no room, so that what is queued stays queued to the byte.
  func fillSocket() {
    let junk = [UInt8](repeating: 0x6A, count: 4096)
    while Glibc.send(near, junk, junk.count, Int32(MSG_NOSIGNAL)) > 0 {}
    while Glibc.send(near, junk, 1, Int32(MSG_NOSIGNAL)) > 0 {}
  }

  func queue(_ bytes: Int) {
    host.run { [connection] in
      connection.outbound.append([UInt8](repeating: 0x61, count: bytes))
      connection.outboundChanged()
    }
  }

  /// Cuts what is queued to `bytes`, as if the socket had taken the rest.
  func keep(_ bytes: Int) {
    host.run { [connection] in
      connection.outbound.truncate(to: bytes)
      connection.outboundChanged()
    }
  }

  func send(_ text: String) {
    #expect(Glibc.send(far, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count)
    host.run()
    host.run()
  }

  /// Takes everything the host has sent by now and will send; returns the number of bytes.
  func drainSocket() -> Int {
    var taken = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    for _ in 0..<10_000 {
      host.run()
      let count = recv(far, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      taken += count
    }
    return taken
  }

  func hangUp() {
    if far >= 0 {
      // As in BenchClient.disconnect: another test's compiler may hold a copy until it has begun.
      shutdown(far, Int32(SHUT_RDWR))
      close(far)
    }
    far = -1
    host.run()
    host.run()
  }
}

struct ConnectionTests {
  /// Whoever is known has the normal priority among few; a stranger has the low one.
  private static let thresholds = [(true, 256, 64), (false, 32, 8)].flatMap { isKnown, pause, resume in
    [-1, 0, 1].map { (isKnown: isKnown, pause: pause << 10, resume: resume << 10, beyond: $0) }
  }

  private func bench(isKnown: Bool) throws -> ConnectionBench {
    let bench = try ConnectionBench()
    if isKnown {
      bench.connection.becameKnown()
      bench.send("k")
      bench.probe.words = []
    }
    bench.fillSocket()
    return bench
  }

  @Test(arguments: thresholds)
  func `what feeds a connection pauses above 256 KiB queued, of a stranger above 32`(
    isKnown: Bool, pause: Int, resume: Int, beyond: Int
  ) throws {
    let bench = try bench(isKnown: isKnown)
    bench.queue(pause + beyond)
    #expect(bench.connection.isCongested == (beyond > 0))
    bench.send("x")
    #expect(bench.probe.words == (beyond > 0 ? [] : ["received x"]), "a congested connection is not read")
  }

  @Test(arguments: thresholds)
  func `it goes on below 64 KiB, that of a stranger below 8`(
    isKnown: Bool, pause: Int, resume: Int, beyond: Int
  ) throws {
    let bench = try bench(isKnown: isKnown)
    bench.queue(pause + 1)
    bench.send("x")
    bench.keep(resume + beyond)
    bench.host.run()
    #expect(bench.connection.isCongested == (beyond >= 0))
    #expect(bench.probe.words == (beyond >= 0 ? [] : ["cleared", "received x"]))
  }

  @Test(arguments: [1, ConnectionLimits.lowWriteBytes + 1])
  func `a client that ends with its question has the answer`(bytes: Int) throws {
    let bench = try ConnectionBench()
    bench.probe.answer = Array(repeating: 0x61, count: bytes)
    #expect(Glibc.send(bench.far, "x", 1, Int32(MSG_NOSIGNAL)) == 1)
    shutdown(bench.far, Int32(SHUT_WR))
    // Both in one turn, as in a share of the low priority.
    bench.host.run { for _ in 0..<2 { bench.connection.descriptorReady(.read) } }
    #expect(bench.drainSocket() == bytes)
    #expect(bench.probe.words == ["received x", "closed"])
  }

  @Test(arguments: [
    (0, 64 << 10), (1, 64 << 10), (8, 64 << 10), (9, 58_254), (31, 16_912), (32, 16 << 10), (33, 16 << 10),
    (10_000, 16 << 10),
  ])
  func `what a turn reads is shared by the connections of the loop`(connections: Int, bytes: Int) {
    #expect(ConnectionLimits.readBytes(connections: connections) == bytes)
  }

  @Test func `everything queued arrives, and a backlog is cleared once`() throws {
    let bench = try ConnectionBench()
    bench.queue(1 << 20)
    #expect(bench.connection.isCongested)
    #expect(bench.drainSocket() == 1 << 20)
    #expect(!bench.connection.isCongested)
    #expect(bench.probe.words == ["cleared"])
    #expect(bench.connection.outbound.allocatedBytes == 0, "an idle connection owns no memory")
  }

  @Test func `what a handler left unread comes again with more`() throws {
    let bench = try ConnectionBench()
    bench.probe.leaves = 2
    bench.send("abcd")
    bench.probe.leaves = 0
    bench.send("ef")
    #expect(bench.probe.words == ["received abcd", "received cdef"])
  }

  @Test func `bytes that were left unread in a congestion are handed over when it is gone`() throws {
    let bench = try ConnectionBench()
    bench.probe.leaves = 2
    bench.send("abcd")
    bench.queue(1 << 20)
    bench.probe.leaves = 0
    _ = bench.drainSocket()
    #expect(bench.probe.words == ["received abcd", "cleared", "received cd"])
  }

  @Test func `a client that takes nothing for client_stall is closed`() throws {
    let bench = try ConnectionBench { $0.timeouts.clientStallMilliseconds = 0 }
    bench.queue(1 << 20)
    bench.host.run()
    #expect(bench.probe.words == ["closed"])
    #expect(bench.host.core.read(now: .now()).connections == 0)
    #expect(bench.host.loop.connections.isEmpty)
  }

  @Test func `a client that takes data longer than client_stall in all is not closed for it`() throws {
    let stall: UInt64 = 100_000_000
    let bench = try ConnectionBench { $0.timeouts.clientStallMilliseconds = stall / 1_000_000 }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let start = Instant.now()
    bench.queue(8 << 20)
    var (now, taken, progressed, queued, longestGap) = (start, start, start, bench.connection.outbound.count, UInt64(0))
    while bench.probe.words.isEmpty, now.nanoseconds(since: start) < 3 * stall {
      let before = Instant.now()
      bench.host.run()
      now = .now()
      if now.nanoseconds(since: taken) > 3_000_000 {
        _ = recv(bench.far, &buffer, buffer.count, 0)
        taken = now
      }
      longestGap = max(longestGap, now.nanoseconds(since: progressed))
      guard bench.probe.words.isEmpty else { break }
      if bench.connection.outbound.count != queued { (queued, progressed) = (bench.connection.outbound.count, before) }
    }
    // A machine that stood still for so long is no client that read.
    #expect(bench.probe.words.isEmpty || longestGap >= stall)
    try bench.host.wait { bench.probe.words == ["closed"] }
    #expect(Instant.now().nanoseconds(since: progressed) >= stall)
  }

  @Test func `finish sends what is queued, then waits for the peer to close`() throws {
    let bench = try ConnectionBench()
    bench.host.run { [connection = bench.connection] in
      connection.outbound.append([UInt8](repeating: 0x61, count: 1 << 20))
      connection.outboundChanged()
      connection.finish()
    }
    #expect(!bench.connection.isOpen)
    #expect(bench.drainSocket() == 1 << 20)
    bench.send("too late")
    #expect(bench.probe.words.isEmpty)
    bench.hangUp()
    #expect(bench.probe.words == ["closed"])
  }

  @Test func `a peer that ends while nothing is read from it is noticed`() throws {
    let bench = try ConnectionBench()
    bench.queue(1 << 20)
    bench.hangUp()
    #expect(bench.probe.words == ["closed"])
  }

  @Test func `abort closes once, whatever follows`() throws {
    let bench = try ConnectionBench()
    bench.host.run { [connection = bench.connection] in
      connection.abort(.shutdown)
      connection.abort(.shutdown)
      connection.finish()
      connection.outboundChanged()
    }
    #expect(bench.probe.words == ["closed"])
    #expect(bench.host.core.read(now: .now()).connections == 0)
  }

  // MARK: - From a provider to a client that reads slowly

  @Test func `a client that does not read pauses its provider, and gets everything once it reads`() throws {
    let host = try HostBench()
    let client = try BenchClient.connected(to: host)
    client.send(#"{"op":"call_tool","request_id":"1","name":"chat","arguments":{"prompt":"x","stream":true}}"#)
    #expect(try client.message().gist == "call_tool_ack")
    let piece = String(repeating: "a", count: 4_000)
    var sent = 0
    var flow: ProviderFlow?
    while flow != .pause, sent < 1_000 {
      host.run { flow = host.provider.emit(1, .text, piece) }
      sent += 1
    }
    #expect(flow == .pause, "paused after \(sent) pieces")
    #expect(!host.provider.words.contains("resume 1"))
    let deltas = try client.messages()
    #expect(deltas.count == sent)
    #expect(host.provider.words.last == "resume 1")
    host.run { host.provider.answer(1, "end") }
    let rest = try client.messages()
    #expect(rest.last?["text"]?.string?.utf8.count == sent * 4_000 + 3)
    #expect((deltas + rest).compactMap { $0["seq"]?.integer } == (0...Int64(sent)).map { $0 })
    host.expectNothingHeld(sessions: 1)
  }

  @Test func `a client that never reads is closed, its calls are cancelled and its permits are back`() throws {
    let host = try HostBench { $0.timeouts.clientStallMilliseconds = 0 }
    let client = try BenchClient.connected(to: host)
    for id in 1...2 {
      client.send(#"{"op":"call_tool","request_id":"\#(id)","name":"chat","arguments":{"prompt":"x","stream":true}}"#)
    }
    #expect(try client.messages().count == 2)
    let piece = String(repeating: "a", count: 1 << 20)
    host.run { host.provider.emit(1, .text, piece) }
    host.run()
    #expect(host.provider.words.suffix(2) == ["release 1 client", "release 2 client"])
    host.expectNothingHeld()
    #expect(host.core.read(now: .now()).connections == 0)
  }

  @Test func `operations that a congested client has sent wait, and are answered in order when it reads`() throws {
    let host = try HostBench()
    let client = try BenchClient.connected(to: host)
    let health = { (id: Int) in #"{"op":"list_tools","request_id":"\#(id)"}"# }
    var frames = ByteBuffer()
    for id in 0..<400 {
      Array(health(id).utf8).withUnsafeBytes { WebSocketEncoder.appendMasked(.text, $0, key: 9, to: &frames) }
    }
    client.write(frames.copy())
    let replies = try client.messages()
    #expect(replies.compactMap { $0["request_id"]?.string } == (0..<400).map { "\($0)" })
  }
}
