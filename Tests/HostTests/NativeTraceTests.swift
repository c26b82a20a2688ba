import Testing
import Wire

@testable import Host

private let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
private let good = "00-\(trace)-00f067aa0ba902b7-01"

/// How a client's trace reaches the provider: of the frame, else of the upgrade.
struct NativeTraceTests {
  private func call(_ fields: String) -> String {
    #"{"op":"call_tool","request_id":"r1","name":"chat","arguments":{"prompt":"hi"}\#(fields)}"#
  }

  /// What the provider is told of the trace of one call.
  private func told(_ fields: String, upgrade headers: String = "") throws -> TraceContext? {
    let bench = try HostBench()
    let client = try BenchClient(bench, request: BenchClient.upgrade(headers: headers))
    try #require(client.head()?.status == 101)
    client.send(#"{"op":"hello"}"#)
    try #require(client.message()["ok"] == .bool(true))
    client.send(call(fields))
    #expect(try client.message().gist == "call_tool_ack")
    bench.run { bench.provider.answer(1, "Hello") }
    return try #require(bench.provider.traces.first)
  }

  @Test func `a frame's trace goes on with a span of our own`() throws {
    let told = try #require(try told(#","traceparent":"\#(good)","tracestate":"vendor=a""#))
    #expect(told.traceID == trace && told.flags == 1 && told.state == "vendor=a")
    #expect(told.spanID != "00f067aa0ba902b7" && told.spanID != "0000000000000000")
  }

  @Test func `without one in the frame the upgrade's counts, and another span for each call`() throws {
    let bench = try HostBench()
    let headers = "Traceparent: \(good)\r\nTracestate: vendor=a\r\n"
    let client = try BenchClient(bench, request: BenchClient.upgrade(headers: headers))
    try #require(client.head()?.status == 101)
    client.send(#"{"op":"hello"}"#)
    _ = try client.message()
    for number in 1...2 {
      client.send(call("").replacingID(number))
      _ = try client.message()
      bench.run { bench.provider.answer(UInt64(number), "Hello") }
      _ = try client.messages()
    }
    let told = try bench.provider.traces.map { try #require($0) }
    #expect(told.map(\.traceID) == [trace, trace] && told.map(\.state) == ["vendor=a", "vendor=a"])
    #expect(told[0].spanID != told[1].spanID)
  }

  @Test func `the frame's goes before the upgrade's, with its own state`() throws {
    let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    let told = try #require(
      try told(#","traceparent":"\#(other)""#, upgrade: "Traceparent: \(good)\r\nTracestate: vendor=a\r\n"))
    #expect(told.traceID == "0af7651916cd43dd8448eb211c80319c" && told.state.isEmpty && told.flags == 0)
  }

  @Test(arguments: [
    #","traceparent":"nonsense","tracestate":"vendor=a""#, #","traceparent":"""#,
    #","traceparent":"ff-\#(trace)-00f067aa0ba902b7-01""#, #","traceparent":"00-\#(trace)-0000000000000000-01""#,
  ])
  func `a bad one begins a trace, without an error`(fields: String) throws {
    let told = try #require(try told(fields))
    #expect(told.traceID != trace && told.state.isEmpty)
  }

  @Test func `a bad upgrade header begins a trace too`() throws {
    #expect(try told("", upgrade: "Traceparent: nonsense\r\n") != nil)
    let twice = try #require(try told("", upgrade: "Traceparent: \(good)\r\nTraceparent: \(good)\r\n"))
    #expect(twice.traceID != trace)
  }

  @Test(arguments: [
    "", #","traceparent":null"#, #","tracestate":"vendor=a""#, #","traceparent":null,"tracestate":null"#,
  ])
  func `who says nothing is in no trace`(fields: String) throws {
    #expect(try told(fields) == nil)
  }

  @Test(arguments: ["traceparent", "tracestate"], ["7", "true", "[]", "{}"])
  func `what is no string is refused`(field: String, value: String) throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(call(#","\#(field)":\#(value)"#))
    let refusal = try client.message()
    #expect(refusal["error"]?["code"]?.string == "VALIDATION_ERROR")
    #expect(refusal["error"]?["message"]?.string?.hasPrefix("\(field) must be a string, got ") == true)
    #expect(bench.provider.words.isEmpty)
    bench.expectNothingHeld(sessions: 1)
  }
}

/// Each line of a call has its names.
struct CallLogTests {
  @Test func `every line of a call has its request id, session and trace`() throws {
    let reader = try LogReader()
    let bench = try HostBench(log: reader.log)
    let client = try BenchClient.connected(to: bench)
    client.send(
      #"{"op":"call_tool","request_id":"r1","name":"chat","arguments":{"prompt":"hi"},"traceparent":"\#(good)"}"#)
    _ = try client.message()
    let failure = ProviderFailure(status: ProviderStatus.auth, message: "wrong key")
    bench.run { bench.provider.done(1, .failed(failure)) }
    let lines = try (0..<3).map { _ in try reader.line() }
    #expect(lines[0].hasPrefix("debug Call begins request_id=r1 session="))
    #expect(lines[1].hasPrefix("info Call failed request_id=r1 session="))
    #expect(lines[1].contains(" provider=fake model=m-1 outcome=failed code="))
    #expect(lines[1].contains("attempts=1") && lines[1].contains("wrong key"))
    #expect(lines[2].hasPrefix("debug Removed r1 from in-flight request_id=r1 session="))
    #expect(lines.allSatisfy { $0.contains("trace_id=\(trace) span_id=") })
  }
}

extension String {
  fileprivate func replacingID(_ number: Int) -> String {
    split(separator: "r1", maxSplits: 1, omittingEmptySubsequences: false).joined(separator: "r\(number)")
  }
}
