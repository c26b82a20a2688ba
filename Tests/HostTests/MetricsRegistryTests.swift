import Synchronization
import Testing
import Wire

@testable import Host

private let all: Configuration.Services = [.websocket, .health, .metrics, .monitor]

private struct Source: MetricSource {
  static let declaration = MetricDeclaration.gauge("patchbay_source", ["part"], "For a test.")
  func collect(into snapshot: inout MetricSnapshot) {
    snapshot.add(Self.declaration, 1, labels: ["a"])
    snapshot.add(Self.declaration, 2, labels: ["b"])
  }
}

extension MetricSnapshot {
  fileprivate func number(_ name: String, _ label: String, _ value: String) -> Double? {
    number(name, [Label(name: label, value: value)])
  }
}

/// The registry beside requests: clients, bounds, sources, and the path it is served at.
struct MetricsRegistryTests {
  @Test func `connections, sessions and bytes are those of the clients`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    var figures = bench.figures
    #expect(figures.number("patchbay_connections") == 1 && figures.number("patchbay_sessions") == 1)
    #expect(figures.number("patchbay_connections_accepted_total") == 1)
    #expect(figures.number("patchbay_connections_limit") == 1000 && figures.number("patchbay_sessions_limit") == 1000)
    #expect(
      figures.number("patchbay_host_permits_limit") == 24 && figures.number("patchbay_host_permits_in_flight") == 0)
    let received = try #require(figures.number("patchbay_received_bytes_total"))
    client.send(String(repeating: " ", count: 1000) + "{}")
    figures = bench.figures
    #expect(figures.number("patchbay_received_bytes_total") == received + 1002 + 8)
    #expect(figures.number("patchbay_sent_bytes_total").map { $0 > 100 } == true)
    // What is not read turns the end into a reset, which is an error.
    _ = try client.messages()
    client.disconnect()
    figures = bench.figures
    #expect(figures.number("patchbay_connections") == 0 && figures.number("patchbay_sessions") == 0)
    #expect(figures.number("patchbay_connections_closed_total", "reason", "peer") == 1)
    #expect(figures.number("patchbay_connections_closed_total", "reason", "finished") == 0)
  }

  @Test func `a connection that the host ended in order is finished, whoever closes the socket`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send([0x03, 0xE8], .close)
    _ = try client.events()
    client.disconnect()
    #expect(bench.figures.number("patchbay_connections_closed_total", "reason", "finished") == 1)
  }

  @Test func `a client that reads slowly is congested until it has caught up or left`() throws {
    let bench = try HostBench { $0.limits.connectionsPerAddress = 10 }
    for leaves in [false, true] {
      let client = try BenchClient.connected(to: bench, sendBufferBytes: 4096)
      client.send(#"{"op":"call_tool","request_id":"r1","name":"chat","arguments":{"prompt":"hi","stream":true}}"#)
      let call = try #require(bench.provider.running.last)
      bench.run { bench.provider.emit(call, .text, String(repeating: "x", count: 2 << 20)) }
      #expect(bench.figures.number("patchbay_connections_congested") == 1)
      if leaves { client.disconnect() } else { _ = try client.messages() }
      try bench.wait { bench.figures.number("patchbay_connections_congested") == 0 }
    }
  }

  @Test func `series of requests are bounded, and what is beyond is other`() throws {
    let bench = try HostBench()
    let registry = bench.services.metrics
    let room = MetricsRegistry.seriesLimit - RequestSeries.fixed.count
    func number(_ index: Int) -> Int {
      registry.number(of: RequestSeries(provider: "p", model: "m-\(index)", tool: "chat"))
    }
    for index in 0..<(room - 1) { _ = number(index) }
    #expect(number(room - 1) == MetricsRegistry.seriesLimit - 1, "the last that has a place")
    #expect(number(room) == RequestSeries.otherNumber)
    #expect(number(0) == RequestSeries.fixed.count, "who has a number keeps it")
    let meter = try #require(bench.loop.meter)
    meter.requests(number(room)).ended(.complete, nil, nanoseconds: 1)
    let labels = [("provider", "other"), ("model", "other"), ("tool", "other"), ("outcome", "complete")]
    #expect(
      bench.figures.number(
        "patchbay_requests_total", labels.map { MetricSnapshot.Label(name: $0.0, value: $0.1) }) == 1)
  }

  @Test func `a model is numbered anew by each registry`() throws {
    let model = ModelEntry(id: "m", provider: 0, providerID: "p")
    let benches = [try HostBench(), try HostBench()]
    _ = benches[0].services.metrics.number(of: RequestSeries(provider: "x", model: "y", tool: "chat"))
    let numbers = try benches.map { try #require($0.loop.meter).series(of: model, isTool: false) }
    #expect(numbers == [RequestSeries.fixed.count + 1, RequestSeries.fixed.count])
    #expect(try #require(benches[0].loop.meter).series(of: model, isTool: false) == numbers[0])
  }

  @Test func `other rooms add their own, and the process is told`() throws {
    let bench = try HostBench()
    bench.services.metrics.add(Source())
    let figures = bench.figures
    #expect(figures.number("patchbay_source", "part", "a") == 1 && figures.number("patchbay_source", "part", "b") == 2)
    #expect(figures.number("patchbay_build_info", "version", "9.9.9") == 1)
    #expect(figures.number("patchbay_ready") == 0)
    for name in DeclaredMetrics.host.map(\.name) where name.hasPrefix("process_") {
      #expect(figures.number(name).map { $0 > 0 } == true, "\(name)")
    }
  }

  @Test func `restarts of workers that were replaced are not forgotten`() {
    let (first, second) = (WorkerFigures(), WorkerFigures())
    first.began(pid: 1, isFirst: true)
    first.began(pid: 2, isFirst: false)
    #expect(first.restarts == 1 && first.pid == 2)
    func shown(_ worker: WorkerFigures?, number: Int = 3) -> ShownProvider {
      ShownProvider(number: number, id: "p", generation: 1, worker: worker)
    }
    let same = shown(first).following([shown(first)])
    #expect(same.earlierRestarts == 0)
    let replaced = shown(second).following([same])
    #expect(replaced.earlierRestarts == 1)
    #expect(shown(second).following([replaced]).earlierRestarts == 1)
    second.began(pid: 3, isFirst: false)
    #expect(shown(nil).following([replaced]).earlierRestarts == 2, "it runs in the host's process now")
    #expect(shown(first, number: 4).following([replaced]).earlierRestarts == 0)
  }

  @Test func `a loop that does not count says nothing of requests, and the Core's figures stay`() throws {
    let bench = try HostBench { $0.metrics.counting = false }
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"call_tool","request_id":"r1","name":"chat","arguments":{"prompt":"hi"}}"#)
    bench.run { bench.provider.answer(1, "x") }
    #expect(try client.messages().last?.gist == "call_tool_res")
    let figures = bench.figures
    #expect(figures.families.allSatisfy { $0.name != "patchbay_connections_accepted_total" })
    #expect(figures.families.first { $0.name == "patchbay_requests_total" }?.series.isEmpty == true)
    #expect(figures.number("patchbay_sessions") == 1)
  }

  @Test func `a loop's turns are timed`() throws {
    let bench = try HostBench()
    bench.run()
    let family = bench.figures.families.first { $0.name == "patchbay_loop_lag_seconds" }
    guard case .distribution(let seen)? = family?.series.first?.value else {
      Issue.record("no turn was timed")
      return
    }
    #expect(seen.count > 0 && family?.series.map(\.labels) == [[.init(name: "loop", value: "0")]])
  }

  @Test(
    arguments: [
      (.metrics, "", 200, "text/plain; version=0.0.4; charset=utf-8"),
      (
        .metrics, "Accept: application/openmetrics-text; version=1.0.0\r\n", 200,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
      ), (all, "", 200, "text/plain; version=0.0.4; charset=utf-8"),
      (.monitor, "", 404, "application/json"), (.health, "", 404, "application/json"),
    ] as [(Configuration.Services, String, Int, String)])
  func `/metrics is served where it is asked to be, in the format that was asked for`(
    serves: Configuration.Services, headers: String, status: Int, type: String
  ) throws {
    let bench = try HostBench()
    let client = try BenchClient(
      bench, serves: serves, request: "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n")
    let head = try #require(try client.head())
    #expect(head.status == status && head.headers["content-type"] == type)
    #expect(client.rest().text.contains("# TYPE patchbay_sessions gauge") == (status == 200))
  }

  @Test(arguments: [
    ("", 401), ("client-token-123456", 401), ("viewer-token-123456", 200), ("admin-token-1234567", 200),
  ])
  func `with principals /metrics is for viewers and admins`(token: String, status: Int) throws {
    let bench = try HostBench(principals: [
      ("c", .client, "client-token-123456"), ("v", .viewer, "viewer-token-123456"),
      ("a", .admin, "admin-token-1234567"),
    ])
    let header = token.isEmpty ? "" : "Authorization: Bearer \(token)\r\n"
    let client = try BenchClient(
      bench, serves: all, request: "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\(header)\r\n")
    #expect(try client.head()?.status == status)
  }
}
