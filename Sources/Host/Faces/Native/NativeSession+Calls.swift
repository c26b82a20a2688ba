import Bytes
import Decisions
import JSON

// From `call_tool` to a running call, or to the one frame that says why not.
extension NativeSession {
  func callTool(_ fields: NativeMessage, _ identity: Identity) {
    loop.meter?.subject = RequestSeries.unknownNumber
    do throws(CallError) {
      try fields.checkRequestID()
      guard let name = fields.name?.string(), !name.isEmpty else {
        throw CallError.invalidMessage("call_tool requires 'name' (non-empty string)")
      }
      let tool = try AnyTool(named: name, loop.routing)
      loop.meter?.concerns(tool)
      if let arguments = fields.arguments, arguments.kind != .object {
        throw CallError.invalidMessage("arguments must be an object, got \(arguments.kind)")
      }
      let limit = loop.configuration.limits.argumentsBytes
      if let size = fields.arguments?.bytes.count, size > limit {
        throw CallError(
          .overCapacity, "Request too large: \(size) bytes exceeds limit of \(limit) bytes",
          [("actual_size", .integer(Int64(size))), ("limit", .integer(Int64(limit)))])
      }
      switch tool {
      case .own(.chat): try chat(fields, identity)
      case .own(let tool): try runBuiltIn(tool, fields)
      case .provider(let tool, let routing): try call(tool, routing, fields, identity)
      }
    } catch {
      refuse(fields, error)
    }
  }

  func refuse(_ fields: NativeMessage, _ error: CallError) {
    link.send { NativeFrames.refusal(id: fields.echoedID, error, to: &$0) }
    loop.meter?.answered(.refused, error.code)
    countRefusal(error)
  }

  private func chat(_ fields: NativeMessage, _ identity: Identity) throws(CallError) {
    let arguments: ChatArguments
    if let view = fields.arguments { arguments = try ChatArguments(view) } else { arguments = try ChatArguments.none() }
    guard let routing = loop.routing else { throw .starting() }
    let requested = arguments.model?.string()
    let model = try routing.model(named: requested)
    loop.meter?.concerns(model)
    try arguments.check(temperatureMax: routing.temperatureMaxima[model.provider], model)
    loop.bodyScratch.removeAll(keeping: 1 << 20)
    arguments.writeBody(to: &loop.bodyScratch)
    let id = RequestID(fields.requestID)
    let trace = try fields.trace(ofConnection: trace, random: loop.nextRandom)
    let fingerprint =
      id.isGiven || arguments.refusesDuplicates
      ? loop.fingerprint(model: model, body: loop.bodyScratch.readable) : nil
    guard try isNew(id, fingerprint, refusesDuplicates: arguments.refusesDuplicates, identity) else { return }
    let (total, isShortened) = total(arguments.timeoutNanoseconds)
    var plan = CallPlan(
      requestID: id.text, model: model, fallbacks: routing.fallbacks(for: model, arguments), requestedModel: requested,
      wantsStream: arguments.wantsStream, total: total, isShortened: isShortened, session: identity.number,
      principal: identity.principal?.index, receivedAt: .now())
    loop.meter?.parsed(at: plan.receivedAt)
    plan.trace = trace
    try begin(plan, id, fingerprint, routing, body: loop.bodyScratch.readable)
  }

  /// A tool that a plugin contributes: the permits, clocks and repetitions of a chat, without a model.
  private func call(_ tool: ProviderTool, _ routing: Routing, _ fields: NativeMessage, _ identity: Identity)
    throws(CallError)
  {
    let arguments = try ToolArguments(
      fields.arguments, of: tool, fileBytes: loop.configuration.limits.fileBytes)
    loop.bodyScratch.removeAll(keeping: 1 << 20)
    arguments.writeBody(to: &loop.bodyScratch)
    let bodyBytes = loop.bodyScratch.count
    let id = RequestID(fields.requestID)
    let trace = try fields.trace(ofConnection: trace, random: loop.nextRandom)
    if id.isGiven { arguments.writeFiles(to: &loop.bodyScratch) }
    let fingerprint = id.isGiven ? loop.fingerprint(model: tool.place, body: loop.bodyScratch.readable) : nil
    guard try isNew(id, fingerprint, refusesDuplicates: false, identity) else { return }
    let (total, isShortened) = total(arguments.timeoutNanoseconds)
    var plan = CallPlan(
      requestID: id.text, model: tool.place, wantsStream: arguments.wantsStream, total: total,
      isShortened: isShortened, session: identity.number, principal: identity.principal?.index, receivedAt: .now())
    loop.meter?.parsed(at: plan.receivedAt)
    plan.trace = trace
    plan.tool = tool
    plan.files = arguments.files
    try begin(
      plan, id, fingerprint, routing, body: UnsafeRawBufferPointer(rebasing: loop.bodyScratch.readable[..<bodyBytes]))
  }

  /// Nanoseconds, and whether the client asked for less than the configured total.
  private func total(_ asked: UInt64?) -> (total: UInt64, isShortened: Bool) {
    let configured = loop.configuration.timeouts.toolMilliseconds * 1_000_000
    let total = min(asked ?? configured, configured)
    return (total, total < configured)
  }

  private func begin(
    _ plan: consuming CallPlan, _ id: RequestID, _ fingerprint: Fingerprint?, _ routing: Routing,
    body: UnsafeRawBufferPointer
  ) throws(CallError) {
    let call = Call(plan: plan, routing: routing, face: self, loop: loop)
    calls.begin(id.key, id.isGiven ? fingerprint : nil, call)
    loop.meter?.subject = nil
    do {
      try call.start(body: body)
    } catch {
      forget(call)
      throw error
    }
  }

  /// Whether the request is a call of its own. One that repeats another is answered here: it joins the call that runs,
  /// or gets the result that was kept.
  private func isNew(
    _ id: RequestID, _ fingerprint: Fingerprint?, refusesDuplicates: Bool, _ identity: Identity
  ) throws(CallError) -> Bool {
    switch calls.arrive(id.key, fingerprint, refusesDuplicates: refusesDuplicates) {
    case .joins(let call):
      if call.attempts > 0 { link.send { NativeFrames.ack(call, isAttached: true, to: &$0) } }
      return false
    case .conflicts: throw .invalidMessage("request_id \(id.shown) is in flight with other arguments; use another")
    case .duplicate(let call): throw .duplicate(of: RequestID.content(of: call.plan.requestID))
    case .new: break
    }
    guard id.isGiven, loop.results.count > 0,
      let kept = loop.results.find(loop.resultKey(session: identity.serial, id: id.key), now: loop.now)
    else { return true }
    guard kept.fingerprint == fingerprint else {
      throw .invalidMessage("request_id \(id.shown) was used with other arguments; use another")
    }
    link.send { NativeFrames.cachedResult(kept.bytes, to: &$0) }
    loop.meter?.answered(.complete)
    return false
  }

  private func runBuiltIn(_ tool: NativeTool, _ fields: NativeMessage) throws(CallError) {
    if let arguments = fields.arguments {
      for (key, value) in arguments.members() {
        throw .invalid(
          CallError.shortened(key.string() ?? ""), "\(tool.rawValue) takes no arguments", found: "\(value.kind)")
      }
    }
    var text = ByteBuffer()
    let report = HostReport(loop: loop)
    switch tool {
    case .listmodels: report.writeModels(to: &text)
    case .version: report.writeVersion(to: &text)
    case .status: report.writeHealth(to: &text)
    case .providerCapabilities: report.writeCapabilities(to: &text)
    case .chat: preconditionFailure("chat is no built-in tool")
    }
    let answer = text.string()
    let id = RequestID(fields.requestID).text
    let total = loop.configuration.timeouts.toolMilliseconds * 1_000_000
    link.send { NativeFrames.builtInAck(id: id, name: tool.rawValue, total: total, to: &$0) }
    link.send { NativeFrames.builtInResult(id: id, name: tool.rawValue, text: answer, to: &$0) }
    loop.meter?.answered(.complete)
  }
}
