import CProviderABI

// What the plugin calls. Nothing here calls the plugin: that waits for `run` (R009).
extension MockHost {
  static func of(_ context: UnsafeMutableRawPointer?) -> MockHost {
    guard let context else { preconditionFailure("a host function was called without the table's ctx") }
    let host = Unmanaged<MockHost>.fromOpaque(context).takeUnretainedValue()
    precondition(host.isOwnThread(), "this host serves one thread; a plugin called it from another")
    return host
  }

  typealias Function = @convention(c) (UnsafeMutableRawPointer?) -> Void

  func emit(_ handle: prv_call, _ event: UnsafePointer<prv_event>?) -> Int32 {
    guard let event = event?.pointee else { return PRV_E_INVALID_ARGUMENT }
    guard let call = calls[handle] else { return PRV_E_STALE }
    guard call.dones.isEmpty else {
      violations.append("R006: event \(event.kind) after done")
      return PRV_E_STALE
    }
    for text in [event.text, event.id, event.name] where String(validating: text.rawBytes, as: UTF8.self) == nil {
      violations.append("R007: event \(event.kind) carries text that is not UTF-8")
      return PRV_E_INVALID_ARGUMENT
    }
    if call.isCancelled { return PRV_CANCELLED }
    call.events.append(MockEvent(event))
    return call.answers.isEmpty ? PRV_OK : call.answers.removeFirst()
  }

  func done(_ handle: prv_call, _ done: UnsafePointer<prv_done>?) -> Int32 {
    guard let done = done?.pointee else { return PRV_E_INVALID_ARGUMENT }
    guard let call = calls[handle] else { return PRV_E_STALE }
    call.dones.append(MockDone(done))
    guard call.dones.count == 1 else {
      violations.append("R005: done came \(call.dones.count) times")
      return PRV_E_STALE
    }
    call.onDone?()
    return PRV_OK
  }

  func log(
    _ call: prv_call, _ level: Int32, _ message: prv_str, _ fields: UnsafeBufferPointer<prv_field>
  ) {
    let fields = fields.map { " \($0.name.string)=\($0.value.string)" }.joined()
    logLines.append("\(level) \(message.string)\(fields)")
  }

  func startTimer(
    _ call: prv_call, _ delay: UInt64, _ function: Function?, _ argument: UnsafeMutableRawPointer?,
    _ timer: UnsafeMutablePointer<prv_timer>?
  ) -> Int32 {
    guard let function, let timer else { return PRV_E_INVALID_ARGUMENT }
    guard calls[call] != nil else { return PRV_E_STALE }
    guard timers.values.count(where: { $0.call == call }) < 16 else { return PRV_E_LIMIT }
    timer.pointee = nextHandle()
    timers[timer.pointee] = MockTimer(
      call: call, dueNanoseconds: nowNanoseconds &+ delay, function: function, argument: argument)
    return PRV_OK
  }

  func post(_ function: Function?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    guard let function else { return PRV_E_INVALID_ARGUMENT }
    if isStopping { return PRV_E_STATE }
    enqueue(.function(function, argument))
    return PRV_OK
  }

  func post(to call: prv_call, _ function: Function?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    guard calls[call] != nil else { return PRV_E_STALE }
    return post(function, argument)
  }

  func request(
    _ call: prv_call, _ request: UnsafePointer<prv_http_request>?, _ callbacks: UnsafePointer<prv_http_callbacks>?,
    _ owner: UnsafeMutableRawPointer?, _ handle: UnsafeMutablePointer<prv_exchange>?
  ) -> Int32 {
    guard let request, let callbacks, let handle, callbacks.pointee.on_complete != nil else {
      return PRV_E_INVALID_ARGUMENT
    }
    guard let target = calls[call] else { return PRV_E_STALE }
    if target.isCancelled { return PRV_CANCELLED }
    handle.pointee = nextHandle()
    exchanges.append(
      MockExchange(
        handle: handle.pointee, call: call, request: request.pointee, callbacks: callbacks.pointee, owner: owner,
        host: self))
    return PRV_OK
  }

  func cancelExchange(_ handle: prv_exchange) -> Int32 {
    guard let exchange = exchanges.first(where: { $0.handle == handle }), !exchange.isComplete, !exchange.isAborted
    else { return PRV_E_STALE }
    exchange.abort()
    return PRV_OK
  }
}
