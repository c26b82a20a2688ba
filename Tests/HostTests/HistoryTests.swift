import Decisions
import Glibc
import JSON
import Testing

@testable import Host

private let sessions = MetricSnapshot(families: [
  .init(name: "patchbay_sessions", help: "", kind: .gauge, series: [.init(labels: [], value: .number(3))])
])

/// The threads: samples are taken and kept, questions answered, and the end waits for both.
struct HistoryTests {
  private func settings(_ folder: ScratchDirectory) -> Configuration.Storage {
    var storage = Configuration.Storage()
    storage.path = folder.file("patchbay.db")
    storage.sampleMilliseconds = 100
    return storage
  }

  private func ask(_ history: History, _ query: HistoryQuery) throws -> HistoryAnswer {
    let latch = Latch<Result<HistoryAnswer, HistoryFault>>()
    try #require(history.ask(query) { latch.put($0) })
    return try #require(latch.wait(milliseconds: 20_000)).get()
  }

  @Test func `samples come by themselves, and are there again with the next start`() throws {
    let folder = try ScratchDirectory()
    let log = Log(level: .error)
    let began = History.wallMilliseconds()
    let first = try #require(History(settings(folder), log))
    first.start { sessions }
    let deadline = Instant.now().advanced(milliseconds: 20_000)
    while first.figures.written < 3, Instant.now() < deadline { sched_yield() }
    first.stop()
    #expect(first.figures.written >= 3 && first.figures.dropped == 0 && first.figures.bytes > 0)
    let query = try #require(
      try HistoryQuery("metric=patchbay_sessions&from=\(began)&to=\(began + 60_000)&step=60", now: began))
    let second = try #require(History(settings(folder), log))
    #expect(!second.ask(query) { _ in }, "it does not run yet")
    second.start { MetricSnapshot(families: []) }
    #expect(try ask(second, query).series.first?.points.contains(3) == true)
    #expect(second.state.isHealthy)
    second.stop()
    #expect(!second.ask(query) { _ in }, "it does not run any more")
  }

  @Test func `memory keeps nothing`() {
    var storage = Configuration.Storage()
    storage.kind = .memory
    #expect(History(storage, Log(level: .error)) == nil)
  }
}

/// What `/history` answers over HTTP.
struct HistoryFaceTests {
  private func ask(_ query: String, kind: Configuration.Storage.Kind = .sqlite) throws -> (status: Int, body: JSONValue)
  {
    let bench = try HostBench { $0.storage.kind = kind }
    let client = try BenchClient(
      bench, serves: .monitor, request: "GET /history\(query) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    let head = try #require(try client.head())
    return (Int(head.status), try JSONValue(parsing: client.rest().text))
  }

  @Test func `without parameters it lists the names, with units and labels`() throws {
    let (status, body) = try ask("")
    #expect(status == 200)
    #expect(body["metrics"]?.array?.count == HistoryMetric.all.count)
    #expect(body["metrics"]?[0]?["name"]?.string == "patchbay_requests_total")
    #expect(body["metrics"]?[0]?["labels"] == .array([.string("provider"), .string("outcome")]))
    #expect(body["sample_seconds"]?.double == 10 && body["keep_days"]?.integer == 30)
  }

  @Test func `a bad question is 400, one before the start 503, and where nothing is kept 404`() throws {
    let bad = try ask("?metric=patchbay_sessions&step=x")
    #expect(bad.status == 400)
    #expect(
      bad.body["error"]?["message"]?.string?.contains(#"step: found "x", expected a whole number of seconds"#) == true)
    #expect(try ask("?metric=patchbay_sessions").status == 503)
    let none = try ask("?metric=patchbay_sessions", kind: .memory)
    #expect(none.status == 404 && none.body["error"]?["message"]?.string?.contains("storage.kind") == true)
  }

  @Test func `it is for viewers and admins once there are principals, and only where monitor is served`() throws {
    let token = "0123456789abcdef"
    let bench = try HostBench(principals: [("v", .viewer, token), ("c", .client, "fedcba9876543210")])
    func status(_ header: String, _ serves: Configuration.Services = .monitor) throws -> Int {
      let client = try BenchClient(
        bench, serves: serves, request: "GET /history HTTP/1.1\r\nHost: localhost\r\n\(header)\r\n")
      return Int(try #require(try client.head()).status)
    }
    #expect(try status("") == 401)
    #expect(try status("Authorization: Bearer fedcba9876543210\r\n") == 401)
    #expect(try status("Authorization: Bearer \(token)\r\n") == 200)
    #expect(try status("Authorization: Bearer \(token)\r\n", .health) == 404)
  }

  @Test func `an answer has a point for each step, null where nothing is known`() throws {
    let query = try #require(
      try HistoryQuery("metric=patchbay_tokens_total&from=10000&to=30000&step=10", now: 0))
    let answer = HistoryAnswer(query: query, series: [.init(values: ["a\"", "input"], points: [1.5, nil])])
    let text =
      #"{"metric":"patchbay_tokens_total","unit":"tokens/s","from":10000,"to":30000,"step":10,"series":["#
      + #"{"labels":{"provider":"a\"","direction":"input"},"points":[[10000,1.5],[20000,null]]}]}"#
    #expect(HistoryFace.text(answer) == text + "\n")
  }

  @Test func `faults of the file are 503 and say what to do, without its path`() {
    let full = DatabaseFault(code: 13, message: "database or disk is full", doing: "read history")
    let reply = HistoryFace.reply(.failure(.database(full)))
    #expect(reply.status == 503 && reply.body.contains("free space on the disk of storage.path"))
    let many = HistoryFace.reply(.failure(.tooMany(series: 101, points: 2_000, limit: 200_000)))
    #expect(many.status == 400 && many.body.contains("found 101 series of 2000 points, expected at most 200000"))
  }
}
