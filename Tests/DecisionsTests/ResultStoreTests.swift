import Testing

@testable import Decisions

private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }
private func key(_ session: UInt64, _ id: String) -> ResultStore<String>.Key {
  .init(session: session, id: Array(id.utf8))
}
private let print = Fingerprint(high: 1, low: 2)

/// Room for `count` results of 40 bytes, kept for 100.
private func store(_ count: Int) -> ResultStore<String> {
  ResultStore(bytesLimit: count * (40 + ResultStore<String>.entryBytes), keepNanoseconds: 100)
}

struct ResultStoreTests {
  @Test func `a result is found by its session and id only, until it is too old`() {
    var store = store(10)
    store.insert(key(1, "a"), print, "x", bytes: 40, now: at(5))
    #expect(store.find(key(1, "a"), now: at(104))?.value == "x")
    #expect(store.find(key(1, "a"), now: at(104))?.fingerprint == print)
    #expect(store.find(key(2, "a"), now: at(6)) == nil)
    #expect(store.find(key(1, "b"), now: at(6)) == nil)
    #expect(store.find(key(1, "a"), now: at(105)) == nil)
  }

  @Test func `the oldest go when the bytes are too many, and one that fits exactly stays`() {
    var store = store(3)
    for (time, id) in ["a", "b", "c"].enumerated() {
      store.insert(key(UInt64(time % 2), id), print, id, bytes: 40, now: at(UInt64(time)))
    }
    #expect(store.count == 3)
    #expect(store.bytes == store.bytesLimit)
    store.insert(key(0, "d"), print, "d", bytes: 41, now: at(4))
    #expect(store.find(key(0, "a"), now: at(4)) == nil)
    #expect(store.find(key(1, "b"), now: at(4)) == nil, "41 bytes need two places")
    #expect(store.find(key(0, "c"), now: at(4))?.value == "c")
    #expect(store.find(key(0, "d"), now: at(4))?.value == "d")
    store.insert(key(0, "huge"), print, "h", bytes: store.bytesLimit, now: at(5))
    #expect(store.count == 2, "what can never fit costs nobody else's place")
  }

  @Test func `the same key is replaced`() {
    var store = store(3)
    store.insert(key(1, "a"), print, "old", bytes: 40, now: at(1))
    store.insert(key(1, "a"), Fingerprint(high: 9, low: 9), "new", bytes: 40, now: at(2))
    #expect(store.count == 1)
    #expect(store.find(key(1, "a"), now: at(3))?.value == "new")
    store.removeAll(ofSession: 1)
    #expect(store.count == 0)
    #expect(store.bytes == 0)
  }

  @Test func `a session takes all of its own along and nothing else`() {
    var store = store(10)
    for id in ["a", "b", "c"] {
      for session in 1...3 as ClosedRange<UInt64> {
        store.insert(key(session, id), print, "\(session)\(id)", bytes: 40, now: at(1))
      }
    }
    store.removeAll(ofSession: 2)
    #expect(store.count == 6)
    for id in ["a", "b", "c"] {
      #expect(store.find(key(1, id), now: at(2))?.value == "1\(id)")
      #expect(store.find(key(2, id), now: at(2)) == nil)
    }
    store.removeAll(ofSession: 2)
    #expect(store.count == 6)
  }

  @Test func `expiring removes what is too old and nothing else`() {
    var store = store(10)
    store.insert(key(1, "a"), print, "a", bytes: 40, now: at(1))
    store.insert(key(2, "b"), print, "b", bytes: 40, now: at(50))
    store.expire(now: at(101))
    #expect(store.count == 1)
    #expect(store.find(key(2, "b"), now: at(101))?.value == "b")
  }

  @Test func `a store that keeps for no time keeps nothing`() {
    var store = ResultStore<String>(bytesLimit: 1_000, keepNanoseconds: 0)
    store.insert(key(1, "a"), print, "a", bytes: 1, now: at(1))
    #expect(store.count == 0)
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `after thousands of random operations it holds what a plain list holds`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var store = store(20)
    var list: [(key: ResultStore<String>.Key, value: String, at: UInt64)] = []
    for step in 0..<3_000 as Range<UInt64> {
      let session = UInt64.random(in: 0..<5, using: &generator)
      let id = key(session, "\(Int.random(in: 0..<12, using: &generator))")
      switch Int.random(in: 0..<20, using: &generator) {
      case 0:
        store.removeAll(ofSession: session)
        list.removeAll { $0.key.session == session }
      default:
        list.removeAll { $0.key == id || $0.at + 100 <= step }
        list.append((id, "\(step)", step))
        if list.count > 20 { list.removeFirst() }
        store.insert(id, print, "\(step)", bytes: 40, now: at(step))
      }
      #expect(store.count == list.count)
      for kept in list where kept.at + 100 > step { #expect(store.find(kept.key, now: at(step))?.value == kept.value) }
    }
    #expect(store.bytes == store.count * (40 + ResultStore<String>.entryBytes))
  }
}
