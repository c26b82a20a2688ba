import Testing

@testable import Decisions

private let second: UInt64 = 1_000_000_000

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: 1_000_000_000_000 + UInt64(seconds * 1e9)) }

/// One look after the other, a second apart.
private func told(_ episode: inout AlertEpisode, _ sights: [AlertEpisode.Sight], from: Double = 0)
  -> [AlertEpisode.Event]
{
  sights.enumerated().flatMap { episode.see($0.element, now: at(from + Double($0.offset))) }
}

struct AlertEpisodeTests {
  @Test func `a rise, a stay and a fall are one warning, one critical and one recovery`() {
    var episode = AlertEpisode(.level)
    let rise: [AlertEpisode.Sight] = [.clear, .between, .warning, .warning, .critical, .critical, .warning]
    #expect(told(&episode, rise) == [.raised(.warning), .raised(.critical)])
    #expect(episode.severity == .critical)
    #expect(told(&episode, Array(repeating: .clear, count: 20), from: 7) == [.recovered])
    #expect(episode.severity == nil)
  }

  @Test func `a jump past both thresholds tells both where there are two, and only the worse where there is one`() {
    var level = AlertEpisode(.level)
    #expect(level.see(.critical, now: at(0)) == [.raised(.warning), .raised(.critical)])
    var state = AlertEpisode(.state)
    #expect(state.see(.critical, now: at(0)) == [.raised(.critical)])
  }

  @Test(arguments: [(9.9, false), (10, true), (10.1, true)])
  func `ten seconds of clear end it, one look less does not`(seconds: Double, ends: Bool) {
    var episode = AlertEpisode(.level)
    _ = episode.see(.warning, now: at(0))
    #expect(episode.see(.clear, now: at(1)) == [])
    let events = episode.see(.clear, now: at(1 + seconds))
    #expect(events == (ends ? [.recovered] : []))
  }

  @Test(arguments: [(59.9, false), (60, true), (60.1, true)])
  func `a minute below the threshold ends it, though never clear`(seconds: Double, ends: Bool) {
    var episode = AlertEpisode(.level)
    _ = episode.see(.critical, now: at(0))
    #expect(episode.see(.between, now: at(1)) == [])
    let events = episode.see(.between, now: at(1 + seconds))
    #expect(events == (ends ? [.recovered] : []))
  }

  @Test func `a look between begins the ten seconds anew, but not the minute`() {
    var episode = AlertEpisode(.level)
    _ = episode.see(.warning, now: at(0))
    #expect(told(&episode, [.clear, .clear, .between, .clear], from: 1) == [])
    #expect(episode.see(.clear, now: at(13.9)) == [])
    #expect(episode.see(.clear, now: at(14)) == [.recovered])
    _ = episode.see(.warning, now: at(20))
    for step in 0..<60 {
      #expect(episode.see(step.isMultiple(of: 2) ? .clear : .between, now: at(21 + Double(step))) == [])
    }
    #expect(episode.see(.between, now: at(81)) == [.recovered])
  }

  @Test func `a value that flaps about its threshold for an hour is one alert`() {
    var episode = AlertEpisode(.level)
    let flaps: [AlertEpisode.Sight] = (0..<3600).map { [.warning, .clear, .between, .clear][$0 % 4] }
    #expect(told(&episode, flaps) == [.raised(.warning)])
    var full = AlertEpisode(.level)
    let peaks: [AlertEpisode.Sight] = (0..<3600).map { $0.isMultiple(of: 5) ? .critical : .clear }
    #expect(told(&full, peaks) == [.raised(.warning), .raised(.critical)])
  }

  @Test func `a state ends with the first look that finds it gone, and the next time is another alert`() {
    var episode = AlertEpisode(.state)
    #expect(told(&episode, [.warning, .warning, .clear, .clear]) == [.raised(.warning), .recovered])
    #expect(told(&episode, [.warning, .clear], from: 4) == [.raised(.warning), .recovered])
  }

  @Test(arguments: [(59.9, false), (60, true)])
  func `an event is over a minute after the last one`(seconds: Double, ends: Bool) {
    var episode = AlertEpisode(.event)
    #expect(told(&episode, [.warning, .clear, .warning, .clear]) == [.raised(.warning)])
    let events = episode.see(.clear, now: at(3 + seconds))
    #expect(events == (ends ? [.recovered] : []))
  }
}

struct AlertSightTests {
  @Test(arguments: [
    (0, AlertEpisode.Sight.clear), (79, .clear), (80, .clear), (81, .between), (89, .between), (90, .between),
    (91, .warning), (99, .warning), (100, .critical), (101, .critical), (-1, .clear),
  ])
  func `of a limit of a hundred`(used: Int, sight: AlertEpisode.Sight) {
    #expect(AlertEpisode.Sight.limit(used: used, of: 100) == sight)
  }

  @Test(arguments: [
    (1, 0, AlertEpisode.Sight.clear), (1, 1, .critical), (6, 4, .clear), (6, 5, .between), (6, 6, .critical),
    (24, 19, .clear), (24, 20, .between), (24, 21, .between), (24, 22, .warning), (24, 24, .critical),
  ])
  func `of a small limit`(limit: Int, used: Int, sight: AlertEpisode.Sight) {
    #expect(AlertEpisode.Sight.limit(used: used, of: limit) == sight)
  }

  @Test func `whoever found none free makes it critical, however many are free by now`() {
    #expect(AlertEpisode.Sight.limit(used: 0, of: 100, foundNoneFree: true) == .critical)
  }

  @Test func `no limit tells nothing, and the largest numbers do not trap`() {
    for limit in [0, -1, Int.min] {
      #expect(AlertEpisode.Sight.limit(used: .max, of: limit, foundNoneFree: true) == .clear)
    }
    #expect(AlertEpisode.Sight.limit(used: .max, of: .max) == .critical)
    #expect(AlertEpisode.Sight.limit(used: .max / 2, of: .max) == .clear)
    #expect(AlertEpisode.Sight.disk(used: .max, of: .max) == .critical)
    #expect(AlertEpisode.Sight.disk(used: 1, of: 0) == .clear)
  }

  @Test(
    arguments: [
      (79_999, AlertEpisode.Sight.clear), (80_000, .between), (84_999, .between), (85_000, .warning),
      (94_999, .warning),
      (95_000, .critical), (100_000, .critical),
    ] as [(UInt64, AlertEpisode.Sight)])
  func `of a disk`(used: UInt64, sight: AlertEpisode.Sight) {
    #expect(AlertEpisode.Sight.disk(used: used, of: 100_000) == sight)
  }

  @Test func `growth counts from sixteen MiB and a tenth on, and its half is not clear`() {
    func sight(rise: Double, start: Double) -> AlertEpisode.Sight {
      .growth(MemoryGrowth.Growth(bytesPerSecond: rise / 100, spanSeconds: 100, startBytes: start))
    }
    let mebibyte = 1_048_576.0
    #expect(AlertEpisode.Sight.growth(nil) == .clear)
    for (rise, expected) in [
      (7.9, AlertEpisode.Sight.clear), (8, .between), (15.9, .between), (16, .warning), (16.1, .warning),
    ] { #expect(sight(rise: rise * mebibyte, start: 100 * mebibyte) == expected, "\(rise)") }
    for (rise, expected) in [(49.0, AlertEpisode.Sight.clear), (50, .between), (99, .between), (100, .warning)] {
      #expect(sight(rise: rise * mebibyte, start: 1000 * mebibyte) == expected, "\(rise)")
    }
    #expect(sight(rise: -100 * mebibyte, start: 100 * mebibyte) == .clear)
  }
}
