/// How fast a process grows, from samples of its resident memory.
///
/// The window is cut into six parts of equal length. Of each the median counts, and the growth is the median of the
/// five differences: a step, however large, moves one or two of them, and a sawtooth none, so that neither is taken for
/// a leak. Nothing is said before a minute of samples: a page more after a second would be gigabytes an hour.
package struct MemoryGrowth: Equatable, Sendable {
  package struct Growth: Equatable, Sendable {
    package var bytesPerSecond: Double
    /// From the first sample to the last; 60 to 600.
    package var spanSeconds: Double
    /// The median of the first part.
    package var startBytes: Double

    package init(bytesPerSecond: Double, spanSeconds: Double, startBytes: Double) {
      self.bytesPerSecond = bytesPerSecond
      self.spanSeconds = spanSeconds
      self.startBytes = startBytes
    }

    /// What it has grown by over the span, steps aside.
    package var riseBytes: Double { bytesPerSecond * spanSeconds }
  }

  package static let leastNanoseconds: UInt64 = 60_000_000_000
  package static let windowNanoseconds: UInt64 = 600_000_000_000
  /// Samples that come sooner after the last one are left out, so that the window has at most 301.
  package static let stepNanoseconds: UInt64 = 2_000_000_000
  private static let parts = 6

  private struct Sample: Equatable, Sendable {
    var at: Instant
    var bytes: Int
  }

  private var samples: [Sample] = []

  package init() {}

  package var spanNanoseconds: UInt64 {
    guard let first = samples.first, let last = samples.last else { return 0 }
    return last.at.nanoseconds(since: first.at)
  }

  /// Takes a sample at `now`, never before the last one.
  package mutating func add(bytes: Int, now: Instant) {
    if let last = samples.last, now.nanoseconds(since: last.at) < Self.stepNanoseconds { return }
    samples.append(Sample(at: now, bytes: bytes))
    if let first = samples.firstIndex(where: { now.nanoseconds(since: $0.at) <= Self.windowNanoseconds }), first > 0 {
      samples.removeFirst(first)
    }
  }

  /// nil: the samples span less than a minute, or there is a hole in them.
  package var growth: Growth? {
    let span = spanNanoseconds
    guard span >= Self.leastNanoseconds, let first = samples.first else { return nil }
    var values = [[Int]](repeating: [], count: Self.parts)
    for sample in samples {
      let offset = sample.at.nanoseconds(since: first.at)
      values[min(Int(offset * UInt64(Self.parts) / span), Self.parts - 1)].append(sample.bytes)
    }
    guard values.allSatisfy({ !$0.isEmpty }) else { return nil }
    let medians = values.map { Double($0.sorted()[$0.count / 2]) }
    let differences = zip(medians.dropFirst(), medians).map { $0 - $1 }.sorted()
    let spanSeconds = Double(span) / 1e9
    return Growth(
      bytesPerSecond: differences[differences.count / 2] * Double(Self.parts) / spanSeconds, spanSeconds: spanSeconds,
      startBytes: medians[0])
  }
}
