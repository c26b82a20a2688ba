import Testing
import Wire

@testable import Host

/// What all connections together may hold, and who is closed when they hold more.
struct HeldMemoryTests {
  private func bench(bufferedBytes: Int) throws -> HostBench {
    try HostBench {
      $0.limits.bufferedBytes = bufferedBytes
      $0.limits.frameBytes = 4 << 20
    }
  }

  /// The head of a masked text frame of a mebibyte and the first bytes of its payload.
  private func beginning(_ sent: Int) -> [UInt8] {
    let head: [UInt8] = [0x81, 0xFF] + withUnsafeBytes(of: UInt64(1 << 20).bigEndian) { Array($0) } + [0, 0, 0, 0]
    return head + [UInt8](repeating: 0x61, count: sent)
  }

  private func held(_ bench: HostBench) -> Int { bench.services.memory.heldBytes }

  @Test func `a connection between messages holds nothing`() throws {
    let bench = try bench(bufferedBytes: 1 << 20)
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"health"}"#)
    _ = try client.message()
    #expect(held(bench) == 0)
  }

  @Test func `the beginning of a message is counted until the message ends`() throws {
    let bench = try bench(bufferedBytes: 16 << 20)
    let client = try BenchClient.connected(to: bench)
    client.stream(beginning(300_000))
    try bench.wait { held(bench) >= 300_000 }
    #expect(held(bench) <= 1_000_000)
    client.stream([UInt8](repeating: 0x61, count: 1 << 20 - 300_000))
    try bench.wait { held(bench) == 0 }
    #expect(try client.message()["error"]?["code"] == .string("VALIDATION_ERROR"))
  }

  @Test func `fragments are counted until their connection goes`() throws {
    let bench = try bench(bufferedBytes: 16 << 20)
    let client = try BenchClient.connected(to: bench)
    client.stream([0x01, 0xFE, 0x03, 0xE8, 0, 0, 0, 0] + [UInt8](repeating: 0x61, count: 1_000))
    #expect((1_000...8_192).contains(held(bench)))
    client.disconnect()
    try bench.wait { held(bench) == 0 }
  }

  @Test func `answers that nobody takes are counted`() throws {
    let bench = try bench(bufferedBytes: 16 << 20)
    let client = try BenchClient.connected(to: bench, sendBufferBytes: 4_096)
    for _ in 0..<40 { client.send(#"{"op":"health"}"#) }
    try bench.wait { held(bench) > 1_000 }
    _ = try client.events()
    try bench.wait { held(bench) == 0 }
  }

  @Test func `who holds the most is closed first, and the others stay`() throws {
    let limit = 1_400_000
    let bench = try bench(bufferedBytes: limit)
    let clients = try (0..<4).map { _ in try BenchClient.connected(to: bench) }
    for (client, sent) in zip(clients, [20_000, 900_000, 100_000]) { client.stream(beginning(sent)) }
    try bench.wait { held(bench) > 1_020_000 }
    #expect(bench.loop.connections.count == 4)
    clients[3].stream(beginning(250_000))
    #expect(
      try clients[1].events() == [
        .close(code: 1008, reason: "limits.buffered_bytes reached: \(limit); this connection held the most"), .end,
      ])
    #expect(held(bench) <= limit)
    for other in [clients[0], clients[2], clients[3]] { #expect(try other.events() == []) }
    #expect(bench.loop.connections.map(\.isOpen).sorted { $0 && !$1 } == [true, true, true, false])
  }

  @Test func `a request whose head holds the most is answered 503`() throws {
    let bench = try bench(bufferedBytes: 6_000)
    let client = try BenchClient(
      bench, request: "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + String(repeating: "a", count: 7_000))
    #expect(try client.head()?.status == 503)
    #expect(client.rest().hasEnded)
    #expect(held(bench) == 0)
  }

  @Test func `a client that takes nothing and holds the most is dropped without a word`() throws {
    let bench = try bench(bufferedBytes: 1 << 20)
    let quiet = try BenchClient.connected(to: bench)
    let greedy = try BenchClient.connected(to: bench)
    let connection = try #require(bench.loop.connections.last)
    bench.run {
      connection.outbound.append([UInt8](repeating: 0x61, count: 2 << 20))
      connection.outboundChanged()
    }
    try bench.wait { bench.loop.connections.count == 1 }
    #expect(held(bench) == 0)
    quiet.send(#"{"op":"health"}"#)
    #expect(try quiet.message().gist == "health_res")
    _ = greedy
  }

  @Test func `of several loops the one that has the heaviest is asked, once`() {
    let memory = HeldMemory(limit: 100, loops: 3)
    memory.setHeaviest(40, ofLoop: 0)
    memory.setHeaviest(70, ofLoop: 2)
    #expect(memory.loopOfHeaviest(own: 0) == 2)
    #expect(memory.loopOfHeaviest(own: 2) == 2)
    memory.setHeaviest(70, ofLoop: 0)
    #expect(memory.loopOfHeaviest(own: 0) == 0)
    #expect(memory.loopOfHeaviest(own: 1) == 0)
    #expect(memory.asks(loop: 2))
    #expect(!memory.asks(loop: 2))
    memory.looks(loop: 2)
    #expect(memory.asks(loop: 2))
  }

  @Test(arguments: [-1, 0, 1])
  func `the limit is the last byte that is allowed`(beyond: Int) {
    let memory = HeldMemory(limit: 100, loops: 1)
    memory.add(100 + beyond)
    #expect(memory.isOver == (beyond > 0))
    memory.setLimit(101)
    #expect(!memory.isOver)
  }

  @Test func `a peak that is over is told once`() {
    let memory = HeldMemory(limit: .max, loops: 1)
    let noted = HeldMemory.notedPeakBytes
    memory.add(noted - 1)
    memory.add(1 - noted)
    #expect(!memory.isDownFromPeak(), "too little to care")
    memory.add(noted)
    memory.add(-(noted / 2))
    #expect(!memory.isDownFromPeak(), "half of it is in use")
    memory.add(-(noted / 2))
    #expect(memory.isDownFromPeak())
    #expect(!memory.isDownFromPeak())
    memory.add(2 * noted)
    memory.add(-2 * noted)
    #expect(memory.isDownFromPeak())
  }
}
