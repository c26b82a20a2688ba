import Decisions
internal import ProviderContract
internal import Wire

/// One call to a worker, as the host has it: its sink, its credit, and the exchanges that the host makes for it.
///
/// Credit: the worker may send `window` bytes of events more than the sink has taken; the host may pass on `window` bytes
/// of answers more than the worker has taken. Thread: its channel's loop.
final class WorkerCall: TimerTarget {
  /// Bytes, each way.
  static let window: Int64 = 256 << 10
  /// Credit is given back in pieces of at least this many bytes.
  private static let step: Int64 = 64 << 10

  let id: UInt64
  let deadline: Instant
  let connectTimeoutNanoseconds: UInt64
  private let trace: TraceContext?
  private(set) var sink: (any ProviderCallSink)?
  private(set) var isCancelled = false
  private(set) var isDone = false
  private unowned let channel: WorkerChannel
  private var isPaused = false
  private var credit = WorkerCall.window
  /// Taken by the sink, and not yet given back as credit.
  private var owed: Int64 = 0
  private var exchanges: [UInt32: WorkerExchange] = [:]
  /// Passed on to the worker and not yet taken by it.
  private var passedOn: Int64 = 0
  private var isWindowFull = false
  private var grace: TimerID?

  init(id: UInt64, request: ProviderRequest, sink: any ProviderCallSink, channel: WorkerChannel) {
    self.id = id
    self.sink = sink
    self.channel = channel
    deadline = request.deadline
    connectTimeoutNanoseconds = request.connectTimeoutNanoseconds
    trace = request.trace
  }

  /// Whether nothing of it is left.
  var isOver: Bool { isDone && exchanges.isEmpty }

  // MARK: - What the host wants

  func cancel(_ reason: ProviderCancelReason) {
    guard !isCancelled, !isDone else { return }
    isCancelled = true
    for exchange in exchanges.values { exchange.cancel() }
    channel.send(.cancel, call: id) { $0.appendField(reason.rawValue) }
    let end = channel.loop.now.advanced(milliseconds: channel.graceMilliseconds)
    grace = channel.loop.schedule(at: end, self, tag: 0)
  }

  func release(_ reason: ProviderCancelReason) {
    sink = nil
    cancel(reason)
  }

  func resume() {
    guard isPaused else { return }
    isPaused = false
    for exchange in exchanges.values { exchange.set(.sink, paused: false) }
    giveCredit(atLeast: 1)
  }

  /// The worker did not end it in time (PRV-R010).
  func timerFired(_ tag: UInt32) {
    grace = nil
    if !isDone { channel.callOutlivedGrace(self) }
  }

  // MARK: - What the worker says

  func receive(_ event: ProviderEvent) throws(WorkerFrameFault) {
    guard !isDone else { throw WorkerFrameFault(found: "an event of an ended call", expected: "none") }
    guard credit > 0 else {
      throw WorkerFrameFault(found: "an event without credit", expected: "none before credit came")
    }
    let cost = event.workerCost
    credit -= cost
    owed += cost
    guard let sink, !isCancelled else { return giveCredit(atLeast: Self.step) }
    if sink.providerEvent(event) == .pause, !isPaused {
      isPaused = true
      for exchange in exchanges.values { exchange.set(.sink, paused: true) }
    }
    if !isPaused { giveCredit(atLeast: Self.step) }
  }

  private func giveCredit(atLeast least: Int64) {
    guard owed >= least else { return }
    channel.send(.credit, call: id) { [owed] in $0.appendField(UInt64(owed)) }
    credit += owed
    owed = 0
  }

  func receive(_ end: ProviderEnd) throws(WorkerFrameFault) {
    guard !isDone else { throw WorkerFrameFault(found: "a second end of a call", expected: "one") }
    finish(end)
  }

  /// The worker is gone, or will never come.
  func lose(_ failure: ProviderFailure) {
    guard !isDone else { return abandonExchanges() }
    finish(.failed(failure))
    abandonExchanges()
  }

  private func finish(_ end: ProviderEnd) {
    isDone = true
    if let grace { _ = channel.loop.cancel(grace) }
    grace = nil
    for exchange in exchanges.values { exchange.cancel() }
    let sink = self.sink
    self.sink = nil
    sink?.providerDone(end)
  }

  private func abandonExchanges() {
    for exchange in exchanges.values { exchange.abandon() }
    exchanges = [:]
  }

  // MARK: - Exchanges

  func receive(_ request: WorkerExchangeRequest) throws(WorkerFrameFault) {
    guard exchanges[request.number] == nil else {
      throw WorkerFrameFault(found: "exchange \(request.number) a second time", expected: "a new number")
    }
    guard !isDone else { throw WorkerFrameFault(found: "a request of an ended call", expected: "none") }
    guard exchanges.count < ProviderExchange.countLimit else {
      throw WorkerFrameFault(
        found: "\(exchanges.count + 1) exchanges of a call", expected: "at most \(ProviderExchange.countLimit)")
    }
    let exchange = WorkerExchange(number: request.number, call: self, channel: channel)
    exchanges[request.number] = exchange
    if isCancelled { return exchange.refuse(nil) }
    do throws(HTTPRequestFault) {
      var allowed = UpstreamRequest(
        try request.checked(by: channel.requests), key: channel.key, connectTimeout: connectTimeoutNanoseconds,
        deadline: deadline)
      if deadline != .never {
        let left = max(1, deadline.nanoseconds(since: .now()))
        allowed.totalTimeout = allowed.totalTimeout == 0 ? left : min(allowed.totalTimeout, left)
      }
      allowed.tell(trace)
      exchange.start(allowed, isSinkPaused: isPaused, isWindowFull: isWindowFull)
    } catch {
      let message = "the host does not allow the request: expected \(error.expected), found \(error.found)"
      exchange.refuse(ProviderFailure(status: error.status, message: message))
    }
  }

  func exchange(_ number: UInt32) -> WorkerExchange? { exchanges[number] }

  func forget(_ exchange: WorkerExchange) {
    exchanges[exchange.number] = nil
    if isOver { channel.forget(self) }
  }

  /// `count` bytes of an answer went to the worker.
  func passOn(_ count: Int) {
    passedOn += Int64(count)
    guard passedOn >= Self.window, !isWindowFull else { return }
    isWindowFull = true
    for exchange in exchanges.values { exchange.set(.window, paused: true) }
  }

  /// The worker has taken `count` bytes.
  func taken(_ count: UInt64) throws(WorkerFrameFault) {
    guard count <= UInt64(passedOn) else {
      throw WorkerFrameFault(found: "\(count) bytes taken of an answer", expected: "at most \(passedOn)")
    }
    passedOn -= Int64(count)
    guard isWindowFull, passedOn <= Self.window / 2 else { return }
    isWindowFull = false
    for exchange in exchanges.values { exchange.set(.window, paused: false) }
  }
}
