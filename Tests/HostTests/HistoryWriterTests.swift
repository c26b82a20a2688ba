import Decisions
import Glibc
import SystemLibraries
import Testing

@testable import Host

private let start: Int64 = 20_000 * HistoryTiers.day
private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

private func sample(_ number: Int) -> HistorySample {
  HistorySample(
    at: start + Int64(number) * 10_000,
    points: [.init(series: .init(metric: "patchbay_sessions", values: []), value: Double(number))])
}

/// A writer whose database lies in a directory of its own, and what it logs.
private final class WriterBench {
  let folder: ScratchDirectory
  let log: LogReader
  let writer: HistoryWriter

  init(
    _ name: String = "patchbay.db", maxBytes: Int64 = 16 << 20,
    load: @escaping () throws(SharedLibrary.LoadError) -> SQLite = SQLite.load
  ) throws {
    folder = try ScratchDirectory()
    log = try LogReader()
    writer = HistoryWriter(
      path: folder.file(name), tiers: HistoryTiers(sample: 10_000, keep: HistoryTiers.day), maxBytes: maxBytes,
      log: log.log, load: load)
  }

  func points(now: Instant) throws -> [Double?] {
    let query = try #require(
      try HistoryQuery("metric=patchbay_sessions&from=\(start)&to=\(start + 100_000)&step=10", now: start))
    return try writer.answer(query, now: now).get().series.first?.points ?? []
  }

  var aside: [String] { folder.names.filter { $0.contains(".damaged-") } }
}

struct HistoryWriterTests {
  @Test func `a file is opened once, and said to be kept`() throws {
    let bench = try WriterBench()
    #expect(bench.writer.status.report.isHealthy)
    #expect(bench.writer.write(sample(0), now: at(0)))
    #expect(bench.writer.write(sample(1), now: at(1)))
    #expect(try bench.log.line().hasPrefix("info History is kept path="))
    #expect(bench.writer.status.report == (true, "history is kept at \(bench.folder.file("patchbay.db"))", ""))
    #expect(try bench.points(now: at(2)).prefix(2) == [0, 1])
    #expect(bench.writer.bytes > 0)
  }

  @Test func `a damaged file is set aside and another begun, and health says so until it is gone`() throws {
    let bench = try WriterBench()
    try bench.folder.write(String(repeating: "no database at all\n", count: 999), to: "patchbay.db")
    #expect(bench.writer.write(sample(0), now: at(0)))
    let name = try #require(bench.aside.first)
    #expect(bench.folder.read(name).hasPrefix("no database at all"), "it is not deleted")
    let line = try bench.log.line()
    #expect(line.hasPrefix("error The history was damaged and begins anew path="), "\(line)")
    #expect(line.contains("file is not a database") && line.contains("set_aside=\(bench.folder.file(name))"))
    let report = bench.writer.status.report
    #expect(!report.isHealthy && report.message.contains(name) && report.remedy.contains("delete it"))
    unlink(bench.folder.file(name))
    #expect(bench.writer.write(sample(1), now: at(1)))
    #expect(bench.writer.status.report.isHealthy)
    #expect(try bench.points(now: at(2)).prefix(2) == [0, 1])
  }

  @Test func `a file that is damaged while it is open is set aside too, and the sample is written after all`() throws {
    let bench = try WriterBench()
    for number in 0..<50 { #expect(bench.writer.write(sample(number), now: at(0))) }
    // Truncated under an open connection: pages that it looks for are not there.
    bench.writer.close()
    let descriptor = open(bench.folder.file("patchbay.db"), O_RDWR)
    ftruncate(descriptor, 2 * 4_096)
    close(descriptor)
    #expect(bench.writer.write(sample(60), now: at(1)))
    #expect(bench.aside.count == 1)
  }

  @Test func `after so many damaged files it gives up, and leaves the last one where it is`() throws {
    let bench = try WriterBench()
    for number in 1...HistoryWriter.asideLimit {
      bench.writer.close()
      for suffix in ["-wal", "-shm"] { unlink(bench.folder.file("patchbay.db" + suffix)) }
      try bench.folder.write(String(repeating: "x", count: 5_000), to: "patchbay.db")
      #expect(bench.writer.write(sample(number), now: at(0)))
    }
    bench.writer.close()
    try bench.folder.write(String(repeating: "x", count: 5_000), to: "patchbay.db")
    #expect(!bench.writer.write(sample(99), now: at(0)))
    #expect(bench.aside.count { !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") } == HistoryWriter.asideLimit)
    #expect(bench.writer.status.report.message.contains("was damaged 9 times since the start"))
    #expect(bench.folder.read("patchbay.db").hasPrefix("xxx"))
  }

  @Test func `a full disk is told once, tried again, and got over`() throws {
    // So few pages that the tables fit and little more.
    let bench = try WriterBench(maxBytes: 13 * 4_096)
    var number = 0
    func large() -> HistorySample {
      number += 1
      return HistorySample(
        at: start + Int64(number) * 10_000,
        points: (0..<2_000).map {
          .init(series: .init(metric: "patchbay_permits_queued", values: ["provider-\(number)-\($0)"]), value: 1)
        })
    }
    #expect(!bench.writer.write(large(), now: at(0)))
    #expect(try bench.log.line().hasPrefix("info History is kept"))
    let line = try bench.log.line()
    #expect(line.hasPrefix("warning History is not kept") && line.contains("database or disk is full"), "\(line)")
    #expect(line.contains("free space on the disk of"))
    #expect(!bench.writer.status.report.isHealthy)
    #expect(bench.writer.retryAt == at(HistoryWriter.retryMilliseconds))
    #expect(!bench.writer.write(large(), now: at(6_000)), "and again, which is not said again")
    #expect(bench.writer.write(sample(1), now: at(12_000)))
    #expect(try bench.log.line().hasPrefix("info History is kept"), "what fits is kept")
    #expect(bench.writer.status.report.isHealthy && bench.aside.isEmpty)
  }

  @Test func `a directory that appears later is found`() throws {
    let bench = try WriterBench("later/patchbay.db")
    #expect(!bench.writer.write(sample(0), now: at(0)))
    #expect(bench.writer.status.report.remedy.contains("make the directory"))
    mkdir(bench.folder.file("later"), 0o700)
    #expect(bench.writer.write(sample(0), now: at(5_000)))
    #expect(bench.writer.status.report.isHealthy)
  }

  @Test func `without SQLite the reason names the package`() throws {
    let bench = try WriterBench { () throws(SharedLibrary.LoadError) in try SQLite("libsqlite3-not-here.so.0") }
    #expect(!bench.writer.write(sample(0), now: at(0)))
    #expect(bench.writer.status.report.message.contains("libsqlite3-0"))
  }

  @Test func `a file that was deleted or replaced is begun anew`() throws {
    let bench = try WriterBench()
    #expect(bench.writer.write(sample(0), now: at(0)))
    for suffix in ["", "-wal", "-shm"] { unlink(bench.folder.file("patchbay.db" + suffix)) }
    #expect(bench.writer.write(sample(1), now: at(1)))
    #expect(try bench.points(now: at(2)).prefix(2) == [nil, 1])
    #expect(bench.writer.status.report.isHealthy)
  }

  @Test func `while it cannot be opened questions are told so`() throws {
    let bench = try WriterBench("none/patchbay.db")
    let query = try #require(try HistoryQuery("metric=patchbay_sessions", now: start))
    for now in [at(0), at(1)] {
      guard case .failure(let fault) = bench.writer.answer(query, now: now) else {
        Issue.record("it was answered")
        return
      }
      #expect(fault.message.contains("unable to open database file"))
    }
  }
}

struct HistoryQueueTests {
  @Test(arguments: [-1, 0, 1])
  func `the oldest samples go when there are too many`(more: Int) {
    let queue = HistoryQueue()
    let count = HistoryQueue.samplesLimit + more
    for number in 0..<count { queue.offer(sample(number)) }
    #expect(queue.count == min(count, HistoryQueue.samplesLimit))
    #expect(queue.dropped == UInt64(max(0, more)))
    guard case .sample(let first) = queue.next(takesSamples: true, until: .never) else {
      Issue.record("no sample")
      return
    }
    #expect(first == sample(max(0, more)))
    queue.giveBack(first)
    #expect(queue.count == min(count, HistoryQueue.samplesLimit))
    queue.offer(sample(99))
    queue.giveBack(first)
    #expect(queue.count <= HistoryQueue.samplesLimit)
  }

  @Test(arguments: [-1, 0, 1])
  func `questions are bounded, and go first`(more: Int) throws {
    let queue = HistoryQueue()
    let query = try #require(try HistoryQuery("metric=patchbay_sessions", now: start))
    queue.offer(sample(0))
    for number in 1...(HistoryQueue.questionsLimit + more) {
      #expect(queue.ask(query) { _ in } == (number <= HistoryQueue.questionsLimit))
    }
    guard case .question = queue.next(takesSamples: true, until: .never) else {
      Issue.record("no question")
      return
    }
  }

  @Test func `samples wait while none is taken, and what is left is given out before the end`() {
    let queue = HistoryQueue()
    queue.offer(sample(0))
    guard case .timeout = queue.next(takesSamples: false, until: Instant.now().advanced(milliseconds: 1)) else {
      Issue.record("no timeout")
      return
    }
    queue.close()
    queue.offer(sample(1))
    #expect(queue.dropped == 1)
    guard case .closed = queue.next(takesSamples: false, until: .never) else {
      Issue.record("not closed")
      return
    }
    guard case .sample = queue.next(takesSamples: true, until: .never),
      case .closed = queue.next(takesSamples: true, until: .never)
    else {
      Issue.record("the last sample was lost")
      return
    }
  }
}
