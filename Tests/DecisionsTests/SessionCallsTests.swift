import Testing

@testable import Decisions

private let first = Fingerprint(high: 1, low: 1)
private let second = Fingerprint(high: 2, low: 2)
private let a = Array("\"a\"".utf8)
private let b = Array("\"b\"".utf8)

/// One call, number 1, of id a.
private func calls() -> SessionCalls<Int> {
  var calls = SessionCalls<Int>()
  calls.begin(a, first, 1)
  return calls
}

extension SessionCalls<Int> {
  fileprivate mutating func word(
    _ id: [UInt8], _ fingerprint: Fingerprint?, refusesDuplicates: Bool = false
  ) -> String {
    switch arrive(id, fingerprint, refusesDuplicates: refusesDuplicates) {
    case .new: "new"
    case .joins(let call): "joins \(call)"
    case .conflicts: "conflicts"
    case .duplicate(let call): "duplicate of \(call)"
    }
  }

  fileprivate mutating func departure(_ id: [UInt8]) -> String {
    switch leave(id) {
    case .unknown: "unknown"
    case .left(let call): "left \(call)"
    case .last(let call): "last of \(call)"
    }
  }
}

struct SessionCallsTests {
  @Test func `the same request joins the one that runs, other arguments under its id conflict`() {
    var calls = calls()
    #expect(calls.word(a, first) == "joins 1")
    #expect(calls.word(a, second) == "conflicts")
    #expect(calls.word(b, first) == "new")
    #expect(calls.entries.map(\.waiters) == [2])
  }

  @Test func `the same arguments under another id are a duplicate only to whoever asks`() {
    var calls = calls()
    #expect(calls.word(b, first, refusesDuplicates: true) == "duplicate of 1")
    #expect(calls.word(b, second, refusesDuplicates: true) == "new")
    #expect(calls.word(b, first) == "new")
    #expect(calls.word(a, first, refusesDuplicates: true) == "joins 1", "its own id is no duplicate")
  }

  @Test func `each who joined leaves alone, and the last ends the call`() {
    var calls = calls()
    for _ in 0..<2 { _ = calls.word(a, first) }
    #expect(calls.departure(a) == "left 1")
    #expect(calls.departure(a) == "left 1")
    #expect(calls.departure(a) == "last of 1")
    #expect(calls.departure(b) == "unknown")
  }

  @Test func `a call that ended is gone with all who waited, and its id is free`() throws {
    var calls = calls()
    _ = calls.word(a, first)
    let ended = calls.end { $0 == 1 }
    #expect(ended?.waiters == 2)
    #expect(calls.isEmpty)
    let again = calls.end { $0 == 1 }
    #expect(again == nil)
    #expect(calls.word(a, second) == "new")
  }

  @Test func `a call without an id of its own cannot be joined`() {
    var calls = SessionCalls<Int>()
    calls.begin(a, nil, 1)
    #expect(calls.word(a, nil) == "conflicts")
    #expect(calls.word(b, first, refusesDuplicates: true) == "new")
  }
}

struct SessionLifeTests {
  @Test func `a session is over when it was silent for its time and has no call`() {
    let start = Instant(nanoseconds: 10)
    var life = SessionLife(now: start)
    #expect(!life.isOver(idleNanoseconds: 5, hasCalls: false, now: Instant(nanoseconds: 14)))
    #expect(life.isOver(idleNanoseconds: 5, hasCalls: false, now: Instant(nanoseconds: 15)))
    #expect(!life.isOver(idleNanoseconds: 5, hasCalls: true, now: Instant(nanoseconds: 900)))
    life.heard(now: Instant(nanoseconds: 14))
    #expect(!life.isOver(idleNanoseconds: 5, hasCalls: false, now: Instant(nanoseconds: 18)))
    #expect(life.isOver(idleNanoseconds: 5, hasCalls: false, now: Instant(nanoseconds: 19)))
  }
}
