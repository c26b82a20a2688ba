import Glibc
import Testing

@testable import Host

private let minute = HistoryTiers.minute
private let day = HistoryTiers.day
/// A multiple of a day.
private let start: Int64 = 20_000 * HistoryTiers.day

private func sample(_ at: Int64, _ value: Double, _ metric: String = "patchbay_sessions", _ values: [String] = [])
  -> HistorySample
{
  HistorySample(at: at, points: [.init(series: .init(metric: metric, values: values), value: value)])
}

private final class FileBench {
  let folder: ScratchDirectory
  var tiers = HistoryTiers(sample: 10_000, keep: 30 * day)
  var maxBytes: Int64 = 64 << 20

  init() throws { folder = try ScratchDirectory() }

  var path: String { folder.file("patchbay.db") }

  func open() throws -> HistoryFile {
    try HistoryFile(path: path, tiers: tiers, maxBytes: maxBytes, sqlite: try SQLite.load())
  }

  func ask(
    _ file: HistoryFile, of metric: String = "patchbay_sessions", _ from: Int64, _ to: Int64, step: Int64,
    provider: String? = nil
  ) throws -> HistoryAnswer {
    let query = "metric=\(metric)&from=\(from)&to=\(to)&step=\(step)" + (provider.map { "&provider=\($0)" } ?? "")
    return try file.answer(try #require(try HistoryQuery(query, now: to)))
  }
}

struct HistoryFileTests {
  @Test func `samples are there again after the file was closed, with nulls where there were none`() throws {
    let bench = try FileBench()
    do {
      let file = try bench.open()
      for (second, value) in [(0, 1.0), (10, 2), (30, 4.5)] {
        try file.append(sample(start + Int64(second) * 1_000, value))
      }
    }
    let file = try bench.open()
    #expect(file.newest == start + 30_000)
    let answer = try bench.ask(file, start - 10_000, start + 40_000, step: 10)
    #expect(answer.series.map(\.points) == [[nil, 1, 2, nil, 4.5]])
    #expect(bench.folder.names == ["patchbay.db", "patchbay.db-shm", "patchbay.db-wal"])
    var information = stat()
    #expect(stat(bench.path, &information) == 0 && information.st_mode & 0o777 == 0o600)
  }

  @Test func `series are told apart by their labels, in order, and by provider`() throws {
    let bench = try FileBench()
    let file = try bench.open()
    let name = "patchbay_requests_total"
    for values in [["kimi", "failed"], ["glm", "complete"], ["kimi", "complete"], ["ki\"mi,", "complete"]] {
      try file.append(sample(start, 1, name, values))
    }
    try file.append(sample(start, 9, "patchbay_tokens_total", ["kimi", "input"]))
    let all = try bench.ask(file, of: name, start, start + 10_000, step: 10)
    #expect(
      all.series.map(\.values) == [
        ["glm", "complete"], ["ki\"mi,", "complete"], ["kimi", "complete"], ["kimi", "failed"],
      ])
    let one = try bench.ask(file, of: name, start, start + 10_000, step: 10, provider: "kimi")
    #expect(one.series.map(\.values) == [["kimi", "complete"], ["kimi", "failed"]])
    #expect(try bench.ask(file, of: name, start, start + 10_000, step: 10, provider: "none").series.isEmpty)
    #expect(try bench.ask(file, of: name, start + 10_000, start + 20_000, step: 10).series.isEmpty, "no empty lines")
  }

  @Test func `steps put samples together: rates by their mean, gauges by the largest`() throws {
    let bench = try FileBench()
    let file = try bench.open()
    let name = "patchbay_requests_total"
    for (index, value) in [1.0, 2, 6].enumerated() {
      let at = start + Int64(index) * 10_000
      try file.append(
        HistorySample(
          at: at,
          points: [
            .init(series: .init(metric: name, values: ["a", "complete"]), value: value),
            .init(series: .init(metric: "patchbay_sessions", values: []), value: value),
          ]))
    }
    #expect(try bench.ask(file, of: name, start, start + 30_000, step: 30).series.map(\.points) == [[3]])
    #expect(try bench.ask(file, start, start + 30_000, step: 30).series.map(\.points) == [[6]])
  }

  /// Two hours and a half of samples, one more each ten seconds.
  private func fill(_ file: HistoryFile, from: Int64 = start, count: Int = 900) throws {
    for number in 0..<count { try file.append(sample(from + Int64(number) * 10_000, Double(number))) }
  }

  @Test func `a range reads the same from coarse points as from samples`() throws {
    let bench = try FileBench()
    let file = try bench.open()
    try fill(file)
    let end = start + 150 * minute
    let fine = try bench.ask(file, start, end, step: 50).series[0].points
    #expect(fine.count == 180 && fine[1] == 9)
    for seconds in [60, 120, 600, 1_200] as [Int64] {
      let points = try bench.ask(file, start, end, step: seconds).series[0].points
      #expect(points.count == Int((9_000 + seconds - 1) / seconds))
      let each = Int(seconds / 10)
      let expected = (1...points.count).map { number -> Double? in Double(min(number * each, 900) - 1) }
      #expect(points == expected, "step \(seconds)")
    }
  }

  @Test func `what was put together goes on where it was after the file is opened anew`() throws {
    let bench = try FileBench()
    for part in 0..<9 {
      let file = try bench.open()
      try fill(file, from: start + Int64(part) * 1_010_000, count: 100)
    }
    let points = try bench.ask(try bench.open(), start, start + 9_000_000, step: 600).series[0].points
    #expect(points.allSatisfy { $0 != nil } && points.count == 15)
  }

  @Test func `old points go, each tier in its time, and series with them`() throws {
    let bench = try FileBench()
    bench.tiers = HistoryTiers(sample: 10_000, keep: day)
    let file = try bench.open()
    try file.append(sample(start, 1, "patchbay_requests_total", ["gone", "failed"]))
    try fill(file, count: 100)
    func points(_ tier: Int64) throws -> Int64 {
      try Database(bench.path, with: SQLite.load()).number(
        "SELECT count(*) FROM points WHERE tier = ?", .integer(tier), doing: "count") ?? 0
    }
    #expect(try points(0) == 101)
    // After six hours the samples go, after a day the rest.
    try file.append(sample(start + 7 * HistoryTiers.hour, 5))
    #expect(try points(0) == 1)
    #expect(try points(1) > 10 && points(2) > 0)
    try file.append(sample(start + 3 * day, 5))
    #expect(try points(0) == 1 && points(1) <= 1 && points(2) <= 1)
    let series = try Database(bench.path, with: SQLite.load()).number("SELECT count(*) FROM series", doing: "count")
    #expect(series == 1)
  }

  @Test func `a clock that is set back writes on, and is put together again`() throws {
    let bench = try FileBench()
    let file = try bench.open()
    try fill(file, count: 100)
    try fill(file, from: start - 100_000, count: 30)
    let points = try bench.ask(file, start - 60_000, start + 120_000, step: 60).series[0].points
    #expect(points.count == 3 && points.allSatisfy { $0 != nil })
  }

  @Test func `the file keeps to its size by dropping the oldest`() throws {
    let bench = try FileBench()
    bench.maxBytes = 1 << 20
    let file = try bench.open()
    for number in 0..<1_000 {
      let points = (0..<100).map { index in
        HistorySample.Point(
          series: .init(metric: "patchbay_permits_queued", values: ["p\(index)"]), value: Double(number))
      }
      try file.append(HistorySample(at: start + Int64(number) * 10_000, points: points))
    }
    #expect(file.trims > 0)
    #expect(try file.bytes <= 1 << 20)
    let newest = try bench.ask(
      file, of: "patchbay_permits_queued", start + 9_900_000, start + 10_000_000, step: 10, provider: "p7")
    #expect(newest.series.first?.points.last == 999)
  }

  @Test(arguments: [-1, 0, 1])
  func `an answer is bounded`(more: Int) throws {
    let bench = try FileBench()
    let file = try bench.open()
    let count = HistoryFile.answerPointsLimit / 2_000 + more
    let points = (0..<count).map { index in
      HistorySample.Point(series: .init(metric: "patchbay_permits_queued", values: ["p\(index)"]), value: 1)
    }
    try file.append(HistorySample(at: start, points: points))
    if more <= 0 {
      #expect(
        try bench.ask(file, of: "patchbay_permits_queued", start, start + 20_000_000, step: 10).series.count == count)
    } else {
      let fault = try #require(throws: HistoryFault.self) {
        try bench.ask(file, of: "patchbay_permits_queued", start, start + 20_000_000, step: 10)
      }
      #expect(fault == .tooMany(series: count, points: 2_000, limit: 200_000))
    }
  }

  // MARK: - What is no history

  @Test func `a file that is no database is corrupt`() throws {
    let bench = try FileBench()
    try bench.folder.write(String(repeating: "this is no database\n", count: 100), to: "patchbay.db")
    let fault = try #require(throws: HistoryFault.self) { try bench.open() }
    #expect(fault.isCorrupt && fault.message.contains("file is not a database"), "\(fault)")
  }

  @Test func `a damaged page is found when the file is opened`() throws {
    let bench = try FileBench()
    do {
      let file = try bench.open()
      try fill(file)
    }
    let descriptor = open(bench.path, O_RDWR)
    let garbage = [UInt8](repeating: 0xA5, count: 4_096)
    // The second page on: the first still says that it is ours.
    #expect(pwrite(descriptor, garbage, garbage.count, 3 * 4_096) == 4_096)
    close(descriptor)
    let fault = try #require(throws: HistoryFault.self) { try bench.open() }
    #expect(fault.isCorrupt, "\(fault)")
  }

  @Test func `another program's database and a later version are left alone`() throws {
    let bench = try FileBench()
    try Database(bench.path, with: SQLite.load()).run("CREATE TABLE t (a)", doing: "test")
    #expect(throws: HistoryFault.foreign(applicationID: 0)) { try bench.open() }
    unlink(bench.path)
    do { _ = try bench.open() }
    try Database(bench.path, with: SQLite.load()).run("PRAGMA user_version = 2", doing: "test")
    let fault = try #require(throws: HistoryFault.self) { try bench.open() }
    #expect(fault == .newer(version: 2, known: 1) && !fault.isCorrupt)
    #expect(fault.message == "it has version 2 of the schema, this host knows 1")
  }

  @Test func `a directory that is not there is told with what to do`() throws {
    let bench = try FileBench()
    let fault = try #require(throws: HistoryFault.self) {
      try HistoryFile(
        path: bench.folder.file("none/patchbay.db"), tiers: bench.tiers, maxBytes: 1 << 20, sqlite: SQLite.load())
    }
    #expect(fault.message.contains("unable to open database file"))
    #expect(fault.remedy(path: "X").contains("make the directory of X"))
  }
}

struct DatabaseTests {
  @Test func `a fault has SQLite's words, its code and what was done`() throws {
    let database = try Database(":memory:", with: SQLite.load())
    let fault = try #require(throws: DatabaseFault.self) { try database.run("SELEC 1", doing: "test it") }
    #expect(fault.description == "cannot test it: near \"SELEC\": syntax error (SQLite code 1)")
    #expect(fault.kind == .other)
    try database.run("CREATE TABLE t (a INTEGER UNIQUE)", doing: "test it")
    try database.run("INSERT INTO t VALUES (1)", doing: "test it")
    let twice = try #require(throws: DatabaseFault.self) {
      try database.run("INSERT INTO t VALUES (1)", doing: "test it")
    }
    #expect(twice.code == 2_067 && twice.message.contains("UNIQUE constraint failed: t.a"))
  }

  @Test func `a transaction is whole or nothing, and another may follow`() throws {
    let database = try Database(":memory:", with: SQLite.load())
    try database.run("CREATE TABLE t (a INTEGER UNIQUE)", doing: "test it")
    #expect(throws: DatabaseFault.self) {
      try database.transaction(doing: "test it") { () throws(DatabaseFault) in
        try database.run("INSERT INTO t VALUES (1)", doing: "test it")
        try database.run("INSERT INTO t VALUES (1)", doing: "test it")
      }
    }
    #expect(try database.number("SELECT count(*) FROM t", doing: "test it") == 0)
    try database.transaction(doing: "test it") { () throws(DatabaseFault) in
      try database.run("INSERT INTO t VALUES (7)", doing: "test it")
    }
    #expect(try database.number("SELECT a FROM t", doing: "test it") == 7)
  }

  @Test func `values come back as they were bound`() throws {
    let database = try Database(":memory:", with: SQLite.load())
    let statement = try Statement("SELECT ?, ?, ?, NULL", of: database, doing: "test it")
    var seen = ""
    for number in [Int64.min, 0, .max] {
      try statement.rows([.integer(number), .real(0.1), .text("é\"")]) { row in
        #expect(row.integer(0) == number && row.real(1) == 0.1 && row.isNull(3) && !row.isNull(0))
        seen += row.text(2)
      }
    }
    #expect(seen == "é\"é\"é\"")
  }

  @Test func `who else writes is waited for, and then told as busy`() throws {
    let folder = try ScratchDirectory()
    let path = folder.file("busy.db")
    let first = try Database(path, with: SQLite.load())
    try first.run("CREATE TABLE t (a)", doing: "test it")
    try first.run("BEGIN IMMEDIATE", doing: "test it")
    let second = try Database(path, with: SQLite.load(), busyMilliseconds: 1)
    let fault = try #require(throws: DatabaseFault.self) {
      try second.run("INSERT INTO t VALUES (1)", doing: "test it")
    }
    #expect(fault.kind == .busy)
  }

  @Test(
    arguments: [
      (11, .corrupt), (26, .corrupt), (267, .corrupt), (13, .full), (4_874, .full), (5, .busy), (6, .busy),
      (8, .readOnly),
      (1_032, .readOnly), (14, .cannotOpen), (10, .inputOutput), (778, .inputOutput), (1, .other),
    ] as [(Int32, DatabaseFault.Kind)])
  func `what can be done follows from the code`(code: Int32, kind: DatabaseFault.Kind) {
    #expect(DatabaseFault(code: code, message: "", doing: "").kind == kind)
  }
}
