import Testing

@testable import Host

private func chat(_ id: String, _ arguments: String = #""prompt":"hi","stream":true"#) -> String {
  #"{"op":"call_tool","request_id":"\#(id)","name":"chat","arguments":{\#(arguments)}}"#
}

extension HostBench {
  var figures: MetricSnapshot { services.metrics.snapshot(now: .now()) }
}

extension MetricSnapshot {
  fileprivate func series(_ name: String, _ values: [String]) -> Value? {
    families.first { $0.name == name }?.series.first { $0.labels.map(\.value) == values }?.value
  }

  fileprivate func counted(_ name: String, _ values: String...) -> Double? {
    if case .number(let number)? = series(name, values) { number } else { nil }
  }

  /// How often a histogram was fed; 0: it is not there.
  fileprivate func observed(_ name: String, _ values: String...) -> UInt64 {
    if case .distribution(let seen)? = series(name, values) { seen.count } else { 0 }
  }

  /// "complete 1, refused 2" of a series of requests; zeros are left out.
  fileprivate func outcomes(_ provider: String = "fake", _ model: String = "m-1", _ tool: String = "chat") -> String {
    RequestOutcome.allCases.compactMap { outcome in
      let count = counted("patchbay_requests_total", provider, model, tool, outcome.rawValue) ?? 0
      return count > 0 ? "\(outcome) \(Int(count))" : nil
    }.joined(separator: ", ")
  }
}

/// What is counted of requests, each answered over a session as clients do.
struct RequestMetricsTests {
  @Test func `a complete chat counts once, with its clocks, stages and tokens`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    bench.run {
      bench.provider.emit(1, .text, "a")
      bench.provider.emit(1, .text, "b")
    }
    bench.run { bench.provider.answer(1, "c") }
    _ = try client.messages()
    let figures = bench.figures
    #expect(figures.outcomes() == "complete 1")
    #expect(figures.counted("patchbay_tokens_total", "fake", "m-1", "input") == 7)
    #expect(figures.counted("patchbay_tokens_total", "fake", "m-1", "output") == 3)
    #expect(figures.observed("patchbay_request_duration_seconds", "fake", "m-1") == 1)
    #expect(figures.observed("patchbay_time_to_first_token_seconds", "fake", "m-1") == 1)
    #expect(figures.observed("patchbay_inter_chunk_seconds", "fake", "m-1") == 2)
    #expect(figures.observed("patchbay_queue_wait_seconds", "fake") == 0)
    for stage in ["parse", "admit", "plugin", "upstream"] {
      #expect(figures.observed("patchbay_stage_seconds", stage) == 1, "\(stage)")
    }
    #expect(figures.observed("patchbay_stage_seconds", "write") > 0)
    #expect(figures.observed("gen_ai_server_request_duration_seconds", "chat", "fake", "m-1", "") == 1)
    #expect(figures.observed("gen_ai_server_time_to_first_token_seconds", "chat", "fake", "m-1") == 1)
    #expect(figures.observed("gen_ai_server_time_per_output_token_seconds", "chat", "fake", "m-1") == 1)
    #expect(figures.observed("gen_ai_client_token_usage", "chat", "fake", "m-1", "input") == 1)
    #expect(figures.observed("gen_ai_client_token_usage", "chat", "fake", "m-1", "output") == 1)
    #expect(figures.families.first { $0.name == "patchbay_request_errors_total" }?.series.isEmpty == true)
  }

  @Test func `a failure before any piece is failed, after one it is truncated; each has its code`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    let reset = ProviderFailure(status: ProviderStatus.network, message: "reset")
    client.send(chat("r1"))
    bench.run { bench.provider.done(1, .failed(reset)) }
    client.send(chat("r2"))
    bench.run {
      bench.provider.emit(2, .text, "a")
      bench.provider.done(2, .failed(reset))
    }
    let figures = bench.figures
    #expect(figures.outcomes() == "truncated 1, failed 1")
    #expect(figures.counted("patchbay_request_errors_total", "fake", "PROVIDER_ERROR") == 2)
    #expect(figures.observed("patchbay_request_duration_seconds", "fake", "m-1") == 2)
    #expect(figures.observed("gen_ai_server_request_duration_seconds", "chat", "fake", "m-1", "PROVIDER_ERROR") == 2)
    #expect(figures.observed("gen_ai_server_time_per_output_token_seconds", "chat", "fake", "m-1") == 0)
  }

  @Test func `a cancelled call counts as such, with the time until its upstream was stopped`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    client.send(#"{"op":"cancel","request_id":"r1"}"#)
    client.send(chat("r2"))
    client.disconnect()
    let figures = bench.figures
    #expect(figures.outcomes() == "cancelled 2")
    #expect(figures.counted("patchbay_request_errors_total", "fake", "CANCELLED") == 2)
    #expect(figures.observed("patchbay_cancel_upstream_seconds", "fake") == 2)
  }

  @Test func `what finds no permit is refused once, and has no duration`() throws {
    let bench = try HostBench(providerLimit: 1)
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    client.send(chat("r2"))
    let figures = bench.figures
    #expect(figures.outcomes() == "refused 1")
    #expect(figures.counted("patchbay_request_errors_total", "fake", "OVER_CAPACITY") == 1)
    #expect(figures.observed("patchbay_request_duration_seconds", "fake", "m-1") == 0)
    #expect(figures.observed("patchbay_stage_seconds", "admit") == 1)
    bench.run { bench.provider.answer(1, "x") }
    #expect(bench.figures.outcomes() == "complete 1, refused 1")
  }

  @Test func `a wait that ends with a permit counts then, and the call is not among those that were admitted`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1) {
      // Longer than a busy machine takes for the test.
      $0.timeouts.heartbeatMilliseconds = 300_000
      $0.limits.queueMilliseconds = 299_000
    }
    let client = try BenchClient.connected(to: bench)
    for id in ["r1", "r2"] { client.send(chat(id)) }
    #expect(bench.figures.observed("patchbay_queue_wait_seconds", "fake") == 0)
    bench.run { bench.provider.answer(1, "x") }
    #expect(bench.figures.observed("patchbay_queue_wait_seconds", "fake") == 1)
    bench.run { bench.provider.answer(2, "x") }
    #expect(bench.figures.outcomes() == "complete 2")
    #expect(bench.figures.observed("patchbay_stage_seconds", "admit") == 1)
  }

  @Test func `a wait in vain counts when it is over`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1) { $0.limits.queueMilliseconds = 20 }
    let client = try BenchClient.connected(to: bench)
    for id in ["r1", "r2"] { client.send(chat(id)) }
    try bench.wait { bench.figures.outcomes() == "refused 1" }
    #expect(bench.figures.observed("patchbay_queue_wait_seconds", "fake") == 1)
    #expect(bench.figures.observed("patchbay_request_duration_seconds", "fake", "m-1") == 0)
  }

  @Test func `what is refused before its model is known counts without one`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1", #""prompt":"hi","model":"none""#))
    client.send(#"{"op":"call_tool","request_id":"r2","name":"evil-\#(UInt64.max)","arguments":{}}"#)
    client.send(#"{"op":"call_tool","request_id":"r3"}"#)
    client.send(chat("r4", #""prompt":7"#))
    client.send("{")
    client.send(#"{"op":"version"}"#)
    let figures = bench.figures
    #expect(figures.outcomes("", "", "chat") == "refused 2")
    #expect(figures.outcomes("", "", "other") == "refused 2")
    #expect(figures.counted("patchbay_request_errors_total", "", "NOT_FOUND") == 1)
    #expect(figures.counted("patchbay_request_errors_total", "", "TOOL_NOT_FOUND") == 1)
    #expect(figures.counted("patchbay_request_errors_total", "", "VALIDATION_ERROR") == 2)
    #expect(figures.counted("patchbay_request_errors_total", "", "PROTOCOL_ERROR") == 1)
    #expect(figures.observed("patchbay_stage_seconds", "parse") == 0)
  }

  @Test func `an argument that the known model refuses counts for that model`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1", #""prompt":"hi","temperature":1.5"#))
    #expect(bench.figures.outcomes() == "refused 1")
  }

  @Test func `the host's own tools count by their names`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"call_tool","request_id":"r1","name":"version"}"#)
    client.send(#"{"op":"call_tool","request_id":"r2","name":"version_EXAI-WS","arguments":{"x":1}}"#)
    #expect(bench.figures.outcomes("", "", "version") == "complete 1, refused 1")
    #expect(bench.figures.observed("patchbay_request_duration_seconds", "", "") == 0)
  }

  @Test func `requests that share a call count each, and the call is timed once`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    for _ in 0..<4 { client.send(chat("r1")) }
    client.send(#"{"op":"cancel","request_id":"r1"}"#)
    #expect(bench.figures.outcomes() == "cancelled 1")
    bench.run { bench.provider.answer(1, "x") }
    client.send(chat("r1"))
    let figures = bench.figures
    #expect(
      figures.outcomes() == "complete 4, cancelled 1", "three that shared it, and one answered with what was kept")
    #expect(figures.observed("patchbay_request_duration_seconds", "fake", "m-1") == 1)
    #expect(figures.counted("patchbay_tokens_total", "fake", "m-1", "input") == 7)
  }

  @Test func `tokens of a try that failed count too`() throws {
    let bench = try HostBench {
      $0.retry.attempts = 2
      $0.retry.backoffMilliseconds = 0
    }
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    bench.run {
      bench.provider.emit(1, .usage, usage: TokenUsage(inputTokens: 100, outputTokens: .max))
      var failure = ProviderFailure(status: ProviderStatus.overloaded, message: "busy")
      failure.isRetryable = true
      bench.provider.done(1, .failed(failure))
    }
    try bench.wait { bench.provider.running == [2] }
    bench.run { bench.provider.answer(2, "x") }
    let figures = bench.figures
    #expect(figures.outcomes() == "complete 1")
    #expect(figures.counted("patchbay_tokens_total", "fake", "m-1", "input") == 107)
    #expect(figures.counted("patchbay_tokens_total", "fake", "m-1", "output") == Double((1 << 40) + 3))
    #expect(figures.observed("patchbay_stage_seconds", "plugin") == 2)
  }

  @Test func `a call counts for the model that answered`() throws {
    let other = ScriptedProvider(id: "other", models: #"[{"id":"m-2"}]"#)
    let bench = try HostBench(others: [other]) {
      $0.retry.attempts = 3
      $0.fallback = [.init(from: "m-1", to: ["m-2"])]
    }
    let client = try BenchClient.connected(to: bench)
    client.send(chat("r1"))
    bench.run {
      var failure = ProviderFailure(status: ProviderStatus.quota, message: "no more")
      failure.isRetryable = false
      bench.provider.done(1, .failed(failure))
    }
    try bench.wait { other.running == [1] }
    bench.run { other.answer(1, "x") }
    #expect(bench.figures.outcomes("other", "m-2") == "complete 1")
    #expect(bench.figures.outcomes() == "")
  }
}
