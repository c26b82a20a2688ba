import CProviderABI
import Glibc
import ProviderContract

// What the plugin calls, within the monitor. Nothing here calls the plugin: that waits for `run` (R009).
extension MockHost {
  /// Timers of one call, and exchanges under way.
  private static let timersLimit = 16
  private static let exchangesLimit = 8

  var isOnLoop: Bool { insideThread == UInt(pthread_self()) }

  /// Whether the plugin has spoken from a thread of its own.
  var hasForeignThreads: Bool { monitor.locked { foreignCalls > 0 } }

  func noteThread() {
    if !isOnLoop { foreignCalls += 1 }
  }

  /// emit, apart from the others: that two come at once is seen before the monitor puts one behind the other.
  static func emit(_ context: UnsafeMutableRawPointer?, _ handle: prv_call, _ event: UnsafePointer<prv_event>?) -> Int32
  {
    let arrival = MockSeat.serve(context, .emit, handle, or: (isFirst: Bool, wait: () -> Void)?.none) { host, _ in
      (host.emitting.insert(handle).inserted, host.duringEmit)
    }
    guard let (isFirst, wait) = arrival else { return PRV_E_STALE }
    wait()
    let seat = Unmanaged<MockSeat>.fromOpaque(context!).takeUnretainedValue()
    guard let host = seat.host else { return PRV_E_STALE }
    return host.monitor.locked {
      if isFirst {
        host.emitting.remove(handle)
      } else {
        host.note(
          Breach(.serialEvents, at: .emit, handle: handle, expected: "one emit of a call at a time", found: "a second"))
      }
      return host.emit(handle, event)
    }
  }

  /// nil: the function is legal for the call; else what it is answered with. A breach is noted.
  private func refuse(_ function: ABIFunction, _ handle: prv_call) -> Int32? {
    let call = calls[handle]
    if call == nil && forgotten.contains(handle) { return PRV_E_STALE }
    let stage = call?.stage ?? .closed
    switch CallContract.verdict(on: function, in: stage) {
    case .legal: return nil
    case .stale: return PRV_E_STALE
    case .breach(let rule):
      let words = CallContract.words(on: function, in: stage)
      let found = call == nil && !wasGiven(handle) ? "one that the host never gave out" : words.found
      note(Breach(rule, at: function, handle: handle, expected: words.expected, found: found))
      return PRV_E_STALE
    }
  }

  private func emit(_ handle: prv_call, _ event: UnsafePointer<prv_event>?) -> Int32 {
    guard let event else { return PRV_E_INVALID_ARGUMENT }
    if let answer = refuse(.emit, handle) { return answer }
    guard let call = calls[handle] else { return PRV_E_STALE }
    switch EventReader.read(event) {
    case .broken(let fault):
      note(fault.breach(of: handle))
      return PRV_E_INVALID_ARGUMENT
    case .unknown:
      call.unknownEvents += 1
      return PRV_OK
    case .event(let event):
      if call.isCancelled {
        call.eventsAfterCancel += 1
        return PRV_CANCELLED
      }
      return call.take(MockEvent(event))
    }
  }

  func done(_ handle: prv_call, _ done: UnsafePointer<prv_done>?) -> Int32 {
    guard let done else { return PRV_E_INVALID_ARGUMENT }
    if let answer = refuse(.done, handle) {
      // Kept for the test to see.
      calls[handle]?.dones.append(MockDone(copyHead(done, size: done.pointee.size, over: prv_done())))
      return answer
    }
    guard let call = calls[handle] else { return PRV_E_STALE }
    call.dones.append(MockDone(copyHead(done, size: done.pointee.size, over: prv_done())))
    call.doneNanoseconds = nowNanoseconds
    if call.stage == .open { call.stage = .done } else { call.isDoneInOpening = true }
    dropAlarm(call.graceAlarm)
    dropAlarm(call.deadlineAlarm)
    call.onDone?()
    return PRV_OK
  }

  func log(_ level: Int32, _ message: prv_str, _ fields: UnsafeBufferPointer<prv_field>) {
    let fields = fields.map { " \($0.name.string)=\($0.value.string)" }.joined()
    logLines.append("\(level) \(message.string)\(fields)")
  }

  func startTimer(
    _ call: prv_call, _ delay: UInt64, _ function: MockQueue.Function?, _ argument: UnsafeMutableRawPointer?,
    _ timer: UnsafeMutablePointer<prv_timer>?
  ) -> Int32 {
    guard let function, let timer else { return PRV_E_INVALID_ARGUMENT }
    if let answer = refuse(.timerStart, call) { return answer }
    guard calls[call] != nil else { return PRV_E_STALE }
    guard timers.values.count(where: { $0.call == call }) < Self.timersLimit else { return PRV_E_LIMIT }
    timer.pointee = nextHandle()
    timers[timer.pointee] = MockTimer(
      call: call, dueNanoseconds: nowNanoseconds &+ min(delay, 1 << 62), function: function, argument: argument)
    return PRV_OK
  }

  func post(_ function: MockQueue.Function?, _ argument: UnsafeMutableRawPointer?, of call: prv_call = 0) -> Int32 {
    guard let function else { return PRV_E_INVALID_ARGUMENT }
    if isStopping { return PRV_E_STATE }
    enqueue(.function(function, argument), of: call)
    return PRV_OK
  }

  func post(to call: prv_call, _ function: MockQueue.Function?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    if let answer = refuse(.postCall, call) { return answer }
    guard calls[call] != nil else { return PRV_E_STALE }
    return post(function, argument, of: call)
  }

  func request(
    _ handle: prv_call, _ request: UnsafePointer<prv_http_request>?, _ callbacks: UnsafePointer<prv_http_callbacks>?,
    _ owner: UnsafeMutableRawPointer?, _ exchange: UnsafeMutablePointer<prv_exchange>?
  ) -> Int32 {
    guard let request, let callbacks, let exchange else { return PRV_E_INVALID_ARGUMENT }
    let table = copyHead(callbacks, size: callbacks.pointee.size, over: prv_http_callbacks())
    guard table.on_complete != nil else { return PRV_E_INVALID_ARGUMENT }
    if let answer = refuse(.httpRequest, handle) { return answer }
    guard let call = calls[handle] else { return PRV_E_STALE }
    if call.isCancelled { return PRV_CANCELLED }
    let checked: CheckedHTTPRequest
    do throws(HTTPRequestFault) {
      checked = try HTTPRequestReader(origins: origins(of: request)).read(request)
    } catch {
      refusedRequests.append("expected \(error.expected), found \(error.found)")
      return error.status
    }
    guard exchanges.count(where: { $0.call == handle && !$0.isComplete }) < Self.exchangesLimit else {
      return PRV_E_LIMIT
    }
    exchange.pointee = nextHandle()
    let made = MockExchange(
      handle: exchange.pointee, of: call, request: checked, raw: request.pointee, callbacks: table, owner: owner,
      host: self)
    exchanges.append(made)
    if let upstream { made.serve(upstream) }
    return PRV_OK
  }

  /// What the request may reach: the allowed origins, or its own when any is.
  private func origins(of request: UnsafePointer<prv_http_request>) -> Set<UpstreamOrigin> {
    Set((allowedOrigins ?? [request.pointee.url.string]).compactMap { UpstreamOrigin($0) })
  }

  func cancelExchange(_ handle: prv_exchange) -> Int32 {
    guard let exchange = exchanges.last(where: { $0.handle == handle }), !exchange.isComplete, !exchange.isAborted
    else { return PRV_E_STALE }
    exchange.abort()
    return PRV_OK
  }
}
