import Bytes
import Decisions
import JSON
import Synchronization

/// Tells alerts to an HTTP server of the operator's: one POST for each, in their order, tried again when it fails.
///
/// Thread: `send`, `adopt` and `figures` any; the rest is the loop's. `@unchecked Sendable`: confined to its loop, but
/// for the figures, which the mutex guards.
final class AlertWebhook: UpstreamExchangeDelegate, TimerTarget, @unchecked Sendable {
  /// What the operator set.
  struct Settings: Sendable, Equatable {
    var url: String
    /// Said as a bearer's.
    var token: Secret?
  }

  struct Figures: Sendable, Equatable {
    var queued = 0
    var delivered: UInt64 = 0
    var dropped: UInt64 = 0
    /// Tries in a row.
    var failures = 0
    /// Of the last try that failed; "" since one was delivered. Without the URL, which may hold a secret.
    var lastError = ""

    /// Not the first time that something was lost on the way.
    var isFailing: Bool { failures >= 3 }

    var message: String {
      failures == 0 ? "alerts are delivered" : "alerts are not delivered (\(failures) tries in a row): \(lastError)"
    }

    var json: JSONValue {
      .object([
        .init("queued", .integer(Int64(queued))), .init("delivered_total", .integer(Int64(clamping: delivered))),
        .init("dropped_total", .integer(Int64(clamping: dropped))), .init("failures", .integer(Int64(failures))),
        .init("last_error", .string(lastError)),
      ])
    }
  }

  static let totalNanoseconds: UInt64 = 10_000_000_000
  static let connectNanoseconds: UInt64 = 5_000_000_000

  private let loop: EventLoop
  private let client: any UpstreamClient
  private let log: Log
  private let version: String
  private var settings: Settings?
  private var delivery = AlertDelivery<AlertBook.Transition>()
  /// The one under way; what comes of another is nobody's any more.
  private var exchange: UpstreamExchangeID?
  private var isTimed = false
  private let shown = Mutex<Figures?>(nil)

  init(loop: EventLoop, client: any UpstreamClient, log: Log, version: String) {
    self.loop = loop
    self.client = client
    self.log = log
    self.version = version
  }

  /// nil: none is configured.
  var figures: Figures? { shown.withLock { $0 } }

  /// Takes other settings in force; nil: nobody is told any more, and what waits is forgotten.
  func adopt(_ settings: Settings?) {
    post { [self] in
      guard settings != self.settings else { return }
      self.settings = settings
      if let exchange {
        client.cancel(exchange)
        self.exchange = nil
        delivery.ended(.failed, now: loop.now)
      }
      guard settings != nil else {
        delivery = AlertDelivery()
        return show(nil)
      }
      show(Figures())
      proceed()
    }
  }

  func send(_ transitions: [AlertBook.Transition]) {
    guard !transitions.isEmpty else { return }
    post { [self] in
      guard settings != nil else { return }
      for transition in transitions { delivery.add(transition) }
      proceed()
    }
  }

  private func post(_ body: @escaping () -> Void) {
    if loop.isCurrent { return loop.enqueue(.work(body)) }
    loop.submitPastBound(.work(body))
  }

  // MARK: - On the loop

  private func proceed() {
    defer { if settings != nil { show(withError: nil) } }
    guard let settings, let transition = delivery.next(now: loop.now) else { return schedule() }
    do throws(ProviderFailure) {
      exchange = try client.start(request(transition, settings), delegate: self)
    } catch {
      ended(.failed, error.message)
    }
  }

  private func schedule() {
    guard !isTimed, let next = delivery.nextAt else { return }
    isTimed = true
    _ = loop.schedule(at: next, self, tag: 0)
  }

  func timerFired(_ tag: UInt32) {
    isTimed = false
    proceed()
  }

  private func request(_ transition: AlertBook.Transition, _ settings: Settings) -> UpstreamRequest {
    var body = ByteBuffer()
    JSONValue.object(
      transition.members + [.init("source", .string("patchbay")), .init("version", .string(version))]
    ).write(to: &body)
    return UpstreamRequest(
      method: "POST", url: settings.url,
      headers: [("Content-Type", "application/json"), ("User-Agent", "patchbay/\(version)")],
      body: Array(body.readable), credential: settings.token.map { ("Authorization", "Bearer \($0.value)") },
      responseBytesLimit: 64 << 10, connectTimeout: Self.connectNanoseconds, totalTimeout: Self.totalNanoseconds)
  }

  private func ended(_ outcome: AlertDelivery<AlertBook.Transition>.Outcome, _ reason: String) {
    let wasFailing = delivery.failuresInARow > 0
    delivery.ended(outcome, now: loop.now)
    if outcome == .delivered {
      if wasFailing { log.info("The alert webhook answers again", ("dropped_total", "\(delivery.dropped)")) }
    } else if !wasFailing {
      log.warning(
        "An alert was not delivered to the webhook", ("reason", reason),
        ("remedy", "it is tried again; if it stays so, see whether alerts.webhook is right and reached from here"))
    }
    show(withError: outcome == .delivered ? "" : reason)
    proceed()
  }

  /// - Parameter error: nil: the same as before.
  private func show(withError error: String?) {
    var figures = self.figures ?? Figures()
    figures.queued = delivery.count
    figures.delivered = delivery.delivered
    figures.dropped = delivery.dropped
    figures.failures = delivery.failuresInARow
    if let error { figures.lastError = error }
    show(figures)
  }

  private func show(_ figures: Figures?) { shown.withLock { $0 = figures } }

  // MARK: - The exchange

  func upstreamConnected(_ exchange: UpstreamExchangeID) {}
  func upstreamHead(_ exchange: UpstreamExchangeID, status: UInt32, headers: [(name: String, value: String)]) {}
  func upstreamBody(_ exchange: UpstreamExchangeID, _ bytes: UnsafeRawBufferPointer) {}
  func upstreamEvent(
    _ exchange: UpstreamExchangeID, name: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer,
    data: UnsafeRawBufferPointer
  ) {}

  func upstreamComplete(_ exchange: UpstreamExchangeID, _ result: UpstreamResult) {
    guard exchange == self.exchange else { return }
    self.exchange = nil
    switch (result.failure, result.httpStatus) {
    case (let failure?, _): ended(.failed, failure.message)
    case (nil, 200..<300): ended(.delivered, "")
    // Who says so may think otherwise later.
    case (nil, 408), (nil, 429), (nil, 500...): ended(.failed, "it answered \(result.httpStatus)")
    case (nil, let status): ended(.refused, "it answered \(status), which another try would not change")
    }
  }
}
