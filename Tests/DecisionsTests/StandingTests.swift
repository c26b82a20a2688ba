import Testing

@testable import Decisions

@Suite struct StandingTests {
  private let start = Instant(nanoseconds: 5_000_000_000)
  /// So many that each may send the least.
  private let many = 5_000

  private func after(_ nanoseconds: UInt64) -> Instant { start.advanced(nanoseconds: nanoseconds) }

  private func known() -> Standing {
    var standing = Standing(now: start)
    standing.becameKnown()
    return standing
  }

  /// Has the normal priority among many, since `start` and a second.
  private func proven() -> Standing {
    var standing = known()
    _ = standing.received(1, isDrained: true, connections: many, now: after(Standing.provingNanoseconds))
    return standing
  }

  @Test func `a stranger stays low, however long it behaves and however few there are`() {
    var standing = Standing(now: start)
    for second in 0..<100 as Range<UInt64> {
      let hasChanged = standing.received(1, isDrained: true, connections: 1, now: after(second * 1_000_000_000))
      #expect(!hasChanged && standing.isLow)
    }
  }

  @Test(arguments: [(Standing.provingNanoseconds - 1, true), (Standing.provingNanoseconds, false)])
  func `among many it takes a second to be trusted`(nanoseconds: UInt64, isLow: Bool) {
    var standing = known()
    let hasChanged = standing.received(1, isDrained: true, connections: many, now: after(nanoseconds))
    #expect(standing.isLow == isLow && hasChanged == !isLow)
  }

  @Test(arguments: [(Standing.few - 1, false), (Standing.few, false), (Standing.few + 1, true)])
  func `among few it is trusted at once`(connections: Int, isLow: Bool) {
    var standing = known()
    _ = standing.received(.max, isDrained: true, connections: connections, now: start)
    #expect(standing.isLow == isLow)
  }

  @Test(arguments: [(Standing.leastBytesPerSecond, false), (Standing.leastBytesPerSecond + 1, true)])
  func `more bytes in a second than its share make it low`(bytes: Int, isLow: Bool) {
    var standing = proven()
    let now = after(10_000_000_000)
    _ = standing.received(bytes - 1, isDrained: true, connections: many, now: now)
    #expect(!standing.isLow)
    let hasChanged = standing.received(
      1, isDrained: true, connections: many, now: now.advanced(nanoseconds: 999_999_999))
    #expect(standing.isLow == isLow && hasChanged == isLow)
  }

  @Test(arguments: [
    (33, 4_067_203), (64, 2 << 20), (1_024, 128 << 10), (1_025, 128 << 10), (0, 128 << 20), (Int.max, 128 << 10),
  ])
  func `the share is what a loop takes, among all, and never less than enough`(connections: Int, share: Int) {
    #expect(Standing.share(connections: connections) == share)
    guard connections > Standing.few else { return }
    for (bytes, isLow) in [(share, false), (share + 1, true)] {
      var standing = proven()
      _ = standing.received(bytes, isDrained: true, connections: connections, now: after(10_000_000_000))
      #expect(standing.isLow == isLow)
    }
  }

  @Test func `who sends faster than it is read is never trusted, however little is read`() {
    var standing = known()
    for tenth in 0..<100 as Range<UInt64> {
      _ = standing.received(64, isDrained: false, connections: many, now: after(tenth * 100_000_000))
      #expect(standing.isLow)
    }
    _ = standing.received(64, isDrained: true, connections: many, now: after(10_000_000_000))
    #expect(!standing.isLow)
  }

  @Test(arguments: [(Standing.undrainedBytes, false), (Standing.undrainedBytes + 1, true)])
  func `more in a row than a burst makes it low`(bytes: Int, isLow: Bool) {
    var standing = proven()
    let now = after(10_000_000_000)
    _ = standing.received(bytes - 1, isDrained: false, connections: many, now: now)
    #expect(!standing.isLow)
    let hasChanged = standing.received(1, isDrained: false, connections: many, now: now)
    #expect(standing.isLow == isLow && hasChanged == isLow)
  }

  @Test func `a burst that was read to its end does not count with the next`() {
    var standing = proven()
    for step in 0..<4 as Range<UInt64> {
      let now = after(10_000_000_000 + step * 1_000_000_000)
      _ = standing.received(Standing.undrainedBytes, isDrained: false, connections: many, now: now)
      _ = standing.received(1, isDrained: true, connections: many, now: now)
      #expect(!standing.isLow)
    }
  }

  @Test func `the bytes of one second do not count in the next`() {
    var standing = proven()
    for second in 10..<20 as Range<UInt64> {
      _ = standing.received(
        Standing.leastBytesPerSecond, isDrained: true, connections: many, now: after(second * 1_000_000_000))
      #expect(!standing.isLow)
    }
  }

  @Test func `who exceeds its turn is low, and trusted again a second later`() {
    var standing = proven()
    let now = after(10_000_000_000)
    let becameLow = standing.exceeded(connections: many, now: now)
    #expect(becameLow && standing.isLow)
    _ = standing.received(
      1, isDrained: true, connections: many, now: now.advanced(nanoseconds: Standing.provingNanoseconds - 1))
    #expect(standing.isLow)
    _ = standing.received(
      1, isDrained: true, connections: many, now: now.advanced(nanoseconds: Standing.provingNanoseconds))
    #expect(!standing.isLow)
  }

  @Test func `each excess begins the second anew`() {
    var standing = known()
    for tenth in 1...30 as ClosedRange<UInt64> {
      _ = standing.received(
        Standing.leastBytesPerSecond + 1, isDrained: true, connections: many, now: after(tenth * 100_000_000))
      #expect(standing.isLow)
    }
  }

  @Test func `no count overflows`() {
    var standing = known()
    for _ in 0..<8 { _ = standing.received(.max, isDrained: false, connections: .max, now: start) }
    #expect(standing.isLow)
  }
}
