import Bytes
import JSON
import Testing
import Wire

@testable import Host

private let token = "client-token-0001"
private let viewer = "viewer-token-0001"

private func guarded() throws -> HostBench {
  try HostBench(principals: [("editor", .client, token), ("watcher", .viewer, viewer)])
}

/// The first frame, and every way in which a connection is refused.
struct NativeHelloTests {
  @Test func `hello is answered with a session, the protocol, the limits and the heartbeat`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench, hello: nil)
    client.send(#"{"op":"hello","client_name":"x","session_id":"mine"}"#)
    let ack = try client.message()
    #expect(ack["op"]?.string == "hello_ack")
    #expect(ack["ok"]?.bool == true)
    let session = try #require(ack["session_id"]?.string)
    #expect(session.utf8.count == 43)
    let isURLSafe = session.unicodeScalars.allSatisfy {
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".unicodeScalars.contains($0)
    }
    #expect(isURLSafe)
    #expect(ack["protocol"]?.integer == 1)
    #expect(ack["server"]?["version"]?.string == "9.9.9")
    #expect(ack["limits"]?["frame_bytes"]?.integer == 16_777_216)
    #expect(ack["limits"]?["arguments_bytes"]?.integer == 10_485_760)
    #expect(ack["limits"]?["session_in_flight"]?.integer == 8)
    #expect(ack["heartbeat_seconds"]?.double == 8)
    #expect(bench.core.read(now: .now()).sessions == 1)
    client.disconnect()
    bench.expectNothingHeld()
    #expect(bench.core.read(now: .now()).connections == 0)
  }

  @Test func `no two sessions have the same id`() {
    #expect(Set((0..<100).map { _ in SessionID.make() }).count == 100)
  }

  @Test(
    arguments: [
      ("not json", "invalid_hello", 4000 as UInt16), ("", "invalid_hello", 4000), ("[1]", "invalid_hello", 4000),
      ("7", "invalid_hello", 4000), (#"{"op":"hello"} x"#, "invalid_hello", 4000),
      (#"{"op":"health"}"#, "missing_hello", 4001), ("{}", "missing_hello", 4001),
      (#"{"op":5}"#, "missing_hello", 4001),
      (#"{"op":"hello","token":5}"#, "unauthorized", 4003),
    ])
  func `a first frame that is no hello is refused with its name and code`(frame: String, error: String, code: UInt16)
    throws
  {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench, hello: nil)
    client.send(frame)
    let events = try client.events()
    try #require(events.count == 2, "\(events)")
    guard case .message(let ack) = events[0], case .close(code, _) = events[1] else {
      Issue.record("\(events)")
      return
    }
    #expect(ack["op"]?.string == "hello_ack")
    #expect(ack["ok"]?.bool == false)
    #expect(ack["error"]?.string == error)
    bench.expectNothingHeld()
  }

  @Test(
    arguments: [
      #""token":"wrong""#, #""token":"""#, #""token":null"#, #""token":["client-token-0001"]"#, #""name":"x""#,
      #""token":"viewer-token-0001""#,
    ])
  func `a wrong, missing or viewing token is unauthorized`(member: String) throws {
    let bench = try guarded()
    let client = try BenchClient.connected(to: bench, hello: nil)
    client.send(#"{"op":"hello",\#(member)}"#)
    let events = try client.events()
    guard case .message(let ack) = events.first, case .close(4003, _) = events.last else {
      Issue.record("\(events)")
      return
    }
    #expect(ack["error"]?.string == "unauthorized")
    bench.expectNothingHeld()
  }

  @Test func `the right token opens a session, and can be changed for the next`() throws {
    let bench = try guarded()
    let client = try BenchClient.connected(to: bench, hello: #"{"op":"hello","token":"\#(token)"}"#)
    for (request, outcome) in [
      (#"{"op":"rotate_token","request_id":"1"}"#, "rotate_token_res missing_params"),
      (#"{"op":"rotate_token","old":"wrong","new":"0123456789abcdef"}"#, "rotate_token_res unauthorized"),
      (#"{"op":"rotate_token","old":"\#(token)","new":"0123456789abcde"}"#, "rotate_token_res weak_token"),
      (#"{"op":"rotate_token","old":"\#(token)","new":"0123456789abcdef"}"#, "rotate_token_res"),
    ] {
      client.send(request)
      #expect(try client.message().gist == outcome)
    }
    _ = try BenchClient.connected(to: bench, hello: #"{"op":"hello","token":"0123456789abcdef"}"#)
    let old = try BenchClient.connected(to: bench, hello: nil)
    old.send(#"{"op":"hello","token":"\#(token)"}"#)
    #expect(try old.message().gist == "hello_ack unauthorized")
  }

  @Test func `an open host has no token to change`() throws {
    let client = try BenchClient.connected(to: try HostBench())
    client.send(#"{"op":"rotate_token","old":"x","new":"0123456789abcdef"}"#)
    #expect(try client.message().gist == "rotate_token_res unauthorized")
  }

  @Test func `a client that says nothing in time is closed with 4002`() throws {
    let bench = try HostBench { $0.timeouts.helloMilliseconds = 0 }
    // Sent before the host looks, so that the request is in time.
    let client = try BenchClient(bench, request: BenchClient.upgrade())
    #expect(try client.head()?.status == 101)
    #expect(try client.events() == [.close(code: 4002, reason: "no hello within the time for it")])
    bench.expectNothingHeld()
  }

  @Test func `a client that sends no request in time gets 408`() throws {
    let client = try BenchClient(try HostBench { $0.timeouts.requestMilliseconds = 0 }, request: "GET / HT")
    #expect(try client.head()?.status == 408)
  }

  @Test(arguments: [1, 2])
  func `sessions over the limit are refused, and taken again when one has left`(limit: Int) throws {
    let bench = try HostBench { $0.limits.sessions = limit }
    let clients = try (0..<limit).map { _ in try BenchClient.connected(to: bench) }
    let late = try BenchClient.connected(to: bench, hello: nil)
    late.send(#"{"op":"hello"}"#)
    let events = try late.events()
    guard case .message(let ack) = events.first, case .close(1008, "limits.sessions reached") = events.last else {
      Issue.record("\(events)")
      return
    }
    #expect(ack.gist == "hello_ack session_limit")
    clients[0].disconnect()
    _ = try BenchClient.connected(to: bench)
  }

  @Test func `connections over a limit are closed with 1008 and the limit`() throws {
    let bench = try HostBench {
      $0.limits.connections = 3
      $0.limits.connectionsPerAddress = 1
    }
    let peer = try #require(SocketAddress(literal: "10.0.0.1", port: 9))
    let first = try BenchClient.connected(to: bench, peer: peer)
    let second = try BenchClient.connected(to: bench, peer: peer, hello: nil)
    #expect(
      try second.events() == [.close(code: 1008, reason: "limits.connections_per_address reached: 1")])
    second.disconnect()
    let others = try (0..<2).map { _ in try BenchClient.connected(to: bench) }
    let third = try BenchClient.connected(to: bench, hello: nil)
    #expect(try third.events() == [.close(code: 1008, reason: "limits.connections reached: 3")])
    for client in others + [first, third] { client.disconnect() }
    #expect(bench.core.read(now: .now()).connections == 0)
    _ = try BenchClient.connected(to: bench, peer: peer)
  }

  @Test(
    arguments: [
      ("host", "evil.example", ""), ("host", "", ""), ("origin", "127.0.0.1", "Origin: https://evil.example\r\n"),
      ("origin", "127.0.0.1", "Origin: null\r\n"),
    ])
  func `a Host or Origin that is not allowed is refused before the upgrade`(name: String, host: String, headers: String)
    throws
  {
    let client = try BenchClient(
      try HostBench(), request: BenchClient.upgrade(host: host, headers: headers))
    #expect(try client.head()?.status == 403)
    let rest = client.rest()
    #expect(rest.hasEnded)
    #expect(rest.text.lowercased().contains("the \(name) header"))
  }

  @Test func `a host that drains closes new connections with 1012`() throws {
    let bench = try HostBench()
    bench.core.beginDrain()
    bench.run { [loop = bench.loop] in loop.drain(isOver: false) }
    let client = try BenchClient.connected(to: bench, hello: nil)
    #expect(try client.events() == [.close(code: 1012, reason: "the host is shutting down")])
  }

  @Test func `a client that does not wait for the upgrade is heard all the same`() throws {
    let bench = try HostBench()
    var frame = ByteBuffer()
    Array(#"{"op":"hello"}"#.utf8).withUnsafeBytes {
      WebSocketEncoder.appendMasked(.text, $0, key: 7, to: &frame)
    }
    let client = try BenchClient(bench, request: BenchClient.upgrade())
    client.write(frame.copy())
    #expect(try client.head()?.status == 101)
    #expect(try client.message().gist == "hello_ack")
  }
}
