import Decisions

/// Those who watch through one loop, and what they were last shown.
///
/// Thread: the loop's.
final class LoopFeed: TimerTarget {
  /// Without anything else to say, a comment is sent so often: proxies take a silent connection for a dead one.
  static let commentMilliseconds: UInt64 = 15_000

  private unowned let loop: HostLoop
  private(set) var watchers: [FeedWatcher] = []
  /// nil: nobody watches anywhere, or nothing was gathered yet.
  private var last: FeedFrame?
  private var spokeAt = Instant.never
  private var timer: TimerID?
  /// Loop 0's: it looks at the host for all.
  private lazy var gatherer = FeedGatherer(loop)

  init(_ loop: HostLoop) { self.loop = loop }

  /// Begins to show the host to `watcher`: what is known at once, or the first look as soon as it is done.
  func join(_ watcher: FeedWatcher) {
    watchers.append(watcher)
    if let last { watcher.begin(last) }
    if timer == nil { arm() }
    let home = loop.peers[0]
    home.post { home.feed.gatherer.begin() }
  }

  func leave(_ watcher: FeedWatcher) {
    watchers.removeAll { $0 === watcher }
    if watchers.isEmpty { disarm() }
    if loop.isDraining { loop.emptied() }
  }

  /// Shows another look; nil: nobody watches any more, anywhere.
  func show(_ frame: FeedFrame?) {
    last = frame
    guard let frame else { return }
    spokeAt = loop.now
    // One that ends leaves the list.
    for watcher in watchers { watcher.take(frame) }
  }

  func timerFired(_ tag: UInt32) {
    timer = nil
    if loop.now.nanoseconds(since: spokeAt) >= Self.commentMilliseconds * 1_000_000 {
      for watcher in watchers { watcher.comment() }
    }
    if !watchers.isEmpty { arm() }
  }

  private func arm() {
    timer = loop.eventLoop.schedule(at: loop.now.advanced(milliseconds: Self.commentMilliseconds), self, tag: 0)
  }

  private func disarm() {
    if let timer { _ = loop.eventLoop.cancel(timer) }
    timer = nil
  }
}
