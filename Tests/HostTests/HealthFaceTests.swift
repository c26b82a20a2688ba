import Decisions
import JSON
import Testing

@testable import Host

/// The health paths as HTTP has them: what is 503, and what merely is not well.
struct HealthFaceTests {
  private func ask(_ bench: HostBench, _ path: String) throws -> (status: Int, body: JSONValue) {
    let reply = try #require(HealthFace(bench.services.health, bench.services.metrics).reply(to: path))
    return (reply.status, try JSONValue(parsing: reply.body))
  }

  @Test func `who is not well is answered 200, who is not ready 503`() throws {
    let bench = try HostBench()
    var surroundings = HealthFacts.Surroundings()
    surroundings.disks = [DiskFigures(path: "/", totalBytes: 100, freeBytes: 1)]
    _ = bench.services.health.look(surroundings, now: .now())
    #expect(try ask(bench, "/health").status == 200 && ask(bench, "/health").body["status"]?.string == "degraded")
    #expect(try ask(bench, "/healthz").status == 200 && ask(bench, "/readyz").status == 200)
    bench.core.beginDrain()
    #expect(try ask(bench, "/health").status == 503 && ask(bench, "/health").body["state"]?.string == "draining")
    #expect(try ask(bench, "/readyz").body["status"]?.string == "draining" && ask(bench, "/livez").status == 200)
    #expect(try ask(bench, "/health/semaphores").status == 200 && ask(bench, "/health/memory").status == 200)
  }

  @Test func `a loop that stands still for ten seconds is no life`() throws {
    let bench = try HostBench()
    for (milliseconds, status) in [(9_999, 200), (10_000, 503), (10_001, 503)] as [(UInt64, Int)] {
      var surroundings = HealthFacts.Surroundings()
      surroundings.loops = [LoopPulse.Figures(standstillNanoseconds: milliseconds * 1_000_000)]
      _ = bench.services.health.look(surroundings, now: .now())
      #expect(try ask(bench, "/livez").status == status && ask(bench, "/health/live").status == status)
      #expect(try ask(bench, "/readyz").status == 200, "whether it gets traffic is another question")
    }
  }

  @Test func `memory says null before it knows, and names each worker`() throws {
    let bench = try HostBench()
    var surroundings = HealthFacts.Surroundings()
    surroundings.process = ProcessMemory(pid: 7, residentBytes: 5 << 20, growth: nil, sampledSeconds: 59)
    surroundings.workers = [
      "fake": ProcessMemory(
        pid: 8, residentBytes: 6 << 20,
        growth: MemoryGrowth.Growth(bytesPerSecond: 2, spanSeconds: 60, startBytes: 1), sampledSeconds: 60)
    ]
    _ = bench.services.health.look(surroundings, now: .now())
    let (_, body) = try ask(bench, "/health/memory")
    #expect(body["growth_bytes_per_hour"] == .null && body["sampled_seconds"]?.integer == 59)
    #expect(body["workers"]?["fake"]?["growth_bytes_per_hour"]?.integer == 7_200)
    #expect(body["workers"]?["fake"]?["pid"]?.integer == 8 && body["alerts"] == .array([]))
  }

  @Test func `requests are counted by how they ended, in all and of each provider`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    client.send(#"{"op":"list_tools"}"#)
    for number in 1...3 {
      client.send(#"{"op":"call_tool","request_id":"\#(number)","name":"chat","arguments":{"prompt":"p"}}"#)
    }
    bench.run { bench.provider.answer(1, "b") }
    bench.run { bench.provider.done(2, .failed(ProviderFailure(status: ProviderStatus.auth, message: "no"))) }
    client.send(#"{"op":"cancel","request_id":"3"}"#)
    client.send(#"{"op":"call_tool","request_id":"4","name":"chat","arguments":{"prompt":1}}"#)
    bench.run()
    let requests = try ask(bench, "/health").body["requests"]
    let outcomes = RequestOutcome.allCases.map(\.rawValue)
    #expect(outcomes.map { requests?[$0]?.integer } == [1, 0, 1, 1, 1], "what asks for no call is none")
    #expect(outcomes.map { requests?["providers"]?["fake"]?[$0]?.integer } == [1, 0, 1, 1, 0])
  }

  @Test func `what is not a health path is answered by nobody here`() throws {
    let bench = try HostBench()
    #expect(HealthFace(bench.services.health, bench.services.metrics).reply(to: "/health/nothing") == nil)
    #expect(HealthFace.route(at: "/health/nothing") == nil)
    for path in HealthFace.paths { #expect(HealthFace.route(at: path) != nil, "\(path)") }
  }
}
