import JSON
import Testing

@testable import Host

private func chat(_ id: String, _ arguments: String = #""prompt":"hi""#) -> String {
  #"{"op":"call_tool","request_id":"\#(id)","name":"chat","arguments":{\#(arguments)}}"#
}

/// Requests that come again: under the same id while it runs, after it has ended, and under another id.
struct RepeatedRequestTests {
  @Test func `the same request joins the call that runs, however its id is spelled, and each gets its answer`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("rA", #""prompt":"hi","stream":true"#))
    #expect(try client.message()["attached"] == nil)
    client.send(chat(#"r\u0041"#, #""timeout":60,"prompt":"hi""#))
    let ack = try client.message()
    #expect(ack.gist == "call_tool_ack")
    #expect(ack["attached"]?.bool == true)
    #expect(bench.provider.words == ["open 1 m-1"], "one call upstream")
    bench.run { bench.provider.answer(1, "x") }
    let messages = try client.messages()
    #expect(messages.map(\.gist) == ["delta", "call_tool_res", "call_tool_res"])
    #expect(messages.dropFirst().allSatisfy { $0["text"]?.string == "x" && $0["request_id"]?.string == "rA" })
    bench.expectNothingHeld(sessions: 1)
  }

  @Test func `an id that runs with other arguments is refused, and the call goes on`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    _ = try client.message()
    client.send(chat("r1", #""prompt":"other""#))
    let refusal = try client.message()
    #expect(refusal.gist == "call_tool_res INVALID_REQUEST")
    #expect(refusal["error"]?["message"]?.string?.contains(#""r1" is in flight with other arguments"#) == true)
    bench.run { bench.provider.answer(1, "x") }
    #expect(try client.message().gist == "call_tool_res")
    bench.expectNothingHeld(sessions: 1)
  }

  @Test func `who cancels leaves alone; the last to leave ends the call upstream`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    for _ in 0..<2 { client.send(chat("r1")) }
    #expect(try client.messages().map(\.gist) == ["call_tool_ack", "call_tool_ack"])
    client.send(#"{"op":"cancel","request_id":"r1"}"#)
    #expect(try client.messages().map(\.gist) == ["cancel_res", "call_tool_res CANCELLED"])
    #expect(bench.provider.running == [1])
    client.send(#"{"op":"cancel","request_id":"r1"}"#)
    #expect(try client.messages().map(\.gist) == ["cancel_res", "call_tool_res CANCELLED"])
    #expect(bench.provider.words == ["open 1 m-1", "release 1 client"])
    bench.expectNothingHeld(sessions: 1)
  }

  @Test func `whoever joined a call that waits hears of it when it begins, or is refused with it`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1)
    let client = try BenchClient.connected(to: bench)
    client.send(chat("first"))
    for _ in 0..<2 { client.send(chat("second")) }
    #expect(try client.messages().map(\.gist) == ["call_tool_ack"])
    bench.run { bench.provider.answer(1, "x") }
    let messages = try client.messages()
    #expect(messages.map(\.gist) == ["call_tool_res", "call_tool_ack", "call_tool_ack"])
    #expect(messages.map { $0["attached"]?.bool } == [nil, nil, true])
    client.send(#"{"op":"cancel","request_id":"second"}"#)
    client.send(#"{"op":"cancel","request_id":"second"}"#)
    _ = try client.messages()
    bench.expectNothingHeld(sessions: 1)
  }

  @Test func `a finished request is answered from what was kept, and asks the provider nothing`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1", #""prompt":"hi","stream":true"#))
    bench.run { bench.provider.answer(1, "Hello") }
    let first = try #require(try client.messages().last)
    #expect(first["cached"] == nil)
    client.send(chat("r1"))
    let second = try client.message()
    #expect(second["cached"]?.bool == true)
    for name in ["text", "outputs", "ok", "metadata"] { #expect(second[name] == first[name]) }
    #expect(bench.provider.words.count == 1)
    client.send(chat("r1", #""prompt":"other""#))
    #expect(try client.message().gist == "call_tool_res INVALID_REQUEST")
    bench.expectNothingHeld(sessions: 1)
  }

  @Test(arguments: ["fails", "is cancelled", "is refused"])
  func `a request that did not complete may be made again at once`(ending: String) throws {
    let bench = try HostBench(providerLimit: 1)
    let client = try BenchClient.connected(to: bench)
    let other = try BenchClient.connected(to: bench)
    var call: UInt64 = 1
    switch ending {
    case "fails":
      client.send(chat("r1"))
      bench.run { bench.provider.done(1, .failed(ProviderFailure(status: ProviderStatus.auth, message: "no"))) }
      #expect(try client.messages().last?.gist == "call_tool_res PROVIDER_ERROR")
    case "is cancelled":
      client.send(chat("r1"))
      client.send(#"{"op":"cancel","request_id":"r1"}"#)
      #expect(try client.messages().last?.gist == "call_tool_res CANCELLED")
    default:
      other.send(chat("o"))
      client.send(chat("r1"))
      #expect(try client.message().gist == "call_tool_res OVER_CAPACITY")
      bench.run { bench.provider.answer(1, "x") }
    }
    call += 1
    client.send(chat("r1"))
    #expect(try client.message().gist == "call_tool_ack")
    bench.run { bench.provider.answer(call, "again") }
    #expect(try client.message()["text"]?.string == "again")
    bench.expectNothingHeld(sessions: 2)
  }

  @Test func `no result reaches another session, nor one that has the number of an ended one`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    bench.run { bench.provider.answer(1, "mine") }
    _ = try client.messages()
    #expect(try bench.value { bench.loop.results.count } == 1)
    let other = try BenchClient.connected(to: bench)
    other.send(chat("r1"))
    #expect(try other.message().gist == "call_tool_ack")
    bench.run { bench.provider.answer(2, "theirs") }
    #expect(try other.message()["text"]?.string == "theirs")
    client.disconnect()
    bench.expectNothingHeld(sessions: 1)
    let heir = try BenchClient.connected(to: bench)
    heir.send(chat("r1"))
    #expect(try heir.message().gist == "call_tool_ack")
    bench.run { bench.provider.answer(3, "new") }
    #expect(try heir.message()["text"]?.string == "new")
  }

  @Test func `the same arguments under another id run twice, unless the client asks to be told`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    client.send(chat("r2"))
    client.send(chat("r3", #""dedupe":true,"prompt":"hi""#))
    client.send(chat("r4", #""dedupe":true,"prompt":"other""#))
    let messages = try client.messages()
    #expect(
      messages.map(\.gist) == ["call_tool_ack", "call_tool_ack", "call_tool_res DUPLICATE", "call_tool_ack"])
    #expect(messages[2]["request_id"]?.string == "r3")
    #expect(messages[2]["error"]?["details"]?["original_request_id"]?.string == "r1")
    #expect(messages[2]["error"]?["details"]?["retry_after"]?.double ?? 0 > 0)
    client.disconnect()
    bench.expectNothingHeld()
  }

  @Test func `a call without an id of its client keeps nothing`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"call_tool","name":"chat","arguments":{"prompt":"hi"}}"#)
    bench.run { bench.provider.answer(1, "x") }
    #expect(try client.messages().map(\.gist) == ["call_tool_ack", "call_tool_res"])
    #expect(try bench.value { bench.loop.results.count } == 0)
  }

  @Test func `with keep_seconds of nothing a repeated request is a new call`() throws {
    let bench = try HostBench { $0.results.keepMilliseconds = 0 }
    let client = try BenchClient.connected(to: bench)
    for call in 1...2 as ClosedRange<UInt64> {
      client.send(chat("r1"))
      #expect(try client.message().gist == "call_tool_ack")
      bench.run { bench.provider.answer(call, "x") }
      #expect(try client.message()["cached"] == nil)
    }
  }
}
