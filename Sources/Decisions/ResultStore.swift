/// Finished results, kept for their own session for a time and within a bound: what a repeated request gets.
///
/// Plain data of one loop, which a session never leaves. The oldest go first when the bytes are too many; all of a
/// session go with it.
package struct ResultStore<Value> {
  package struct Key: Hashable, Sendable {
    /// Never used twice, unlike the number that limits go by.
    package var session: UInt64
    package var id: [UInt8]

    package init(session: UInt64, id: [UInt8]) {
      self.session = session
      self.id = id
    }
  }

  package struct Result {
    package var fingerprint: Fingerprint
    package var value: Value
  }

  /// What an entry costs beyond what it was said to.
  static var entryBytes: Int { 160 }

  private struct Entry {
    var key: Key
    var result: Result
    var bytes: Int
    var finishedAt: Instant
    /// Neighbours by age, and by age within the session; −1: none.
    var older: Int32 = -1
    var newer: Int32 = -1
    var olderOfSession: Int32 = -1
    var newerOfSession: Int32 = -1
  }

  private var entries: [Entry?] = []
  private var free: [Int32] = []
  private var index: [Key: Int32] = [:]
  private var newestOfSession: [UInt64: Int32] = [:]
  private var oldest: Int32 = -1
  private var newest: Int32 = -1
  package private(set) var bytes = 0
  package var bytesLimit: Int
  /// Nanoseconds; 0: nothing is kept.
  package var keepNanoseconds: UInt64

  package init(bytesLimit: Int, keepNanoseconds: UInt64) {
    self.bytesLimit = bytesLimit
    self.keepNanoseconds = keepNanoseconds
  }

  package var count: Int { index.count }

  /// Keeps a result; one of the same key is replaced. What does not fit at all is not kept.
  package mutating func insert(_ key: Key, _ fingerprint: Fingerprint, _ value: Value, bytes size: Int, now: Instant) {
    let cost = size + Self.entryBytes
    if let known = index[key] { remove(known) }
    guard keepNanoseconds > 0, cost <= bytesLimit else { return }
    expire(now: now)
    while bytes > bytesLimit - cost, oldest >= 0 { remove(oldest) }
    var entry = Entry(
      key: key, result: Result(fingerprint: fingerprint, value: value), bytes: cost, finishedAt: now, older: newest)
    entry.olderOfSession = newestOfSession[key.session] ?? -1
    let slot = place(entry)
    if newest >= 0 { entries[Int(newest)]!.newer = slot } else { oldest = slot }
    newest = slot
    if entry.olderOfSession >= 0 { entries[Int(entry.olderOfSession)]!.newerOfSession = slot }
    newestOfSession[key.session] = slot
    index[key] = slot
    bytes += cost
  }

  /// The result of this key, if it is not too old.
  package func find(_ key: Key, now: Instant) -> Result? {
    guard let slot = index[key], let entry = entries[Int(slot)], !isOver(entry, now: now) else { return nil }
    return entry.result
  }

  /// Nobody else may ever ask for these.
  package mutating func removeAll(ofSession session: UInt64) {
    while let slot = newestOfSession[session] { remove(slot) }
  }

  /// Forgets what is too old.
  package mutating func expire(now: Instant) {
    while oldest >= 0, let entry = entries[Int(oldest)], isOver(entry, now: now) { remove(oldest) }
  }

  private func isOver(_ entry: Entry, now: Instant) -> Bool {
    entry.finishedAt.advanced(nanoseconds: keepNanoseconds) <= now
  }

  private mutating func place(_ entry: Entry) -> Int32 {
    if let slot = free.popLast() {
      entries[Int(slot)] = entry
      return slot
    }
    entries.append(entry)
    return Int32(entries.count - 1)
  }

  private mutating func remove(_ slot: Int32) {
    guard let entry = entries[Int(slot)] else { return }
    entries[Int(slot)] = nil
    free.append(slot)
    index[entry.key] = nil
    bytes -= entry.bytes
    if entry.older >= 0 { entries[Int(entry.older)]!.newer = entry.newer } else { oldest = entry.newer }
    if entry.newer >= 0 { entries[Int(entry.newer)]!.older = entry.older } else { newest = entry.older }
    if entry.olderOfSession >= 0 { entries[Int(entry.olderOfSession)]!.newerOfSession = entry.newerOfSession }
    if entry.newerOfSession >= 0 {
      entries[Int(entry.newerOfSession)]!.olderOfSession = entry.olderOfSession
    } else {
      newestOfSession[entry.key.session] = entry.olderOfSession >= 0 ? entry.olderOfSession : nil
    }
  }
}
