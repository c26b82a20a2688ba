import CLinux
import CProviderABI
import Decisions
import Wire

/// One request and its answer, from `start` to `upstreamComplete`.
///
/// curl calls it with what arrives; it passes that on inline, so nothing is copied. Whatever the delegate asks for in
/// return is done by the client later in the turn, since curl allows no call from inside a callback.
/// Thread: its loop's.
final class CurlExchange: TimerTarget {
  /// How it will end, when that is decided before curl reports.
  enum Verdict {
    case open
    case cancelled
    case failed(ProviderFailure)
  }

  /// Whether body bytes may flow; `held` and `resuming`: curl keeps them.
  enum Flow {
    case flowing
    case pausing
    case held
    case resuming
  }

  let id: UpstreamExchangeID
  let authority: String
  private(set) var request: UpstreamRequest
  let delegate: any UpstreamExchangeDelegate
  let startedAt: Instant
  var easy: CurlEasy?
  private(set) var verdict = Verdict.open
  private(set) var flow = Flow.flowing
  private(set) var head: ResponseHead
  private(set) var hasHead = false
  private(set) var bytesReceived: UInt64 = 0
  private(set) var connectedAt: Instant?
  private(set) var firstByteAt: Instant?
  private var events: SSEParser?
  private var clocks: ExchangeClocks
  private var alarm: (timer: TimerID, at: Instant)?
  private unowned let client: CurlUpstreamClient
  private let loop: EventLoop

  init(
    id: UpstreamExchangeID, request: UpstreamRequest, authority: String, delegate: any UpstreamExchangeDelegate,
    client: CurlUpstreamClient, loop: EventLoop
  ) {
    self.id = id
    self.request = request
    self.authority = authority
    self.delegate = delegate
    self.client = client
    self.loop = loop
    // The loop's reading is as old as its turn; a clock that began with it would end early.
    startedAt = .now()
    head = ResponseHead(bytesLimit: request.headerBytesLimit)
    clocks = ExchangeClocks(
      .init(
        connect: request.connectTimeout, firstByte: request.firstByteTimeout, idle: request.idleTimeout,
        total: request.totalTimeout), now: startedAt)
    setAlarm()
  }

  /// false: its end was already decided.
  func decide(_ verdict: Verdict) -> Bool {
    guard case .open = self.verdict else { return false }
    self.verdict = verdict
    return true
  }

  /// curl has its copies: neither the body nor the key stays in memory twice for as long as an answer takes.
  func forgetSent() {
    request.body = []
    request.credential = nil
  }

  // MARK: - Flow

  /// false: nothing to do.
  func pause() -> Bool {
    switch flow {
    case .flowing: flow = .pausing
    case .resuming: flow = .held
    case .pausing, .held: return false
    }
    clocks.pause(loop.now)
    return true
  }

  /// false: nothing to do.
  func resume() -> Bool {
    switch flow {
    case .pausing: flow = .flowing
    case .held: flow = .resuming
    case .flowing, .resuming: return false
    }
    clocks.resume(loop.now)
    setAlarm()
    return true
  }

  /// Tells curl what `pause` and `resume` came to. Answers a CURLcode; bytes that curl kept arrive inside.
  func settle(_ library: CurlLibrary) -> Int32 {
    guard let easy else { return 0 }
    switch flow {
    case .flowing, .held: return 0
    case .pausing:
      // Before the head curl would forget a pause; the first piece of the body is refused instead.
      guard hasHead else { return 0 }
      flow = .held
      return library.easyPause(easy.handle, Int32(CLINUX_CURLPAUSE_RECV))
    case .resuming:
      flow = .flowing
      return library.easyPause(easy.handle, Int32(CLINUX_CURLPAUSE_CONT))
    }
  }

  // MARK: - What arrives

  func connected() {
    guard connectedAt == nil else { return }
    connectedAt = loop.now
    clocks.connected(loop.now)
    setAlarm()
    if case .open = verdict { delegate.upstreamConnected(id) }
  }

  /// false: the transfer must end.
  func receiveHeadLine(_ line: UnsafeRawBufferPointer) -> Bool {
    guard case .open = verdict else { return false }
    if firstByteAt == nil { firstByteAt = loop.now }
    clocks.received(loop.now)
    setAlarm()
    switch head.take(line) {
    case .more:
      return true
    case .tooLarge:
      return fail(PRV_E_LIMIT, "the head of the answer is larger than \(request.headerBytesLimit) bytes")
    case .complete:
      hasHead = true
      if request.mode == .serverSentEvents, head.isEventStream { events = SSEParser() }
      delegate.upstreamHead(id, status: head.status, headers: head.headers)
      return true
    }
  }

  enum BodyAnswer { case taken, hold, end }

  func receiveBody(_ bytes: UnsafeRawBufferPointer) -> BodyAnswer {
    guard case .open = verdict else { return .end }
    switch flow {
    case .flowing: break
    case .pausing:
      flow = .held
      return .hold
    case .held, .resuming: return .hold
    }
    let (total, over) = bytesReceived.addingReportingOverflow(UInt64(bytes.count))
    guard !over, total <= request.responseBytesLimit else {
      _ = fail(PRV_E_LIMIT, "the answer is larger than \(request.responseBytesLimit) bytes")
      return .end
    }
    bytesReceived = total
    clocks.received(loop.now)
    setAlarm()
    guard events != nil else {
      delegate.upstreamBody(id, bytes)
      return .taken
    }
    do {
      try events?.feed(bytes) { event in
        guard case .open = verdict else { return }
        delegate.upstreamEvent(id, name: event.name, id: event.id, data: event.data)
      }
      return .taken
    } catch {
      _ = fail(PRV_E_LIMIT, "an event of the stream is larger than \(error.limitBytes) bytes")
      return .end
    }
  }

  private func fail(_ status: Int32, _ reason: String) -> Bool {
    _ = decide(.failed(ProviderFailure(status: status, message: "\(authority): \(reason)")))
    return false
  }

  // MARK: - Clocks

  func timerFired(_ tag: UInt32) {
    alarm = nil
    guard let (clock, limit) = clocks.expired(loop.now) else { return setAlarm() }
    var failure = ProviderFailure(
      status: PRV_E_TIMEOUT, message: "\(authority): \(Self.explanation(of: clock)) \(limit / 1_000_000) ms")
    failure.clock = clock
    guard decide(.failed(failure)) else { return }
    client.end(self)
  }

  func stopClocks() {
    if let alarm { _ = loop.cancel(alarm.timer) }
    alarm = nil
  }

  /// One timer stands for all clocks. A deadline that moves away leaves it as it is: it fires early and looks again.
  private func setAlarm() {
    let next = clocks.next
    if let alarm {
      if alarm.at <= next { return }
      _ = loop.cancel(alarm.timer)
      self.alarm = nil
    }
    guard next != .never else { return }
    alarm = (loop.schedule(at: next, self, tag: 0), next)
  }

  static func explanation(of clock: ProviderFailure.Clock) -> String {
    switch clock {
    case .connect: "no connection within"
    case .firstByte: "connected, but no answer within"
    case .idle: "the answer stood still for"
    case .total, .none: "the exchange was not complete within"
    }
  }
}

// MARK: - Callbacks

extension CurlCallbacks {
  static let exchange = CurlCallbacks(
    head: { bytes, size, count, user in
      let length = size &* count
      let line = UnsafeRawBufferPointer(start: bytes, count: length)
      return CurlExchange.at(user).receiveHeadLine(line) ? length : 0
    },
    body: { bytes, size, count, user in
      let length = size &* count
      // An empty piece must be answered with 0, which is also how a transfer is ended.
      guard length > 0 else { return 0 }
      return switch CurlExchange.at(user).receiveBody(UnsafeRawBufferPointer(start: bytes, count: length)) {
      case .taken: length
      case .hold: CLINUX_CURL_WRITEFUNC_PAUSE
      case .end: 0
      }
    },
    connected: { user, _, _, _, _ in
      CurlExchange.at(user).connected()
      return 0
    })
}

extension CurlExchange {
  /// The exchange behind curl's user pointer; its client holds it until curl has let go.
  static func at(_ user: UnsafeMutableRawPointer?) -> CurlExchange {
    Unmanaged<CurlExchange>.fromOpaque(user!).takeUnretainedValue()
  }
}
