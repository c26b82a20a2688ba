import Bytes
import Decisions

/// Makes the events of one look at the host out of what the loops have shown and what they share.
///
/// It keeps what it said before, to tell what is new. Thread: loop 0's.
struct FeedComposer {
  private let services: HostServices
  private var providers: [UInt8] = []
  private var recent: [UInt8] = []
  private var configuration: [UInt8] = []
  private var configurationNumber: Int?
  private var clock: WallClock?

  init(_ services: HostServices) { self.services = services }

  /// - Parameter hasEnded: whether a call has ended since the frame before.
  mutating func compose(_ views: [LoopView], hasEnded: Bool) -> FeedFrame {
    let clock = WallClock(after: clock)
    self.clock = clock
    let names = services.principals.names
    var events = [
      told(&providers, FeedEvent.text("providers") { ProvidersEvent(services, clock).write(to: &$0) }),
      fresh(FeedEvent.text("requests") { RequestsEvent(views, names, clock).write(to: &$0) }),
      fresh(FeedEvent.text("sessions") { SessionsEvent(views, clock).write(to: &$0) }),
    ]
    if hasEnded || recent.isEmpty {
      events.append(told(&recent, FeedEvent.text("recent") { RecentEvent(views, names, clock).write(to: &$0) }))
    } else {
      events.append(FeedEvent(text: recent, whole: recent, isNew: false))
    }
    events.append(shownConfiguration())
    return FeedFrame(events)
  }

  /// One that is said each time.
  private func fresh(_ text: [UInt8]) -> FeedEvent { FeedEvent(text: text, whole: text) }

  /// One that is said when it has changed.
  private func told(_ before: inout [UInt8], _ text: [UInt8]) -> FeedEvent {
    let isNew = before != text
    before = text
    return FeedEvent(text: text, whole: text, isNew: isNew)
  }

  private mutating func shownConfiguration() -> FeedEvent {
    let shown = services.monitor.configuration
    guard configurationNumber != shown.number else {
      return FeedEvent(text: configuration, whole: configuration, isNew: false)
    }
    configurationNumber = shown.number
    let text = services.log.redacted(shown.configuration.shownText)
    configuration = FeedEvent.text("configuration") { buffer in
      buffer.append("{\"file\":")
      if let file = shown.configuration.file { buffer.appendJSON(string: file) } else { buffer.append("null") }
      buffer.append(",\"loaded_at\":")
      buffer.appendDecimal(shown.loadedAt)
      buffer.append(",\"text\":")
      buffer.appendJSON(string: text)
      buffer.append("}")
    }
    return fresh(configuration)
  }
}
