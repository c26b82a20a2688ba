public import CProviderABI
import ProviderContract

/// An instance of a provider, as the host holds it. Destroyed by `destroy`, or with its last reference.
public final class MockInstance {
  public let plugin: UnsafePointer<prv_plugin>
  let host: MockHost
  private let seat: MockSeat
  private var table = prv_provider()
  private var isStopped = false

  init(descriptor: UnsafePointer<prv_plugin>, provider: String, settings: String, host: MockHost) throws(MockFailure) {
    plugin = descriptor
    self.host = host
    seat = MockSeat(host: host, settings: settings)
    var made = prv_provider()
    made.size = UInt32(MemoryLayout<prv_provider>.size)
    let text = MockText()
    let status = lend(provider) { provider in
      lend(settings) { settings in
        host.enter(.create) {
          descriptor.pointee.create?(descriptor, provider, seat.table, settings, &made, text.sink) ?? PRV_E_UNSUPPORTED
        }
      }
    }
    guard status == PRV_OK else { throw MockFailure(status: status, message: text.string) }
    table = withUnsafePointer(to: made) { copyHead($0, size: $0.pointee.size, over: prv_provider()) }
    guard table.destroy != nil, table.call_open != nil, table.call_cancel != nil, table.call_close != nil else {
      let breach = Breach(
        .structHead, at: .create, expected: "destroy, call_open, call_cancel and call_close in prv_provider",
        found: "one of them empty")
      throw MockFailure(status: PRV_E_INVALID_ARGUMENT, message: breach.description)
    }
    if let start = table.start {
      let status = host.enter(.start) { start(table.`self`, text.sink) }
      guard status == PRV_OK else {
        host.enter(.destroy) { table.destroy(table.`self`) }
        table = prv_provider()
        throw MockFailure(status: status, message: text.string)
      }
    }
  }

  deinit { destroy() }

  /// As a host that ends: tells the plugin, then cancels the calls of this instance that are open.
  public func stop() {
    guard !isStopped else { return }
    isStopped = true
    if let stop = table.stop { host.enter(.stop) { stop(table.`self`) } }
    let open = host.monitor.locked { host.calls.values.filter { $0.owner === self } }
    for call in open.sorted(by: { $0.handle < $1.handle }) { cancel(call, reason: PRV_CANCEL_STOP) }
  }

  /// Frees the plugin's instance, once. What the plugin calls afterwards breaks R014.
  public func destroy() {
    guard table.destroy != nil else { return }
    stop()
    if let destroy = table.destroy { host.enter(.destroy) { destroy(table.`self`) } }
    host.monitor.locked { seat.isDestroyed = true }
    table = prv_provider()
  }

  // MARK: - Calls

  /// Opens a chat with one user message.
  ///
  /// - Parameter answers: what its first events are answered with (`MockCall.answers`).
  public func chat(_ prompt: String, model: String = "", streams: Bool = true, answering answers: [Int32] = [])
    throws(MockFailure) -> MockCall
  {
    let quoted = prompt.unicodeScalars.map { scalar in
      switch scalar {
      case "\"", "\\": "\\\(scalar)"
      case _ where scalar.value < 0x20: "\\u00\(scalar.value < 16 ? "0" : "")\(String(scalar.value, radix: 16))"
      default: String(scalar)
      }
    }.joined()
    return try open(
      PRV_CALL_CHAT, body: "{\"messages\":[{\"role\":\"user\",\"content\":\"\(quoted)\"}]}", model: model,
      streams: streams, answering: answers)
  }

  /// Opens a call of any kind. Its deadline is `seconds` from now, by the mock clock; the host cancels it then.
  public func open(
    _ kind: UInt32, body: String = "", model: String = "", streams: Bool = true, answering answers: [Int32] = [],
    seconds: UInt64 = 60, schema: String = "prv.chat/1", files: [MockFile] = []
  ) throws(MockFailure) -> MockCall {
    let call = MockCall(handle: host.monitor.locked { host.nextHandle() })
    call.answers = answers
    call.owner = self
    let deadline = host.nowNanoseconds + seconds * 1_000_000_000
    host.monitor.locked { host.calls[call.handle] = call }
    call.onDone = { [unowned call] in self.scheduleEnd(of: call) }
    let text = MockText()
    let status = lend("request-\(call.handle & 0xFFFF)") { id in
      lend(model) { model in
        lend(body) { body in
          lend(body.len > 0 ? schema : "") { schema in
            MockFile.lend(files) { list in
              var request = prv_call_request()
              request.size = UInt32(MemoryLayout<prv_call_request>.size)
              request.flags = streams ? PRV_CALL_STREAM : 0
              request.kind = kind
              request.attempt = 1
              request.deadline_mono_ns = deadline
              request.request_id = id
              request.model = model
              request.body_schema = schema
              request.body_json = body
              request.files = list
              request.file_count = UInt64(files.count)
              request.file_stride = UInt64(MemoryLayout<prv_file>.stride)
              return Loan.lend(value: request) { request in
                host.enter(.callOpen, call.handle) {
                  table.call_open?(table.`self`, request, call.handle, &call.context, text.sink) ?? PRV_E_UNSUPPORTED
                }
              }
            }
          }
        }
      }
    }
    guard status == PRV_OK else {
      refuse(call)
      throw MockFailure(status: status, message: text.string)
    }
    host.monitor.locked { call.stage = call.isDoneInOpening ? .done : .open }
    if call.stage == .open {
      call.deadlineAlarm = host.alarm(at: deadline) { [unowned call] in
        self.cancel(call, reason: PRV_CANCEL_DEADLINE)
      }
    }
    return call
  }

  /// call_open did not accept the call: nothing of it may follow, nor have come before.
  private func refuse(_ call: MockCall) {
    host.monitor.locked {
      if call.isDoneInOpening {
        let words = CallContract.words(on: .done, in: .refused)
        host.note(
          Breach(.oneDone, at: .done, handle: call.handle, expected: words.expected, found: words.found))
      }
      if !call.events.isEmpty {
        let words = CallContract.words(on: .emit, in: .refused)
        host.note(
          Breach(.oneDone, at: .emit, handle: call.handle, expected: words.expected, found: words.found))
      }
      call.onDone = nil
      call.stage = .refused
      call.owner = nil
    }
  }

  /// The client left: its exchanges are aborted, then the plugin is told. Nothing when the call has ended.
  public func cancel(_ call: MockCall, reason: UInt32 = PRV_CANCEL_CLIENT) {
    let isFirst = host.monitor.locked {
      guard call.stage == .open, !call.isCancelled else { return false }
      call.isCancelled = true
      call.cancelNanoseconds = host.nowNanoseconds
      for exchange in host.exchanges where exchange.call == call.handle { exchange.abort() }
      return true
    }
    guard isFirst else { return }
    call.graceAlarm = host.alarm(at: host.nowNanoseconds + host.graceNanoseconds) { [unowned call, host] in
      guard call.dones.isEmpty else { return }
      host.note(
        Breach(
          .doneAfterCancel, at: .callCancel, handle: call.handle,
          expected: "done within \(host.graceNanoseconds / 1_000_000) ms of call_cancel", found: "none"))
    }
    host.enter(.callCancel, call.handle) { table.call_cancel?(table.`self`, call.context, reason) }
  }

  /// The client took what was queued for it.
  public func resume(_ call: MockCall) {
    let waiting = host.monitor.locked { () -> [MockExchange] in
      call.isPaused = false
      return host.exchanges.filter { $0.call == call.handle }
    }
    host.enter(.callResume, call.handle) { table.call_resume?(table.`self`, call.context) }
    for exchange in waiting { exchange.goOn() }
  }

  /// Forgets the call, so that whatever the plugin does with it is stale; its context stays until `close`.
  public func forget(_ call: MockCall) {
    host.monitor.locked {
      host.calls[call.handle] = nil
      host.forgotten.insert(call.handle)
      for (timer, entry) in host.timers where entry.call == call.handle { host.timers[timer] = nil }
    }
    host.dropAlarm(call.deadlineAlarm)
    host.dropAlarm(call.graceAlarm)
  }

  /// The last function for a call; `run` calls it after `done`, this is for calls that were forgotten.
  public func close(_ call: MockCall) {
    precondition(!call.isClosed, "a call is closed once (R011)")
    host.monitor.locked {
      call.stage = .closed
      call.onDone = nil
      call.onEvent = nil
      for (timer, entry) in host.timers where entry.call == call.handle { host.timers[timer] = nil }
    }
    host.enter(.callClose, call.handle) { table.call_close?(table.`self`, call.context) }
    call.owner = nil
    host.monitor.locked { host.forgetClosed(call) }
  }

  /// After the function that is running now, since `done` may have been called inside call_open: what the call still has
  /// is aborted, and once all of it has completed the call is closed.
  private func scheduleEnd(of call: MockCall) {
    host.enqueue(
      .work {
        for exchange in self.host.exchanges where exchange.call == call.handle { exchange.abort() }
        self.closeWhenQuiet(call)
      }, of: call.handle)
  }

  private func closeWhenQuiet(_ call: MockCall) {
    guard !call.isClosed else { return }
    let isBusy = host.exchanges.contains { $0.call == call.handle && !$0.isComplete }
    guard isBusy || host.hasJobs(of: call.handle) else { return close(call) }
    host.enqueue(.work { self.closeWhenQuiet(call) }, of: call.handle)
  }
}
