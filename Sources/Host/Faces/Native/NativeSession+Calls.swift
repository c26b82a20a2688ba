import Bytes
import Decisions
import JSON

// From `call_tool` to a running call, or to the one frame that says why not.
extension NativeSession {
  func callTool(_ fields: NativeMessage, _ identity: Identity) {
    do throws(CallError) {
      try fields.checkRequestID()
      guard let name = fields.name?.string(), !name.isEmpty else {
        throw CallError.invalidMessage("call_tool requires 'name' (non-empty string)")
      }
      guard let tool = NativeTool(named: name) else {
        throw CallError(
          .toolNotFound, "Unknown tool: \(CallError.shortened(name))",
          [
            ("requested_tool", .string(CallError.shortened(name))),
            ("available", .strings(NativeTool.allCases.map(\.rawValue))),
          ])
      }
      if let arguments = fields.arguments, arguments.kind != .object {
        throw CallError.invalidMessage("arguments must be an object, got \(arguments.kind)")
      }
      let limit = loop.configuration.limits.argumentsBytes
      if let size = fields.arguments?.bytes.count, size > limit {
        throw CallError(
          .overCapacity, "Request too large: \(size) bytes exceeds limit of \(limit) bytes",
          [("actual_size", .integer(Int64(size))), ("limit", .integer(Int64(limit)))])
      }
      if tool == .chat { try chat(fields, identity) } else { try runBuiltIn(tool, fields) }
    } catch {
      link.send { NativeFrames.refusal(id: fields.echoedID, error, to: &$0) }
    }
  }

  private func chat(_ fields: NativeMessage, _ identity: Identity) throws(CallError) {
    let arguments: ChatArguments
    if let view = fields.arguments { arguments = try ChatArguments(view) } else { arguments = try ChatArguments.none() }
    guard let routing = loop.routing else { throw .starting() }
    let requested = arguments.model?.string()
    let model = try routing.model(named: requested)
    try arguments.check(temperatureMax: routing.temperatureMaxima[model.provider], model)
    loop.bodyScratch.removeAll(keeping: 1 << 20)
    arguments.writeBody(to: &loop.bodyScratch)
    let id = RequestID(fields.requestID)
    let fingerprint =
      id.isGiven || arguments.refusesDuplicates
      ? loop.fingerprint(model: model, body: loop.bodyScratch.readable) : nil
    guard try isNew(id, fingerprint, arguments, identity) else { return }
    let configured = loop.configuration.timeouts.toolMilliseconds * 1_000_000
    let total = min(arguments.timeoutNanoseconds ?? configured, configured)
    let plan = CallPlan(
      requestID: id.text, model: model, fallbacks: routing.fallbacks(for: model, arguments), requestedModel: requested,
      wantsStream: arguments.wantsStream, total: total, isShortened: total < configured, session: identity.number,
      receivedAt: .now())
    let call = Call(plan: plan, routing: routing, face: self, loop: loop)
    calls.begin(id.key, id.isGiven ? fingerprint : nil, call)
    do {
      try call.start(body: loop.bodyScratch.readable)
    } catch {
      forget(call)
      throw error
    }
  }

  /// Whether the request is a call of its own. One that repeats another is answered here: it joins the call that runs,
  /// or gets the result that was kept.
  private func isNew(
    _ id: RequestID, _ fingerprint: Fingerprint?, _ arguments: ChatArguments, _ identity: Identity
  ) throws(CallError) -> Bool {
    switch calls.arrive(id.key, fingerprint, refusesDuplicates: arguments.refusesDuplicates) {
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
  }
}
