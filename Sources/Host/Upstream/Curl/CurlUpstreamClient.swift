import CLinux
import CProviderABI
import Decisions
internal import SystemLibraries

/// HTTP to upstream servers through libcurl's multi interface, driven by the loop's descriptors and timers.
///
/// HTTP/1.1, one exchange a connection, so that a paused exchange stops its own socket and no other. What a caller
/// asks for is queued and done later in the turn: curl forbids calls from its callbacks, and the delegate must never
/// hear of an exchange from inside its own call. Thread: the loop's; `close` also after the loop has ended.
package final class CurlUpstreamClient: UpstreamClient {
  private enum Action {
    case begin(CurlExchange)
    case end(CurlExchange)
    case settle(CurlExchange)
    case drive
  }

  private enum State {
    /// libcurl is opened by the first exchange, so that starting the host does not wait for it.
    case unopened
    case open(CurlMulti)
    case closed
  }

  private struct Slot {
    var generation: UInt32
    var exchange: CurlExchange?
  }

  /// Easy handles kept for the next exchanges.
  private static let pooledHandles = 64

  private let loop: EventLoop
  private let log: Log
  private let library: CurlLibrary?
  private var state = State.unopened
  private var slots: [Slot] = []
  private var freeSlots: [UInt32] = []
  private var handles: [CurlEasy] = []
  private var actions: [Action] = []
  private var isDriveQueued = false

  /// - Parameter library: nil: `CurlLibrary.load` when it is first needed.
  package init(library: CurlLibrary? = nil, loop: EventLoop, log: Log) {
    self.library = library
    self.loop = loop
    self.log = log
  }

  deinit { tearDown() }

  /// Exchanges that have not completed.
  package var exchangeCount: Int { slots.count - freeSlots.count }

  /// Closes every connection; what still runs completes as cancelled. Nothing can be started afterwards. Not to be
  /// called by a delegate, except from `upstreamComplete`.
  package func close() {
    let running = slots.compactMap(\.exchange)
    tearDown()
    for exchange in running {
      exchange.delegate.upstreamComplete(exchange.id, result(of: exchange, failure: nil, isCancelled: true))
    }
  }

  private func tearDown() {
    guard case .open(let multi) = state else {
      state = .closed
      return
    }
    state = .closed
    multi.close(abandoning: slots.compactMap { $0.exchange?.easy })
    for index in slots.indices {
      guard let exchange = slots[index].exchange else { continue }
      exchange.stopClocks()
      exchange.easy = nil
      release(UInt32(index))
    }
    handles.removeAll()
    actions.removeAll()
  }

  // MARK: - UpstreamClient

  package func start(_ request: UpstreamRequest, delegate: any UpstreamExchangeDelegate) throws(ProviderFailure)
    -> UpstreamExchangeID
  {
    let authority = try request.checked()
    try open()
    let index = freeSlots.popLast() ?? appendSlot()
    let id = UpstreamExchangeID(rawValue: UInt64(slots[Int(index)].generation) << 32 | UInt64(index))
    let exchange = CurlExchange(
      id: id, request: request, authority: authority, delegate: delegate, client: self, loop: loop)
    slots[Int(index)].exchange = exchange
    queue(.begin(exchange))
    return id
  }

  package func cancel(_ id: UpstreamExchangeID) {
    guard let exchange = exchange(id), exchange.decide(.cancelled) else { return }
    queue(.end(exchange))
  }

  package func pause(_ id: UpstreamExchangeID) {
    guard let exchange = exchange(id), exchange.pause() else { return }
    queue(.settle(exchange))
  }

  package func resume(_ id: UpstreamExchangeID) {
    guard let exchange = exchange(id), exchange.resume() else { return }
    queue(.settle(exchange))
  }

  private func open() throws(ProviderFailure) {
    switch state {
    case .open: return
    case .closed: throw ProviderFailure(status: PRV_E_STATE, message: "the host's HTTP client is closed")
    case .unopened: break
    }
    guard let multi = CurlMulti(library: try loaded(), loop: loop, log: log, owner: self) else {
      throw ProviderFailure(status: PRV_E_NO_MEMORY, message: "curl_multi_init: out of memory")
    }
    state = .open(multi)
  }

  private func loaded() throws(ProviderFailure) -> CurlLibrary {
    if let library { return library }
    do throws(SharedLibrary.LoadError) {
      return try CurlLibrary.load()
    } catch {
      throw ProviderFailure(status: PRV_E_UNSUPPORTED, message: "\(error)")
    }
  }

  // MARK: - Slots

  private func appendSlot() -> UInt32 {
    slots.append(Slot(generation: 1, exchange: nil))
    return UInt32(slots.count - 1)
  }

  private func release(_ index: UInt32) {
    slots[Int(index)].exchange = nil
    slots[Int(index)].generation &+= 1
    freeSlots.append(index)
  }

  private func exchange(_ id: UpstreamExchangeID) -> CurlExchange? {
    let index = Int(UInt32(truncatingIfNeeded: id.rawValue))
    guard index < slots.count, slots[index].generation == UInt32(id.rawValue >> 32) else { return nil }
    return slots[index].exchange
  }

  // MARK: - Actions

  private func queue(_ action: Action) {
    actions.append(action)
    guard actions.count == 1 else { return }
    loop.enqueue(
      .c(
        { user in Unmanaged<CurlUpstreamClient>.fromOpaque(user!).takeRetainedValue().performActions() },
        Unmanaged.passRetained(self).toOpaque()))
  }

  /// curl wants to look at its clocks now.
  func queueDrive() {
    guard !isDriveQueued else { return }
    isDriveQueued = true
    queue(.drive)
  }

  private func performActions() {
    let queued = actions
    actions.removeAll(keepingCapacity: true)
    for action in queued {
      guard case .open(let multi) = state else { return }
      switch action {
      case .begin(let exchange): begin(exchange, multi)
      case .end(let exchange): end(exchange)
      case .settle(let exchange): settle(exchange, multi)
      case .drive:
        isDriveQueued = false
        multi.timeout()
      }
    }
  }

  private func begin(_ exchange: CurlExchange, _ multi: CurlMulti) {
    guard case .open = exchange.verdict, isRunning(exchange) else { return }
    guard let easy = handles.popLast() ?? CurlEasy(library: multi.library) else {
      return finish(exchange, code: Int32(CLINUX_CURLE_OUT_OF_MEMORY))
    }
    exchange.easy = easy
    let code = easy.prepare(
      exchange.request, callbacks: .exchange, user: Unmanaged.passUnretained(exchange).toOpaque())
    exchange.forgetSent()
    guard code == 0 else { return finish(exchange, code: code) }
    guard multi.add(easy) else { return finish(exchange, code: Int32(CLINUX_CURLE_OUT_OF_MEMORY)) }
  }

  /// Takes an exchange whose verdict stands out of curl, which closes its connection.
  func end(_ exchange: CurlExchange) { finish(exchange, code: 0) }

  private func settle(_ exchange: CurlExchange, _ multi: CurlMulti) {
    guard case .open = exchange.verdict, isRunning(exchange) else { return }
    let code = exchange.settle(multi.library)
    if code != 0 { finish(exchange, code: code) }
  }

  private func isRunning(_ exchange: CurlExchange) -> Bool { self.exchange(exchange.id) === exchange }

  // MARK: - The end

  /// curl is done with the exchange, or it never got there; `code` is a CURLcode.
  func finish(_ exchange: CurlExchange, code: Int32) {
    guard isRunning(exchange), case .open(let multi) = state else { return }
    exchange.stopClocks()
    let result = result(of: exchange, code: code)
    if let easy = exchange.easy {
      multi.remove(easy)
      easy.reset()
      exchange.easy = nil
      if handles.count < Self.pooledHandles { handles.append(easy) }
    }
    release(UInt32(truncatingIfNeeded: exchange.id.rawValue))
    exchange.delegate.upstreamComplete(exchange.id, result)
  }

  private func result(of exchange: CurlExchange, code: Int32) -> UpstreamResult {
    switch exchange.verdict {
    case .cancelled: return result(of: exchange, failure: nil, isCancelled: true)
    case .failed(let failure): return result(of: exchange, failure: failure, isCancelled: false)
    case .open:
      guard code != 0 else {
        // curl takes a connection that closes within the head for an answer without a body.
        let failure =
          exchange.hasHead
          ? nil
          : ProviderFailure(
            status: PRV_E_NETWORK, message: "\(exchange.authority): the connection closed within the answer's head")
        return result(of: exchange, failure: failure, isCancelled: false)
      }
      let reason = exchange.easy?.errorText(code) ?? "out of memory"
      let failure = ProviderFailure(
        curlCode: code, reason: reason, authority: exchange.authority, isConnected: exchange.connectedAt != nil,
        hasHead: exchange.hasHead, connectTimeout: exchange.request.connectTimeout)
      return result(of: exchange, failure: failure, isCancelled: false)
    }
  }

  private func result(of exchange: CurlExchange, failure: ProviderFailure?, isCancelled: Bool) -> UpstreamResult {
    func since(_ instant: Instant?) -> UInt64 { instant?.nanoseconds(since: exchange.startedAt) ?? 0 }
    var failure = failure
    failure?.httpStatus = exchange.head.status
    return UpstreamResult(
      failure: failure, isCancelled: isCancelled, httpStatus: exchange.head.status,
      bytesReceived: exchange.bytesReceived,
      connectNanoseconds: exchange.easy?.madeConnection == true ? since(exchange.connectedAt) : 0,
      firstByteNanoseconds: since(exchange.firstByteAt), totalNanoseconds: since(loop.now))
  }
}

extension ProviderFailure {
  /// What a CURLcode means to a caller.
  init(
    curlCode code: Int32, reason: String, authority: String, isConnected: Bool, hasHead: Bool, connectTimeout: UInt64
  ) {
    // A line of the head that outgrows curl's own bound (100 KiB) is told as too large, by older ones as no memory.
    let isHeadTooLarge =
      isConnected && !hasHead && [CLINUX_CURLE_OUT_OF_MEMORY, CLINUX_CURLE_TOO_LARGE].contains(Int(code))
    if isHeadTooLarge {
      self.init(status: PRV_E_LIMIT, message: "\(authority): a line of the answer's head is too large")
      return
    }
    let status =
      switch Int(code) {
      case CLINUX_CURLE_UNSUPPORTED_PROTOCOL, CLINUX_CURLE_URL_MALFORMAT: PRV_E_INVALID_ARGUMENT
      case CLINUX_CURLE_WEIRD_SERVER_REPLY, CLINUX_CURLE_BAD_CONTENT_ENCODING: PRV_E_BAD_RESPONSE
      case CLINUX_CURLE_OUT_OF_MEMORY: PRV_E_NO_MEMORY
      case CLINUX_CURLE_OPERATION_TIMEDOUT: PRV_E_TIMEOUT
      default: PRV_E_NETWORK
      }
    self.init(status: status, message: "\(authority): \(reason)")
    guard status == PRV_E_TIMEOUT else { return }
    // Only its connect timeout is given to curl.
    clock = isConnected ? .total : .connect
    if clock == .connect, connectTimeout > 0 {
      message = "\(authority): \(CurlExchange.explanation(of: .connect)) \(connectTimeout / 1_000_000) ms"
    }
  }
}
