/// Finished results, kept for their own session for a time and within a bound: what a repeated request gets.
///
/// Plain data of one loop, which a session never leaves. The bytes lie one behind the other in a ring, so that keeping
/// one costs a copy and no allocation; the oldest go when room is needed. A session's number is never used twice, so
/// what an ended session left is out of reach and leaves with its age.
package struct ResultStore: ~Copyable {
  package struct Key: Hashable, Sendable {
    /// Never used twice, unlike the number that limits go by.
    package var session: UInt64
    /// Of the request id.
    package var id: Fingerprint

    package init(session: UInt64, id: Fingerprint) {
      self.session = session
      self.id = id
    }

    /// The id is a keyed hash already.
    var hash: UInt32 { UInt32(truncatingIfNeeded: id.low ^ session) }
  }

  private struct Entry {
    var key: Key
    /// Of the arguments.
    var fingerprint: Fingerprint
    var start: Int
    var count: Int
    var finishedAt: Instant
  }

  /// What an entry costs beyond its bytes, its place in the index included.
  static let entryBytes = 192

  private let ring: UnsafeMutableRawBufferPointer
  private let entriesLimit: Int
  /// Nanoseconds; 0: nothing is kept.
  private let keepNanoseconds: UInt64
  /// By age; those before `oldest` are gone. `gone` have left since the first.
  private var entries: [Entry] = []
  private var oldest = 0
  private var gone = 0
  private var index = ResultIndex()

  /// - Parameter bytesLimit: for all that is kept, three quarters of it for the results themselves. The memory is
  ///   reserved at once and taken as it is used.
  package init(bytesLimit: Int, keepNanoseconds: UInt64) {
    self.keepNanoseconds = keepNanoseconds
    let kept = keepNanoseconds == 0 ? 0 : bytesLimit
    ring = .allocate(byteCount: kept / 4 * 3, alignment: 16)
    entriesLimit = kept / 4 / Self.entryBytes
  }

  deinit { ring.deallocate() }

  /// Results that can be found.
  package var count: Int { index.count }
  /// Whether anything is ever kept.
  package var isEnabled: Bool { entriesLimit > 0 }

  /// Keeps a result; one of the same key is replaced. What does not fit at all is not kept.
  package mutating func insert(_ key: Key, _ fingerprint: Fingerprint, _ bytes: UnsafeRawBufferPointer, now: Instant) {
    expire(now: now)
    guard isEnabled, bytes.count <= ring.count else { return }
    if entries.count - oldest == entriesLimit { removeOldest() }
    let start = makeRoom(bytes.count)
    UnsafeMutableRawBufferPointer(rebasing: ring[start..<start + bytes.count]).copyMemory(from: bytes)
    if let before = index.find(key.hash, from: gone, { entries[$0].key == key }) {
      index.remove(key.hash, gone + before)
    }
    index.insert(key.hash, gone + entries.count)
    entries.append(
      Entry(key: key, fingerprint: fingerprint, start: start, count: bytes.count, finishedAt: now))
  }

  /// The result of this key, if it is not too old; the bytes are borrowed until the next change.
  package func find(_ key: Key, now: Instant) -> (fingerprint: Fingerprint, bytes: UnsafeRawBufferPointer)? {
    guard let place = index.find(key.hash, from: gone, { entries[$0].key == key }) else { return nil }
    let entry = entries[place]
    guard !isOver(entry, now: now) else { return nil }
    return (entry.fingerprint, UnsafeRawBufferPointer(rebasing: ring[entry.start..<entry.start + entry.count]))
  }

  /// Forgets what is too old.
  package mutating func expire(now: Instant) {
    while oldest < entries.count, isOver(entries[oldest], now: now) { removeOldest() }
  }

  private func isOver(_ entry: Entry, now: Instant) -> Bool {
    entry.finishedAt.advanced(nanoseconds: keepNanoseconds) <= now
  }

  /// Where `count` bytes fit behind the newest; whoever lies there goes.
  private mutating func makeRoom(_ count: Int) -> Int {
    while oldest < entries.count {
      let (first, last) = (entries[oldest], entries[entries.count - 1])
      let end = last.start + last.count
      if first.start <= last.start {
        // One run: behind it, or before it.
        if ring.count - end >= count { return end }
        if first.start >= count { return 0 }
      } else if first.start - end >= count {
        return end
      }
      removeOldest()
    }
    return 0
  }

  private mutating func removeOldest() {
    let entry = entries[oldest]
    index.remove(entry.key.hash, gone + oldest)
    oldest += 1
    guard oldest >= 1_024, oldest >= entries.count / 2 else { return }
    entries.removeFirst(oldest)
    gone += oldest
    oldest = 0
  }
}
