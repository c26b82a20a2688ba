import Bytes
import Decisions
import JSON

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
  private var metrics: MetricValues?
  private var health: (json: JSONValue, text: [UInt8])?

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
      events.append(FeedEvent(text: recent, isNew: false))
    }
    events.append(shownConfiguration())
    events.append(metrics(clock))
    if let health = shownHealth() { events.append(health) }
    return FeedFrame(events)
  }

  /// One that is said each time.
  private func fresh(_ text: [UInt8]) -> FeedEvent { FeedEvent(text: text) }

  /// One that is said when it has changed.
  private func told(_ before: inout [UInt8], _ text: [UInt8]) -> FeedEvent {
    let isNew = before != text
    before = text
    return FeedEvent(text: text, isNew: isNew)
  }

  private mutating func shownConfiguration() -> FeedEvent {
    let shown = services.monitor.configuration
    guard configurationNumber != shown.number else {
      return FeedEvent(text: configuration, isNew: false)
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

  private mutating func metrics(_ clock: WallClock) -> FeedEvent {
    let before = metrics
    let values = MetricValues(services.metrics.snapshot(now: .now()), after: before ?? MetricValues())
    metrics = values
    let changes = FeedEvent.text("metrics") { values.write(at: clock.present, after: before, to: &$0) }
    return FeedEvent(text: changes) {
      FeedEvent.text("metrics") { values.write(at: clock.present, after: nil, to: &$0) }
    }
  }

  /// nil: nobody reports it. It is new when more of it has changed than the time.
  private mutating func shownHealth() -> FeedEvent? {
    guard let json = services.monitor.health() else { return nil }
    let isNew = health.map { $0.json.withoutUptime != json.withoutUptime } ?? true
    let text = isNew ? FeedEvent.text("health") { json.write(to: &$0) } : health?.text ?? []
    health = (json, text)
    return FeedEvent(text: text, isNew: isNew)
  }
}

extension JSONValue {
  fileprivate var withoutUptime: [Member] { (members ?? []).filter { $0.key != "uptime_seconds" } }
}
