import Bytes
import Decisions
import JSON
import Testing

@testable import Host

/// One who watches a `HostBench`, and what it was told.
private final class Watcher {
  struct Event: Equatable {
    var name: String
    var data: JSONValue
  }

  let client: BenchClient
  private(set) var text = ""
  private(set) var hasEnded = false

  init(_ bench: HostBench, _ headers: String = "", method: String = "GET", sendBufferBytes: Int32? = nil) throws {
    client = try BenchClient(
      bench, serves: .monitor, request: "\(method) /events HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n",
      sendBufferBytes: sendBufferBytes)
  }

  /// The events that came since the last look.
  func events() throws -> [Event] {
    let rest = client.rest()
    hasEnded = rest.hasEnded
    text = rest.text
    var events: [Event] = []
    // What ends a chunk's head is one character, "\r\n".
    let lines = text.split(whereSeparator: \.isNewline)
    for (line, next) in zip(lines, lines.dropFirst()) where line.hasPrefix("event: ") {
      #expect(next.hasPrefix("data: "))
      events.append(Event(name: String(line.dropFirst(7)), data: try JSONValue(parsing: String(next.dropFirst(6)))))
    }
    return events
  }

  var names: [String] { get throws { try events().map(\.name) } }
}

private func frame(_ number: Int, of bytes: Int = 0, isNew: Bool = true) -> FeedFrame {
  let text = FeedEvent.text("requests") {
    $0.append("{\"at\":\(number),\"pad\":\"\(String(repeating: "x", count: bytes))\"}")
  }
  let old = FeedEvent.text("providers") { $0.append("[]") }
  return FeedFrame([FeedEvent(text: old, isNew: false), FeedEvent(text: text, isNew: isNew)])
}

extension HostBench {
  fileprivate func show(_ frame: FeedFrame?) { run { [loop] in loop.feed.show(frame) } }
}

private let principals: [(name: String, role: Principals.Role, token: String)] = [
  ("c", .client, "client-token-0001"), ("v", .viewer, "viewer-token-0001"), ("a", .admin, "admin-token-00001"),
]

private func bearer(_ token: String) -> String { "Authorization: Bearer \(token)\r\n" }

struct FeedTests {
  @Test func `who begins to watch is greeted and told everything, then what is new`() throws {
    let bench = try HostBench()
    let watcher = try Watcher(bench)
    let events = try watcher.events()
    #expect(watcher.text.hasPrefix("HTTP/1.1 200 OK\r\n") && watcher.text.contains("\r\nConnection: close\r\n"))
    #expect(watcher.text.contains("\r\nContent-Type: text/event-stream\r\n"))
    #expect(watcher.text.contains("\r\nCache-Control: no-store\r\n"))
    #expect(
      events.map(\.name) == [
        "hello", "providers", "requests", "sessions", "recent", "configuration", "metrics", "health",
      ])
    let hello = try #require(events.first).data
    #expect(hello["protocol"] == .integer(1) && hello["version"] == .string("9.9.9"))
    #expect(hello["role"] == .string("open") && hello["principal"] == .null && hello["csrf"]?.string != nil)
    #expect(events.first { $0.name == "metrics" }?.data["full"] == .bool(true))
    // The next look is a second later.
    var later: [Watcher.Event] = []
    try bench.wait {
      later += (try? watcher.events()) ?? []
      return !later.isEmpty
    }
    #expect(later.map(\.name) == ["requests", "sessions", "metrics"])
    #expect(later[2].data["full"] == .bool(false))
    #expect(bench.services.monitor.seats.count == 1)
    watcher.client.disconnect()
    bench.run()
    #expect(bench.services.monitor.seats.count == 0 && bench.loop.feed.watchers.isEmpty)
  }

  @Test func `the next who comes is told at once what is known`() throws {
    let bench = try HostBench()
    let first = try Watcher(bench)
    _ = try first.events()
    bench.show(frame(7))
    let second = try Watcher(bench)
    let events = try second.events()
    #expect(events.map(\.name) == ["hello", "providers", "requests"])
    #expect(events.last?.data["at"] == .integer(7))
  }

  @Test func `calls and sessions are shown while they live, and calls for a while after`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"call_tool","request_id":"q\"1","name":"chat","arguments":{"prompt":"p","stream":true}}"#)
    bench.run { bench.provider.emit(1, .text, "a") }
    let watcher = try Watcher(bench)
    var events = try watcher.events()
    let live = try #require(events.first { $0.name == "requests" }?.data)
    #expect(live["total"] == .integer(1))
    let call = try #require(live["live"]?[0])
    #expect(call["id"] == .string("q\"1") && call["provider"] == .string("fake") && call["model"] == .string("m-1"))
    #expect(call["phase"] == .string("answering") && call["is_paused"] == .bool(false))
    #expect(call["chunks"] == .integer(1) && call["attempt"] == .integer(1) && call["tool"] == .string("chat"))
    let sessions = try #require(events.first { $0.name == "sessions" }?.data)
    #expect(sessions["total"] == .integer(1) && sessions["sessions"]?[0]?["in_flight"] == .integer(1))
    #expect(sessions["sessions"]?[0]?["id"] == call["session"])
    bench.run { bench.provider.answer(1, "b") }
    events = []
    try bench.wait {
      events += (try? watcher.events()) ?? []
      return events.contains { $0.name == "recent" }
    }
    let ended = try #require(events.first { $0.name == "recent" }?.data[0])
    #expect(ended["outcome"] == .string("complete") && ended["code"] == .null && ended["chunks"] == .integer(2))
    #expect(ended["key"] == call["key"] && ended["started_at"] == call["started_at"])
    #expect(events.first { $0.name == "requests" }?.data["total"] == .integer(0))
  }

  @Test func `sixty-four may watch, the next is told so, and a seat that is left is free`() throws {
    let bench = try HostBench()
    let seats = bench.services.monitor.seats
    for _ in 0..<(WatcherSeats.limit - 1) { #expect(seats.take()) }
    let last = try Watcher(bench)
    #expect(try last.names.first == "hello")
    let tooMany = try Watcher(bench)
    #expect(try tooMany.names.isEmpty)
    #expect(tooMany.text.hasPrefix("HTTP/1.1 503 ") && tooMany.text.contains("\r\nRetry-After: 10\r\n"))
    last.client.disconnect()
    bench.run()
    #expect(seats.count == WatcherSeats.limit - 1)
    #expect(try Watcher(bench).names.first == "hello")
  }

  @Test func `who does not read has one frame waiting, misses others, and is told everything when it reads again`()
    throws
  {
    let bench = try HostBench()
    let watcher = try Watcher(bench, sendBufferBytes: 4_608)
    _ = try watcher.events()
    for number in 1...20 { bench.show(frame(number, of: 100_000)) }
    let connection = try #require(bench.loop.connections.first)
    #expect(connection.outbound.count > 0 && connection.outbound.count < 100_000)
    let events = try watcher.events()
    #expect(events.map { $0.data["at"] } == [.integer(1)])
    bench.show(frame(21))
    #expect(try watcher.names == ["providers", "requests"], "all of it, not what is new only")
    bench.show(frame(22))
    #expect(try watcher.names == ["requests"])
    bench.show(frame(23, isNew: false))
    #expect(try watcher.names.isEmpty)
  }

  @Test func `a drain is watched to its end, which is told`() throws {
    let bench = try HostBench()
    let watcher = try Watcher(bench)
    _ = try watcher.events()
    bench.run { bench.loop.drain(isOver: false) }
    bench.show(frame(1))
    #expect(try watcher.names == ["requests"])
    bench.run { bench.loop.drain(isOver: true) }
    let events = try watcher.events()
    #expect(events.map(\.name) == ["bye"] && events.first?.data["reason"] == .string("the host has stopped"))
    #expect(watcher.hasEnded && watcher.text.hasSuffix("0\r\n\r\n"))
    #expect(bench.services.monitor.seats.count == 0)
  }

  @Test func `those who only watch do not hold up a drain`() throws {
    let bench = try HostBench()
    var told = 0
    bench.loop.onEmpty = { told += 1 }
    let watcher = try Watcher(bench)
    let client = try BenchClient.connected(to: bench)
    bench.run { bench.loop.drain(isOver: false) }
    client.disconnect()
    bench.run()
    #expect(told > 0 && bench.loop.connections.count == 1)
    _ = try watcher.events()
  }

  @Test func `to HEAD only the head is sent, and no seat is kept`() throws {
    let bench = try HostBench()
    let watcher = try Watcher(bench, method: "HEAD")
    #expect(try watcher.names.isEmpty)
    #expect(watcher.text.hasPrefix("HTTP/1.1 200 OK\r\n") && watcher.text.hasSuffix("\r\n\r\n"))
    #expect(bench.services.monitor.seats.count == 0)
  }

  @Test func `nobody is looked at while nobody watches, and what was known then is forgotten`() throws {
    let bench = try HostBench()
    let watcher = try Watcher(bench)
    _ = try watcher.events()
    watcher.client.disconnect()
    // The feed rests with its next look; who comes then is told of a look of its own.
    let before = Instant.now()
    try bench.wait { Instant.now().nanoseconds(since: before) > 1_100_000_000 }
    bench.run { bench.loop.records.end(bench.loop.records.begin(receivedAt: .now()), ended) }
    let next = try Watcher(bench)
    let recent = try #require(try next.events().first { $0.name == "recent" }?.data)
    #expect(recent.array?.count == 1)
  }

  private var ended: CallSummary {
    CallSummary(
      ticket: Ticket(loop: 0, call: 1), id: Array("\"x\"".utf8), session: 0, principal: nil,
      model: ModelEntry(id: "m-1", provider: 0, providerID: "fake"), tool: "chat", attempts: 1, receivedAt: .now(),
      queuedNanoseconds: 0, firstTokenAt: .never, lastChunkAt: .never, chunks: 0, maxGapMicroseconds: 0,
      state: .ended(outcome: "failed", error: CallError(.timeout, "late"), at: .now()))
  }

  @Test(
    arguments: [
      ("", nil), ("client-token-0001", nil), ("nobodys-token-001", nil), ("viewer-token-0001", "viewer"),
      ("admin-token-00001", "admin"),
    ] as [(String, String?)])
  func `viewers and admins watch where principals are configured`(token: String, role: String?) throws {
    let bench = try HostBench(principals: principals)
    let watcher = try Watcher(bench, token.isEmpty ? "" : bearer(token))
    let hello = try watcher.events().first?.data
    #expect(hello?["role"]?.string == role)
    #expect((hello?["csrf"]?.string != nil) == (role == "admin"), "only who may act is told what acting needs")
    if role == nil { #expect(watcher.text.hasPrefix("HTTP/1.1 401 ")) }
  }

  @Test func `who is not configured any more is not shown another frame`() throws {
    let bench = try HostBench(principals: principals)
    let watcher = try Watcher(bench, bearer("viewer-token-0001"))
    _ = try watcher.events()
    bench.services.principals.replace([principals[2]])
    bench.show(frame(1))
    #expect(try watcher.names == ["bye"])
    #expect(watcher.hasEnded)
  }

  @Test func `a silent feed says a comment now and then`() throws {
    let bench = try HostBench()
    let watcher = try Watcher(bench)
    _ = try watcher.events()
    bench.run { for watcher in bench.loop.feed.watchers { watcher.comment() } }
    _ = try watcher.events()
    #expect(watcher.text == "3\r\n:\n\n\r\n")
  }

  @Test func `health is told when more of it has changed than the time`() throws {
    let bench = try HostBench()
    var composer = FeedComposer(bench.services)
    func told(_ status: String, _ uptime: Int64) -> Bool {
      bench.services.monitor.tellHealth {
        .object([.init("status", .string(status)), .init("uptime_seconds", .integer(uptime))])
      }
      let frame = composer.compose([LoopView()], hasEnded: false)
      #expect(String(decoding: frame.whole, as: UTF8.self).contains("event: health\ndata: {\"status\":\"\(status)\""))
      return String(decoding: frame.changes, as: UTF8.self).contains("event: health")
    }
    #expect(told("healthy", 1))
    #expect(!told("healthy", 2))
    #expect(told("degraded", 3))
  }
}
