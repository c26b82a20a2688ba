public import CProviderABI

/// An instance of a provider, as the host holds it. Destroyed with its last reference; open calls hold it.
public final class MockInstance {
  public let plugin: UnsafePointer<prv_plugin>
  private let host: MockHost
  private var table = prv_provider()

  init(descriptor: UnsafePointer<prv_plugin>, provider: String, settings: String, host: MockHost) throws(MockFailure) {
    plugin = descriptor
    self.host = host
    table.size = UInt32(MemoryLayout<prv_provider>.size)
    let text = MockText()
    let status = lend(provider) { provider in
      lend(settings) { settings in
        descriptor.pointee.create?(descriptor, provider, host.hostTable, settings, &table, text.sink)
          ?? PRV_E_UNSUPPORTED
      }
    }
    guard status == PRV_OK else { throw MockFailure(status: status, message: text.string) }
    if let start = table.start, start(table.`self`, text.sink) != PRV_OK {
      throw MockFailure(status: PRV_E_STATE, message: text.string)
    }
  }

  deinit {
    table.stop?(table.`self`)
    table.destroy?(table.`self`)
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

  /// Opens a call of any kind.
  public func open(
    _ kind: UInt32, body: String = "", model: String = "", streams: Bool = true, answering answers: [Int32] = []
  ) throws(MockFailure)
    -> MockCall
  {
    let call = MockCall(handle: host.nextHandle())
    call.answers = answers
    host.calls[call.handle] = call
    call.onDone = { [unowned call] in self.scheduleClose(of: call) }
    let text = MockText()
    let status = lend("request-\(call.handle & 0xFFFF)") { id in
      lend(model) { model in
        lend(body) { body in
          lend(body.len > 0 ? "prv.chat/1" : "") { schema in
            var request = prv_call_request()
            request.size = UInt32(MemoryLayout<prv_call_request>.size)
            request.flags = streams ? PRV_CALL_STREAM : 0
            request.kind = kind
            request.attempt = 1
            request.deadline_mono_ns = host.nowNanoseconds + 60_000_000_000
            request.request_id = id
            request.model = model
            request.body_schema = schema
            request.body_json = body
            return table.call_open?(table.`self`, &request, call.handle, &call.context, text.sink)
              ?? PRV_E_UNSUPPORTED
          }
        }
      }
    }
    guard status == PRV_OK else {
      host.calls[call.handle] = nil
      if !call.dones.isEmpty { host.violations.append("R005: done for a call that was not accepted") }
      throw MockFailure(status: status, message: text.string)
    }
    return call
  }

  /// The client left: its exchanges are aborted, then the plugin is told.
  public func cancel(_ call: MockCall, reason: UInt32 = PRV_CANCEL_CLIENT) {
    call.isCancelled = true
    for exchange in host.exchanges where exchange.call == call.handle { exchange.abort() }
    table.call_cancel?(table.`self`, call.context, reason)
  }

  /// The client took what was queued for it.
  public func resume(_ call: MockCall) { table.call_resume?(table.`self`, call.context) }

  /// Forgets the call, so that whatever the plugin does with it is stale; its context stays until `close`.
  public func forget(_ call: MockCall) {
    host.calls[call.handle] = nil
    for (timer, entry) in host.timers where entry.call == call.handle { host.timers[timer] = nil }
  }

  /// The last function for a call; `run` calls it after `done`, this is for calls that were forgotten.
  public func close(_ call: MockCall) {
    precondition(!call.isClosed, "a call is closed once (R011)")
    call.isClosed = true
    call.onDone = nil
    host.calls[call.handle] = nil
    table.call_close?(table.`self`, call.context)
  }

  /// After the function that is running now: `done` may have been called inside `call_open`.
  private func scheduleClose(of call: MockCall) { host.enqueue(.work { self.close(call) }) }
}
