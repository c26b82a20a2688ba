/// How finely how much of the past is kept: every sample for a while, one point a minute for longer, one in ten minutes
/// for the whole time.
///
/// A chart has a few hundred points whatever it spans, so hours are shown by samples, days by minutes, months by tens of
/// minutes; what is finer than any chart would only cost room. A series has 9,360 points then with the defaults, where
/// samples alone would be 259,200. Milliseconds throughout, of CLOCK_REALTIME.
struct HistoryTiers: Equatable, Sendable {
  struct Tier: Equatable, Sendable {
    /// Between two points; points of all but the finest stand at its multiples.
    var step: Int64
    /// Older points are dropped.
    var keep: Int64
  }

  /// Which tier answers for which part of a range.
  struct Segment: Equatable {
    var tier: Int
    var from: Int64
    /// Not included.
    var to: Int64
  }

  static let minute: Int64 = 60_000
  static let hour: Int64 = 60 * minute
  static let day: Int64 = 24 * hour
  static let samplesKeep = 6 * hour
  static let minutesKeep = 2 * day

  /// From the finest to the coarsest; their places are their numbers in the database.
  let tiers: [Tier]

  init(sample: Int64, keep: Int64) {
    tiers = [
      Tier(step: sample, keep: min(keep, Self.samplesKeep)), Tier(step: Self.minute, keep: min(keep, Self.minutesKeep)),
      Tier(step: 10 * Self.minute, keep: keep),
    ]
  }

  static func floor(_ at: Int64, _ step: Int64) -> Int64 { at - (at % step + step) % step }

  static func ceiling(_ at: Int64, _ step: Int64) -> Int64 { floor(at &+ (step - 1), step) }

  /// What of a tier's finer neighbour is complete and not yet put together.
  ///
  /// - Parameters:
  ///   - until: before it everything was put together; nil: nothing ever was.
  ///   - complete: before it no finer point comes any more.
  /// - Returns: the part that is due, empty when none is, and what `until` is then.
  static func due(step: Int64, until: Int64?, complete: Int64) -> (part: Range<Int64>, until: Int64) {
    let end = floor(complete, step)
    // Nothing was before; or the clock was set back, and goes over the same time again.
    guard let until, until <= end else { return (end..<end, end) }
    return (until..<end, end)
  }

  /// The tiers for a range, in the order of time: the coarsest that is fine enough for `step`, coarser ones for what is
  /// older than that one keeps, finer ones for what is not put together yet.
  ///
  /// - Parameters:
  ///   - rolled: of each tier but the finest, before what time it is complete.
  ///   - newest: the time of the newest sample.
  func segments(from: Int64, to: Int64, step: Int64, rolled: [Int64], newest: Int64) -> [Segment] {
    let preferred = tiers.lastIndex { $0.step <= max(step, tiers[0].step) } ?? 0
    func oldest(_ tier: Int) -> Int64 {
      guard tier + 1 < tiers.count else { return .min }
      // A coarser point stands for all of its time: what is finer begins behind it.
      return Self.ceiling(newest - tiers[tier].keep, tiers[tier + 1].step)
    }
    func complete(_ tier: Int) -> Int64 { tier == 0 ? .max : rolled[tier - 1] }
    var segments: [Segment] = []
    func add(_ tier: Int, _ start: Int64, _ end: Int64) {
      let segment = Segment(tier: tier, from: max(from, start), to: min(to, end))
      if segment.from < segment.to { segments.append(segment) }
    }
    for tier in stride(from: tiers.count - 1, to: preferred, by: -1) { add(tier, oldest(tier), oldest(tier - 1)) }
    add(preferred, oldest(preferred), complete(preferred))
    for tier in stride(from: preferred - 1, through: 0, by: -1) {
      add(tier, max(complete(tier + 1), oldest(tier)), complete(tier))
    }
    return segments
  }
}
