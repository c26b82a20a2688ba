import Testing

@testable import Decisions

private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }
private func key(_ session: UInt64, _ id: UInt64) -> ResultStore.Key {
  ResultStore.Key(session: session, id: Fingerprint(high: id, low: ~id))
}
private let print = Fingerprint(high: 1, low: 2)

extension ResultStore {
  fileprivate mutating func keep(_ key: Key, _ text: String, at now: UInt64, _ fingerprint: Fingerprint = print) {
    Array(text.utf8).withUnsafeBytes { insert(key, fingerprint, $0, now: Instant(nanoseconds: now)) }
  }

  fileprivate func text(_ key: Key, at now: UInt64) -> String? {
    find(key, now: Instant(nanoseconds: now)).map { String(decoding: $0.bytes, as: UTF8.self) }
  }
}

/// A ring of `ring` bytes, kept for 100, and room for as many entries as the bytes allow.
private func store(ring: Int, keep: UInt64 = 100) -> ResultStore {
  ResultStore(bytesLimit: (ring + 2) / 3 * 4, keepNanoseconds: keep)
}

/// Large enough that the ring decides, not the number of entries.
private let ring = 48 * 1_000

struct ResultStoreTests {
  @Test func `a result is found by its session and id only, until it is too old`() {
    var store = store(ring: ring)
    store.keep(key(1, 7), "x", at: 5)
    #expect(store.text(key(1, 7), at: 104) == "x")
    let found = store.find(key(1, 7), now: at(104))?.fingerprint
    #expect(found == print)
    #expect(store.text(key(2, 7), at: 6) == nil)
    #expect(store.text(key(1, 8), at: 6) == nil)
    #expect(store.text(key(1, 7), at: 105) == nil)
    store.expire(now: at(105))
    #expect(store.count == 0)
  }

  @Test(arguments: [-1, 0, 1])
  func `a result as large as the ring is kept, one byte more is not, and costs nobody's place`(beyond: Int) {
    var store = store(ring: ring)
    store.keep(key(1, 1), "small", at: 1)
    store.keep(key(1, 2), String(repeating: "x", count: ring + beyond), at: 2)
    #expect((store.text(key(1, 2), at: 3) != nil) == (beyond <= 0))
    #expect((store.text(key(1, 1), at: 3) != nil) == (beyond > 0))
  }

  @Test func `the oldest go when there is no room, and only as many as must`() {
    var store = store(ring: ring)
    let third = String(repeating: "x", count: ring / 3)
    for id in 1...3 as ClosedRange<UInt64> { store.keep(key(1, id), third, at: id) }
    #expect(store.count == 3)
    store.keep(key(1, 4), third + "y", at: 4)
    #expect(store.text(key(1, 1), at: 5) == nil)
    #expect(store.text(key(1, 2), at: 5) == nil, "a byte more needs two places")
    #expect(store.text(key(1, 3), at: 5) == third)
    #expect(store.text(key(1, 4), at: 5) == third + "y")
  }

  @Test func `so do the oldest of too many small ones`() {
    var store = store(ring: 3 * ResultStore.entryBytes * 5)
    for id in 1...6 as ClosedRange<UInt64> { store.keep(key(1, id), "", at: id) }
    #expect(store.count == 5)
    #expect(store.text(key(1, 1), at: 7) == nil)
    #expect(store.text(key(1, 2), at: 7) == "")
  }

  @Test func `the same key is replaced`() {
    var store = store(ring: ring)
    store.keep(key(1, 1), "old", at: 1)
    store.keep(key(1, 1), "new", at: 2, Fingerprint(high: 9, low: 9))
    #expect(store.count == 1)
    #expect(store.text(key(1, 1), at: 3) == "new")
    store.expire(now: at(101))
    #expect(store.text(key(1, 1), at: 101) == "new", "the old one's age is not the new one's")
    store.expire(now: at(102))
    #expect(store.count == 0)
  }

  @Test func `a store that keeps for no time keeps nothing`() {
    var store = store(ring: ring, keep: 0)
    store.keep(key(1, 1), "a", at: 1)
    #expect(store.isEnabled == false)
    #expect(store.count == 0)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `after thousands of random operations whatever it finds is what was kept last`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let size = 4_000 + Int(seed) * 997
    var store = store(ring: size)
    var last: [ResultStore.Key: (text: String, at: UInt64)] = [:]
    var found = 0
    for step in 0..<20_000 as Range<UInt64> {
      let key = key(UInt64.random(in: 0..<5, using: &generator), UInt64.random(in: 0..<9, using: &generator))
      let text = "\(step) " + String(repeating: "z", count: Int.random(in: 0..<size / 6, using: &generator))
      store.keep(key, text, at: step)
      last[key] = (text, step)
      #expect(store.text(key, at: step) == text)
      for (key, kept) in last {
        guard let text = store.text(key, at: step) else { continue }
        found += 1
        if text != kept.text || kept.at + 100 <= step { Issue.record("found \(text.prefix(9)) at \(step)") }
      }
    }
    #expect(found > 40_000, "most of what fits is found: \(found)")
  }
}
