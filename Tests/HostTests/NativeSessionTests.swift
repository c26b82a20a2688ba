import JSON
import Testing
import Wire

@testable import Host

private func chat(_ id: String, _ arguments: String = #""prompt":"hi""#) -> String {
  #"{"op":"call_tool","request_id":"\#(id)","name":"chat","arguments":{\#(arguments)}}"#
}

/// The operations of a session, and what is said of messages that are none.
struct NativeSessionTests {
  @Test func `a call is acknowledged, streamed and answered, all with its id`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r\\u0041", #""prompt":"hi","stream":true"#))
    let ack = try client.message()
    #expect(ack.gist == "call_tool_ack")
    #expect(ack["accepted"]?.bool == true)
    #expect(ack["total_seconds"]?.double == 180)
    #expect(ack["timeout"]?.double == 270)
    bench.run { bench.provider.emit(1, .text, "Hel\"\n") }
    bench.run { bench.provider.emit(1, .toolCall, id: "t1", name: "look") }
    bench.run { bench.provider.emit(1, .toolArguments, "{}") }
    bench.run { bench.provider.emit(1, .reasoning, "hm") }
    bench.run { bench.provider.answer(1, "lo") }
    let messages = try client.messages()
    #expect(messages.allSatisfy { $0["request_id"]?.string == "rA" })
    #expect(messages.map(\.gist) == Array(repeating: "delta", count: 5) + ["call_tool_res"])
    #expect(messages.dropLast().map { $0["seq"]?.integer } == [0, 1, 2, 3, 4])
    let result = try #require(messages.last)
    #expect(result["ok"]?.bool == true)
    #expect(result["text"]?.string == "Hel\"\nlo")
    #expect(messages.compactMap { $0["op"]?.string == "delta" ? $0["text"]?.string : nil }.joined() == "Hel\"\nlo")
    #expect(result["outputs"]?.array?.map { $0["type"]?.string } == ["reasoning", "text", "tool_call"])
    #expect(messages[1]["tool_calls"]?[0]?["name"]?.string == "look")
    let metadata = try #require(result["metadata"])
    #expect(metadata["requested_model"] == .null)
    #expect(metadata["model_used"]?.string == "m-1")
    #expect(metadata["provider"]?.string == "fake")
    #expect(metadata["finish_reason"]?.string == "stop")
    #expect(metadata["outcome"]?.string == "complete")
    #expect(metadata["usage"]?["input_tokens"]?.integer == 7)
    for name in ["queued_ms", "upstream_ms", "overhead_ms"] { #expect(metadata[name]?.double != nil) }
    bench.expectNothingHeld(sessions: 1)
  }

  @Test func `without stream there is no delta, and a call without an id gets one`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"call_tool","name":"chat_EXAI-WS","arguments":{"prompt":"hi","timeout":2}}"#)
    let ack = try client.message()
    #expect(ack["total_seconds"]?.double == 2)
    #expect(ack["timeout"]?.double == 3)
    #expect(ack["request_id"]?.string?.isEmpty == false)
    bench.run { bench.provider.answer(1, "Hello") }
    let result = try client.message()
    #expect(result.gist == "call_tool_res")
    #expect(result["request_id"] == ack["request_id"])
  }

  @Test func `calls of one connection end in the order of their providers, each with its own text`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    for id in 1...3 { client.send(chat("r\(id)")) }
    #expect(try client.messages().count == 3)
    bench.run { for call in [2, 3, 1] as [UInt64] { bench.provider.answer(call, "text \(call)") } }
    let results = try client.messages()
    #expect(results.map { $0["request_id"]?.string } == ["r2", "r3", "r1"])
    #expect(results.map { $0["text"]?.string } == ["text 2", "text 3", "text 1"])
    bench.expectNothingHeld(sessions: 1)
  }

  @Test(
    arguments: [
      (chat("1", ""), "call_tool_res VALIDATION_ERROR"),
      (chat("1", #""prompt":" ""#), "call_tool_res VALIDATION_ERROR"),
      (chat("1", #""prompt":"x","temperature":1.1"#), "call_tool_res VALIDATION_ERROR"),
      (chat("1", #""prompt":"x","model":"nobody""#), "call_tool_res NOT_FOUND"),
      (#"{"op":"call_tool","request_id":"1","name":"chat"}"#, "call_tool_res VALIDATION_ERROR"),
      (#"{"op":"call_tool","request_id":"1","name":"chat","arguments":[]}"#, "call_tool_res INVALID_REQUEST"),
      (#"{"op":"call_tool","request_id":"1","name":"","arguments":{}}"#, "call_tool_res INVALID_REQUEST"),
      (#"{"op":"call_tool","request_id":"1","arguments":{}}"#, "call_tool_res INVALID_REQUEST"),
      (#"{"op":"call_tool","request_id":"1","name":"chatter","arguments":{}}"#, "call_tool_res TOOL_NOT_FOUND"),
      (#"{"op":"call_tool","request_id":1,"name":"chat","arguments":{}}"#, "call_tool_res INVALID_REQUEST"),
      (#"{"op":"call_tool","request_id":"1","name":"version","arguments":{"x":1}}"#, "call_tool_res VALIDATION_ERROR"),
      (#"{"op":"fly","request_id":"1"}"#, "error PROTOCOL_ERROR"),
      (#"{"op":"hello","request_id":"1"}"#, "error INVALID_REQUEST"),
      (#"{"op":"cancel"}"#, "error INVALID_REQUEST"), (#"{"request_id":"1"}"#, "error INVALID_REQUEST"),
      (#"{"op":7,"request_id":"1"}"#, "error INVALID_REQUEST"), ("[]", "error INVALID_REQUEST"),
      (#"{"op":"health""#, "error VALIDATION_ERROR"), ("", "error VALIDATION_ERROR"),
    ])
  func `what is wrong is answered with one frame, and the session goes on`(request: String, gist: String) throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(request)
    let reply = try client.message()
    #expect(reply.gist == gist)
    let id = (try? JSONValue(parsing: request))?["request_id"]
    #expect(reply["request_id"] == id)
    #expect(bench.provider.words.isEmpty)
    client.send(#"{"op":"health"}"#)
    #expect(try client.message().gist == "health_res")
    bench.expectNothingHeld(sessions: 1)
  }

  @Test(arguments: [(1, true), (199, true), (200, true), (201, false), (0, false)])
  func `a request id has 1 to 200 characters`(count: Int, isTaken: Bool) throws {
    let client = try BenchClient.connected(to: try HostBench())
    client.send(#"{"op":"list_tools","request_id":"\#(String(repeating: "é", count: count))"}"#)
    #expect(try client.message().gist == (isTaken ? "list_tools_res" : "error INVALID_REQUEST"))
  }

  @Test(arguments: [-1, 0, 1])
  func `arguments may have their bytes and not one more`(beyond: Int) throws {
    let bench = try HostBench { $0.limits.argumentsBytes = 1_000 }
    let client = try BenchClient.connected(to: bench)
    let prompt = String(repeating: "x", count: 1_000 + beyond - #"{"prompt":""}"#.utf8.count)
    client.send(chat("1", #""prompt":"\#(prompt)""#))
    let reply = try client.message()
    guard beyond > 0 else {
      #expect(reply.gist == "call_tool_ack")
      bench.run { bench.provider.answer(1, "x") }
      return
    }
    #expect(reply.gist == "call_tool_res OVER_CAPACITY")
    #expect(reply["error"]?["details"]?["actual_size"]?.integer == 1_001)
    #expect(reply["error"]?["details"]?["limit"]?.integer == 1_000)
  }

  @Test func `cancel is answered, then the call ends cancelled with what it had`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    bench.run { bench.provider.emit(1, .text, "Hel") }
    _ = try client.messages()
    client.send(#"{"op":"cancel","request_id":"r\u0031"}"#)
    let replies = try client.messages()
    #expect(replies.map(\.gist) == ["cancel_res", "call_tool_res CANCELLED"])
    #expect(replies[0]["ok"]?.bool == true)
    #expect(replies[1]["text"]?.string == "Hel")
    #expect(replies[1]["metadata"]?["outcome"]?.string == "cancelled")
    #expect(bench.provider.words.last == "release 1 client")
    client.send(#"{"op":"cancel","request_id":"r1"}"#)
    #expect(try client.message().gist == "cancel_res not_in_flight")
    bench.expectNothingHeld(sessions: 1)
  }

  @Test func `a client that leaves cancels what runs and what waits`() throws {
    let bench = try HostBench(providerLimit: 2, queued: 2)
    let client = try BenchClient.connected(to: bench)
    for id in 1...3 { client.send(chat("r\(id)")) }
    #expect(try client.messages().count == 2)
    #expect(bench.core.read(now: .now()).queued == 1)
    client.disconnect()
    #expect(bench.provider.words.suffix(2) == ["release 1 client", "release 2 client"])
    bench.expectNothingHeld()
    #expect(bench.core.read(now: .now()).connections == 0)
  }

  @Test(arguments: [(2, 24, 100, "session", 2), (8, 2, 100, "global", 2), (8, 24, 2, "provider", 2)])
  func `a call over a limit is refused with the limit, and its retry is taken when a permit is back`(
    session: Int, global: Int, provider: Int, scope: String, limit: Int
  ) throws {
    let bench = try HostBench(providerLimit: provider) {
      $0.limits.sessionInFlight = session
      $0.limits.inFlight = global
    }
    let client = try BenchClient.connected(to: bench)
    for id in 1...3 { client.send(chat("r\(id)")) }
    let replies = try client.messages()
    #expect(replies.map(\.gist) == ["call_tool_ack", "call_tool_ack", "call_tool_res OVER_CAPACITY"])
    let details = replies[2]["error"]?["details"]
    #expect(details?["scope"]?.string == scope)
    #expect(details?["limit"]?.integer == Int64(limit))
    #expect(details?["in_flight"]?.integer == Int64(limit))
    #expect(replies[2]["metadata"] == nil, "nothing ran, so there is no outcome")
    bench.run { bench.provider.answer(1, "x") }
    client.send(chat("r3"))
    #expect(try client.messages().map(\.gist) == ["call_tool_res", "call_tool_ack"])
    bench.run { for call in [2, 3] as [UInt64] { bench.provider.answer(call, "x") } }
    bench.expectNothingHeld(sessions: 1)
  }

  @Test func `tools, models, health and the built-in tools are listed`() throws {
    let client = try BenchClient.connected(to: try HostBench())
    client.send(#"{"op":"list_tools","request_id":"1"}"#)
    let tools = try client.message()
    #expect(tools["request_id"]?.string == "1")
    #expect(tools["tools"]?.array?.map { $0["name"]?.string } == NativeTool.allCases.map(\.rawValue))
    #expect(tools["tools"]?[0]?["inputSchema"]?["additionalProperties"]?.bool == false)
    client.send(#"{"op":"list_models"}"#)
    #expect(try client.message()["models"]?[0]?["id"]?.string == "m-1")
    client.send(#"{"op":"health"}"#)
    let health = try #require(try client.message()["health"])
    for name in ["sessions", "global_capacity", "global_in_flight", "tool_count"] {
      #expect(health[name]?.integer != nil)
    }
    #expect(health["providers"]?["fake"]?["state"]?.string == "active")
    for tool in NativeTool.allCases where tool != .chat {
      client.send(#"{"op":"call_tool","request_id":"b","name":"\#(tool.rawValue)","arguments":{}}"#)
      let replies = try client.messages()
      #expect(replies.map(\.gist) == ["call_tool_ack", "call_tool_res"])
      #expect(throws: Never.self) { try JSONValue(parsing: try #require(replies.last?["text"]?.string)) }
    }
  }

  @Test func `a host whose providers are not ready says so`() throws {
    let client = try BenchClient.connected(to: try HostBench(isReady: false))
    client.send(chat("1"))
    let reply = try client.message()
    #expect(reply.gist == "call_tool_res SERVICE_UNAVAILABLE")
    #expect(reply["error"]?["details"]?["reason"]?.string == "starting")
  }

  @Test func `a drain lets calls finish, refuses new ones, and then closes with 1012`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    let idle = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    _ = try client.message()
    bench.core.beginDrain()
    bench.run { [loop = bench.loop] in loop.drain(isOver: false) }
    #expect(try idle.events() == [.close(code: 1012, reason: "the host is shutting down")])
    client.send(chat("r2"))
    #expect(try client.message().gist == "call_tool_res SERVICE_UNAVAILABLE")
    bench.run { bench.provider.answer(1, "x") }
    let events = try client.events()
    guard case .message(let result) = events.first else {
      Issue.record("\(events)")
      return
    }
    #expect(result["ok"]?.bool == true)
    #expect(events.last == .close(code: 1012, reason: "the host is shutting down"))
    bench.expectNothingHeld()
  }

  @Test func `a drain that is over cancels what still runs`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    for id in 1...2 { client.send(chat("r\(id)")) }
    _ = try client.messages()
    bench.core.beginDrain()
    bench.run { [loop = bench.loop] in
      loop.drain(isOver: false)
      loop.drain(isOver: true)
    }
    let events = try client.events()
    #expect(events.count == 3)
    #expect(events.last == .close(code: 1012, reason: "the host is shutting down"))
    #expect(bench.provider.words.suffix(2) == ["release 1 stop", "release 2 stop"])
    bench.expectNothingHeld()
  }
}
