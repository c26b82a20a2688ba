import Bytes
import Decisions
import JSON
import Testing

@testable import Host

private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: (1_000 + milliseconds) * 1_000_000) }

private func summary(_ call: UInt64, provider: Int = 0, outcome: String = "complete") -> CallSummary {
  CallSummary(
    ticket: Ticket(loop: 0, call: call), id: Array("\"r\(call)\"".utf8), session: 0, principal: nil,
    model: ModelEntry(id: "m-1", provider: provider, providerID: "fake-\(provider)"), tool: "chat", attempts: 1,
    receivedAt: at(0),
    queuedNanoseconds: 0, firstTokenAt: .never, lastChunkAt: .never, chunks: 0, maxGapMicroseconds: 0,
    state: .ended(outcome: outcome, error: nil, at: at(call)))
}

struct CallRecordTests {
  @Test func `marks and gaps are told from the call's beginning on`() {
    let record = CallRecord()
    record.begin(receivedAt: at(0))
    record.mark(.queued, "fake", now: at(1))
    record.mark(.admitted, now: at(5))
    for time in [7, 9, 30] as [UInt64] { record.chunk(now: at(time)) }
    #expect(
      record.entries.map { "\($0.mark.rawValue) \($0.microseconds)" } == [
        "queued 1000", "admitted 5000", "first_token 7000",
      ])
    #expect(record.lastGaps.map { [$0.atMicroseconds, $0.microseconds] } == [[9_000, 2_000], [30_000, 21_000]])
    #expect(record.chunks == 3 && record.maxGapMicroseconds == 21_000)
    #expect(record.firstTokenAt == at(7) && record.lastChunkAt == at(30))
  }

  @Test(arguments: [199, 200, 201, 450])
  func `the last 200 gaps are kept in their order`(count: Int) {
    let record = CallRecord()
    record.begin(receivedAt: at(0))
    for index in 0...count { record.chunk(now: at(UInt64(index) * 2)) }
    let first = max(0, count - CallRecord.gapsLimit)
    #expect(record.lastGaps.map(\.atMicroseconds) == (first..<count).map { UInt32(($0 + 1) * 2_000) })
    #expect(record.chunks == UInt64(count + 1))
  }

  @Test func `the last failure of each provider is known whatever has ended since, and told behind the fifty last`()
    throws
  {
    var records = CallRecords()
    var call: UInt64 = 0
    func end(_ provider: Int, _ outcome: String, _ count: Int = 1) {
      for _ in 0..<count {
        call += 1
        records.end(records.begin(receivedAt: at(0)), summary(call, provider: provider, outcome: outcome))
      }
    }
    end(0, "failed", 3)
    end(1, "truncated")
    end(2, "cancelled")
    end(0, "refused", 300)
    end(3, "failed")
    end(1, "complete", 40)
    #expect(Set(records.lastFailures.map(\.ticket.call)) == [3, 4, 306])
    var view = LoopView()
    view.ended = records.ended(LoopView.endedLimit)
    view.failures = records.lastFailures
    var other = LoopView()
    other.failures = [summary(2)]
    var buffer = ByteBuffer()
    RecentEvent([view, other], [], WallClock()).write(to: &buffer)
    let rows = try #require(try JSONValue(parsing: buffer.readable).array)
    let (last, before) = (rows.prefix(50), rows.dropFirst(50))
    #expect(last.filter { $0["outcome"] == .string("failed") }.map { $0["provider"] } == [.string("fake-3")])
    #expect(before.map { $0["key"] } == [.string("0-4"), .string("0-3")])
  }

  @Test func `a client that reads in jerks does not fill the record, and nothing grows beyond its limit`() {
    let record = CallRecord()
    record.begin(receivedAt: at(0))
    for _ in 0..<100 {
      record.mark(.paused, now: at(1))
      record.mark(.resumed, now: at(2))
    }
    #expect(record.entries.count == 48)
    record.mark(.cancel, now: at(3))
    #expect(record.entries.last?.mark == .cancel)
    for _ in 0..<200 { record.mark(.retry, now: at(4)) }
    #expect(record.entries.count == CallRecord.marksLimit)
  }

  @Test func `a record that is used again has nothing of the call before`() {
    let record = CallRecord()
    record.begin(receivedAt: at(0))
    record.mark(.queued, now: at(1))
    for time in 1...300 as ClosedRange<UInt64> { record.chunk(now: at(time)) }
    record.close(summary(1))
    record.begin(receivedAt: at(1_000))
    #expect(record.entries.isEmpty && record.lastGaps.isEmpty && record.summary == nil)
    #expect(record.chunks == 0 && record.maxGapMicroseconds == 0)
    record.chunk(now: at(1_001))
    #expect(record.entries.map(\.microseconds) == [1_000])
  }

  @Test func `what took longer than the record can say is told as that long`() {
    let record = CallRecord()
    record.begin(receivedAt: Instant(nanoseconds: 0))
    record.mark(.opened, now: Instant(nanoseconds: UInt64(UInt32.max) * 1_000 + 5_000_000))
    #expect(record.entries.map(\.microseconds) == [.max])
  }

  @Test(arguments: [199, 200, 201, 613])
  func `the last 200 calls are known, the newest first, and older records are used again`(count: UInt64) {
    var records = CallRecords()
    var made: Set<ObjectIdentifier> = []
    var kept: [CallRecord] = []
    for call in 1...count {
      let record = records.begin(receivedAt: at(0))
      made.insert(ObjectIdentifier(record))
      kept.append(record)
      records.end(record, summary(call))
    }
    let newest = Array((max(1, Int(count) - 49)...Int(count)).reversed())
    #expect(records.ended(50).map { Int($0.ticket.call) } == newest)
    #expect(records.endedCount == count)
    #expect(made.count == min(Int(count), CallRecords.kept + 1))
    #expect(records.timeline { $0.ticket.call == count }?.summary.ticket.call == count)
    let oldest = count > 200 ? count - 199 : 1
    #expect(records.timeline { $0.ticket.call == oldest } != nil)
    #expect(records.timeline { $0.ticket.call == oldest - 1 } == nil)
  }
}

struct CallTimelineTests {
  private func words(_ bench: HostBench, _ name: String) throws -> [String] {
    try #require(try bench.value { bench.loop.timeline(named: name) }).entries.map { $0.mark.rawValue }
  }

  @Test func `a call that waits, streams, pauses and ends has each of it in its timeline`() throws {
    let bench = try HostBench(providerLimit: 1, queued: 1)
    let face = RecordingFace(bench)
    let first = bench.call(face)
    bench.start(first)
    let second = bench.call(RecordingFace(bench))
    bench.start(second)
    #expect(try words(bench, second.ticket.key) == ["queued"])
    #expect(
      try bench.value { bench.loop.calls.compactMap(\.summary).map { "\($0.state)" } }.contains {
        $0.contains("queued")
      })
    bench.run { bench.provider.phase(1, .connected) }
    face.takesMore = false
    bench.run { bench.provider.emit(1, .text, "a") }
    bench.run { first.resume() }
    face.takesMore = true
    bench.run { bench.provider.answer(1, "b") }
    #expect(
      try words(bench, first.ticket.key) == ["admitted", "opened", "connected", "first_token", "paused", "resumed"])
    #expect(try words(bench, second.ticket.key) == ["queued", "admitted", "opened"])
    bench.run { second.cancel(.client, message: "enough") }
    #expect(
      try words(bench, second.ticket.key) == ["queued", "admitted", "opened", "cancel", "aborted_upstream"])
    // Of two with one id the newer is meant.
    let newest = try #require(try bench.value { bench.loop.timeline(named: "r1") })
    #expect(newest.summary.ticket == second.ticket)
    guard case .ended(let outcome, let error, _) = newest.summary.state else { throw Unexpected() }
    #expect(outcome == "cancelled" && error?.message == "enough")
    #expect(try bench.value { bench.loop.timeline(named: "r2") } == nil)
    bench.expectNothingHeld()
  }

  private struct Unexpected: Error {}

  @Test func `a call that finds no permit is kept as refused`() throws {
    let bench = try HostBench(providerLimit: 1)
    bench.start(bench.call(RecordingFace(bench)))
    let refused = bench.call(RecordingFace(bench))
    #expect(bench.start(refused) != nil)
    let ended = try bench.value { bench.loop.records.ended(9) }
    #expect(ended.count == 1 && ended[0].ticket == refused.ticket)
    guard case .ended("refused", let error, _) = ended[0].state else { throw Unexpected() }
    #expect(error?.code == .overCapacity)
    bench.run { bench.provider.answer(1, "x") }
  }

  @Test func `a second try and another model are told with why`() throws {
    let other = ScriptedProvider(id: "other", models: #"[{"id":"m-2"}]"#)
    let bench = try HostBench(others: [other]) {
      $0.retry.attempts = 3
      $0.retry.backoffMilliseconds = 0
    }
    let call = bench.call(
      RecordingFace(bench), fallbacks: [ModelEntry(id: "m-2", provider: 1, providerID: "other")])
    bench.start(call)
    for number in 1...2 as ClosedRange<UInt64> {
      bench.run {
        bench.provider.done(
          number, .failed(ProviderFailure(status: ProviderStatus.network, message: "no route \(number)")))
      }
      try bench.wait { bench.provider.running == [2] || other.running == [1] }
    }
    bench.run { other.answer(1, "x") }
    let timeline = try #require(try bench.value { bench.loop.timeline(named: call.ticket.key) })
    #expect(
      timeline.entries.map { "\($0.mark.rawValue) \($0.detail)" }.filter { !$0.hasPrefix("first_token") } == [
        "admitted ", "opened fake", "attempt_failed no route 1", "retry try 2, fake", "attempt_failed no route 2",
        "fallback m-2 of other", "retry try 3, other",
      ])
    #expect(timeline.summary.model.id == "m-2" && timeline.summary.attempts == 3)
  }
}
