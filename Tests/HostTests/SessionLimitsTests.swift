import JSON
import Testing

@testable import Host

/// Rates and idle sessions, as a client meets them.
struct SessionLimitsTests {
  private func rates(_ burst: Int, _ perSecond: Int = 1) -> Configuration.Rates.Rate {
    Configuration.Rates.Rate(burst: burst, perSecond: perSecond)
  }

  @Test func `one message more than the rate is an error frame with a hint, and the connection stays`() throws {
    let bench = try HostBench { $0.rates.principal = rates(50, 5) }
    let client = try BenchClient.connected(to: bench)
    for _ in 0..<50 { client.send(#"{"op":"health"}"#) }
    #expect(try client.messages().map(\.gist) == Array(repeating: "health_res", count: 50))
    client.send(#"{"op":"list_tools","request_id":"r7"}"#)
    let refusal = try client.message()
    #expect(refusal.gist == "error RATE_LIMITED")
    #expect(refusal["request_id"]?.string == "r7")
    let details = try #require(refusal["error"]?["details"])
    #expect(details["scope"]?.string == "principal")
    #expect(details["burst"]?.integer == 50)
    #expect((0.001...0.2).contains(details["retry_after"]?.double ?? 0))
    try bench.wait {
      client.send(#"{"op":"health"}"#)
      return (try? client.message().gist) == "health_res"
    }
  }

  @Test func `a call over the rate is refused as a call, nonsense counts too, and cancel never`() throws {
    let bench = try HostBench { $0.rates.global = rates(2) }
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"call_tool","request_id":"r1","name":"chat","arguments":{"prompt":"hi"}}"#)
    client.send("nonsense")
    client.send("[]")
    client.send("{")
    client.send(#"{"op":"call_tool","request_id":"r2","name":"chat","arguments":{"prompt":"hi"}}"#)
    client.send(#"{"op":"cancel","request_id":"r1"}"#)
    #expect(
      try client.messages().map(\.gist) == [
        "call_tool_ack", "error VALIDATION_ERROR", "error RATE_LIMITED", "error RATE_LIMITED",
        "call_tool_res RATE_LIMITED", "cancel_res", "call_tool_res CANCELLED",
      ])
    #expect(bench.core.read(now: .now()).counters.rateLimited == 3)
    bench.expectNothingHeld(sessions: 1)
  }

  @Test func `a session that was silent for its time is closed by the sweep, a busy one is kept`() throws {
    let bench = try HostBench {
      $0.sessions.idleMilliseconds = 0
      $0.sessions.sweepMilliseconds = 1
    }
    let idle = try BenchClient.connected(to: bench)
    let busy = try BenchClient.connected(to: bench)
    busy.send(#"{"op":"call_tool","request_id":"r1","name":"chat","arguments":{"prompt":"hi"}}"#)
    #expect(try busy.message().gist == "call_tool_ack")
    bench.run { bench.loop.beginSweeps() }
    try bench.wait { bench.core.read(now: .now()).sessions == 1 }
    let events = try idle.events()
    #expect(
      events.first == .close(code: 1008, reason: "sessions.idle_seconds: no message for 0 s"))
    bench.run { bench.provider.answer(1, "x") }
    #expect(try busy.messages().first?.gist == "call_tool_res")
    try bench.wait { bench.core.read(now: .now()).sessions == 0 }
  }
}
