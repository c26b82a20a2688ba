import Bytes
import Decisions
import JSON
import Testing
import Wire

@testable import Host

/// Frames that are no messages, and connections that end.
struct WebSocketLinkTests {
  @Test(arguments: [-1, 0, 1])
  func `a message may have frame_bytes and not one more`(beyond: Int) throws {
    let bench = try HostBench { $0.limits.frameBytes = 1_000 }
    let client = try BenchClient.connected(to: bench)
    let padding = String(repeating: " ", count: 1_000 + beyond - #"{"op":"health"}"#.utf8.count)
    client.send(#"{"op":"health"}"# + padding)
    let events = try client.events()
    if beyond > 0 {
      #expect(events == [.close(code: 1009, reason: "message exceeds limit of 1000 bytes"), .end])
      bench.expectNothingHeld()
    } else {
      #expect(events.count == 1)
    }
  }

  @Test func `a binary frame is refused with 1003, and what ran is cancelled`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"call_tool","name":"chat","arguments":{"prompt":"x"}}"#)
    _ = try client.message()
    client.send("x", .binary)
    #expect(try client.events() == [.close(code: 1003, reason: "text frames only"), .end])
    #expect(bench.provider.words.last == "release 1 client")
    bench.expectNothingHeld()
  }

  @Test func `text that is not UTF-8 is refused with 1007, and an unmasked frame with 1002`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send([0x22, 0xC3, 0x28, 0x22])
    #expect(try client.events() == [.close(code: 1007, reason: "text is not UTF-8"), .end])
    let bare = try BenchClient.connected(to: bench)
    bare.write([0x81, 0x02, 0x7B, 0x7D])
    #expect(try bare.events() == [.close(code: 1002, reason: "a client's frame is not masked"), .end])
    bench.expectNothingHeld()
  }

  @Test func `a ping is answered with its payload, before and after hello`() throws {
    let client = try BenchClient.connected(to: try HostBench(), hello: nil)
    client.send("early", .ping)
    #expect(try client.events() == [.pong("early")])
    client.send(#"{"op":"hello"}"#)
    _ = try client.message()
    client.send("late", .ping)
    #expect(try client.events() == [.pong("late")])
  }

  @Test(arguments: [1000, 1001, 4999] as [UInt16])
  func `a client's close is echoed, and the connection ends`(code: UInt16) throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send([UInt8(code >> 8), UInt8(code & 0xFF)], .close)
    #expect(try client.events() == [.close(code: code, reason: ""), .end])
    client.disconnect()
    bench.expectNothingHeld()
    #expect(bench.core.read(now: .now()).connections == 0)
  }

  @Test func `after our close frame the client's messages are dropped, and its close ends the connection`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench, hello: nil)
    client.send("x")
    #expect(try client.events().count == 2)
    client.send(#"{"op":"hello"}"#)
    client.send("x", .ping)
    #expect(try client.events() == [])
    client.send([0x0F, 0xA0], .close)
    #expect(try client.events() == [.end])
  }

  @Test func `frames in one segment are taken in order, also cut at every byte`() throws {
    let bench = try HostBench()
    var bytes = ByteBuffer()
    for text in [#"{"op":"hello"}"#, #"{"op":"health","request_id":"1"}"#, #"{"op":"list_models","request_id":"2"}"#] {
      Array(text.utf8).withUnsafeBytes { WebSocketEncoder.appendMasked(.text, $0, key: 0xA1B2_C3D4, to: &bytes) }
    }
    let all = bytes.copy()
    for cut in 0...all.count {
      let client = try BenchClient.connected(to: bench, hello: nil)
      client.write(Array(all[..<cut]))
      let early = try client.messages()
      client.write(Array(all[cut...]))
      let gists = (early + (try client.messages())).map(\.gist)
      #expect(gists == ["hello_ack", "health_res", "list_models_res"], "cut at \(cut)")
      client.disconnect()
    }
    bench.expectNothingHeld()
  }

  @Test func `a message that does not go on is closed with 1008, a whole one is not waited for`() throws {
    let bench = try HostBench { $0.timeouts.messageMilliseconds = 0 }
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"health"}"#)
    #expect(try client.message().gist == "health_res")
    client.stream([0x81])
    #expect(
      try client.events() == [
        .close(code: 1008, reason: "timeouts.message_seconds: the message did not go on for 0 s"), .end,
      ])
    bench.expectNothingHeld()
  }

  @Test(
    arguments: [
      [0x01, 0x82, 0, 0, 0, 0, 0x7B, 0x22], [0x81, 0x84, 0, 0, 0, 0, 0x7B], [0x81, 0x84, 0, 0], [0x89],
    ] as [[UInt8]])
  func `any part of a message or frame is the beginning of one`(part: [UInt8]) throws {
    let bench = try HostBench { $0.timeouts.messageMilliseconds = 1 }
    let client = try BenchClient.connected(to: bench)
    client.stream(part)
    var events: [BenchClient.Event] = []
    try bench.wait {
      events += (try? client.events()) ?? []
      return events.last == .end
    }
    #expect(
      events.first == .close(code: 1008, reason: "timeouts.message_seconds: the message did not go on for 0.001 s"))
  }

  @Test func `pings between fragments do not keep a message alive`() throws {
    let bench = try HostBench { $0.timeouts.messageMilliseconds = 20 }
    let client = try BenchClient.connected(to: bench)
    client.send("{", .text, isFinal: false)
    var events: [BenchClient.Event] = []
    var pings = 0
    try bench.wait {
      // So many that no window is without one, and not so many that they are a flood.
      if pings < 100 { client.send("still here", .ping) }
      pings += 1
      events += (try? client.events()) ?? []
      return events.last == .end
    }
    #expect(
      events.contains(.close(code: 1008, reason: "timeouts.message_seconds: the message did not go on for 0.02 s")))
  }

  @Test(arguments: [WebSocketOpcode.ping, .pong])
  func `a flood of control frames is closed with 1008`(opcode: WebSocketOpcode) throws {
    try expectFlooded { client in client.send("", opcode) }
  }

  @Test(arguments: ["{", "[]", "{}", #"{"op":"frobnicate"}"#, #"{"op":"cancel","request_id":"none"}"#])
  func `a flood of messages that are no request is closed with 1008`(message: String) throws {
    try expectFlooded { client in client.send(message) }
  }

  @Test(arguments: [#"{"op":"call_tool"}"#, #"{"op":"call_tool","name":"chat","arguments":{"prompt":" "}}"#])
  func `so is a flood of calls that are refused for what they are`(message: String) throws {
    try expectFlooded { client in client.send(message) }
  }

  private func expectFlooded(_ send: (BenchClient) -> Void) throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    var events: [BenchClient.Event] = []
    var sent = 0
    // While it floods the bucket fills by some.
    while events.last != .end {
      for _ in 0..<40 { send(client) }
      sent += 40
      events += try client.events()
      try #require(sent < 10 * FloodGuard.rate.burst)
    }
    #expect(sent > FloodGuard.rate.burst)
    let reason = "more than 256 pings, pongs and refused messages at once, or 32 a second"
    #expect(events.dropLast().last == .close(code: 1008, reason: reason))
    bench.expectNothingHeld()
  }

  @Test(arguments: [
    (Standing.few, ConnectionLimits.messagesPerTurn), (Standing.few + 1, ConnectionLimits.lowMessagesPerTurn),
  ])
  func `who has had a share of a turn goes on behind the others`(connections: Int, share: Int) throws {
    let bench = try HostBench()
    var order: [Int] = []
    let clients = try recorded(connections, on: bench) { order.append($0) }
    clients[0].write(Array(repeating: [0x81, 0x81, 0, 0, 0, 0, 0x61], count: 3 * share).flatMap { $0 })
    clients[1].write([0x81, 0x81, 0, 0, 0, 0, 0x62])
    bench.run()
    try bench.wait { order.count == 3 * share + 1 }
    #expect(order.firstIndex(of: 2) == share)
  }

  @Test func `control frames take nothing of the share`() throws {
    let bench = try HostBench()
    var order: [Int] = []
    let clients = try recorded(Standing.few + 1, on: bench) { order.append($0) }
    let pings = Array(repeating: [0x89, 0x80, 0, 0, 0, 0] as [UInt8], count: FloodGuard.rate.burst).flatMap { $0 }
    clients[0].write(pings + [0x81, 0x81, 0, 0, 0, 0, 0x61])
    clients[1].write([0x81, 0x81, 0, 0, 0, 0, 0x62])
    bench.run()
    try bench.wait { order.count == 2 }
    #expect(order == [1, 2])
    let pongs = try clients[0].events().filter { $0 == .pong("") }
    #expect(pongs.count == FloodGuard.rate.burst)
  }

  /// So many links, numbered from 1; `tell` hears whose messages come.
  private func recorded(_ count: Int, on bench: HostBench, _ tell: @escaping (Int) -> Void) throws -> [BenchClient] {
    var links = 0
    bench.loop.messageService = MessageService(takesBinary: false) { _ in
      links += 1
      return Recorder(number: links, tell: tell)
    }
    return try (0..<count).map { _ in
      let client = try BenchClient(bench, request: BenchClient.upgrade())
      _ = try client.head()
      return client
    }
  }

  /// Tells whose message came.
  private final class Recorder: MessageHandler {
    private let number: Int
    private let tell: (Int) -> Void

    init(number: Int, tell: @escaping (Int) -> Void) {
      self.number = number
      self.tell = tell
    }

    func received(_ message: UnsafeRawBufferPointer) { tell(number) }
    func backlogCleared() {}
    func drain(isOver: Bool) {}
    func sweep() {}
    func linkClosed() {}
  }

  @Test func `requests are no flood`() throws {
    let client = try BenchClient.connected(to: try HostBench())
    var answers = 0
    for _ in 0..<20 {
      for _ in 0..<40 { client.send(#"{"op":"health"}"#) }
      answers += try client.messages().count
    }
    #expect(answers == 800 && answers > 2 * FloodGuard.rate.burst)
  }
}
