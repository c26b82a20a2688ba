import Decisions

/// Looks at the whole host once a second while somebody watches, and shows all loops what came of it.
///
/// | state     | event                          | then                                                            |
/// |-----------|--------------------------------|-----------------------------------------------------------------|
/// | idle      | somebody begins to watch       | gathering: each loop is asked for its view                      |
/// | gathering | the last loop has answered     | waiting: the frame goes to all loops                            |
/// | gathering | a second has passed            | gathering anew; a loop that has not answered is shown as it was |
/// | waiting   | a second after it began        | gathering, or idle when nobody watches any more                 |
///
/// Thread: loop 0's.
final class FeedGatherer: TimerTarget {
  static let intervalMilliseconds: UInt64 = 1_000

  private enum State {
    case idle
    /// Numbers tell its answers from those of a look that was given up.
    case gathering(number: UInt64, outstanding: Int)
    case waiting
  }

  private unowned let loop: HostLoop
  private var state = State.idle
  private var number: UInt64 = 0
  private var views: [LoopView] = []
  /// Whether a call has ended since the last frame.
  private var hasEnded = false
  private var composer: FeedComposer

  init(_ loop: HostLoop) {
    self.loop = loop
    composer = FeedComposer(loop.services)
  }

  /// Somebody watches.
  func begin() {
    guard case .idle = state, loop.services.monitor.seats.count > 0 else { return }
    views = Array(repeating: LoopView(), count: loop.peers.all.count)
    gather(isFirst: true)
  }

  func timerFired(_ tag: UInt32) {
    if case .gathering = state { show() }
    guard loop.services.monitor.seats.count > 0 else { return rest() }
    gather()
  }

  /// What was shown is forgotten: who comes next begins with a look of its own.
  private func rest() {
    state = .idle
    views = []
    composer = FeedComposer(loop.services)
    for other in loop.peers.all { other.post { other.feed.show(nil) } }
  }

  private func gather(isFirst: Bool = false) {
    number &+= 1
    let number = number
    let loops = loop.peers.all
    state = .gathering(number: number, outstanding: loops.count)
    _ = loop.eventLoop.schedule(at: loop.now.advanced(milliseconds: Self.intervalMilliseconds), self, tag: 0)
    let home = loop
    for (index, other) in loops.enumerated() {
      let known = isFirst ? nil : views[index].endedCount
      other.post { [weak self] in
        let view = LoopView(of: other, endedCount: known)
        home.post { self?.take(view, from: index, number) }
      }
    }
  }

  private func take(_ view: LoopView, from index: Int, _ number: UInt64) {
    guard case .gathering(number, var outstanding) = state else { return }
    let before = views[index].ended
    views[index] = view
    if view.ended == nil { views[index].ended = before } else { hasEnded = true }
    outstanding -= 1
    state = .gathering(number: number, outstanding: outstanding)
    guard outstanding == 0 else { return }
    state = .waiting
    show()
  }

  private func show() {
    let frame = composer.compose(views, hasEnded: hasEnded)
    hasEnded = false
    for other in loop.peers.all { other.post { other.feed.show(frame) } }
  }
}
