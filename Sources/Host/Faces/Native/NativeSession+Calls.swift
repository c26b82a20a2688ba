import Bytes
import JSON

// From `call_tool` to a running call, or to the one frame that says why not.
extension NativeSession {
  func callTool(_ fields: NativeMessage, _ session: Int) {
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
      let id = try requestID(fields)
      if tool == .chat { try chat(fields, id, session) } else { try runBuiltIn(tool, fields, id) }
    } catch {
      link.send { NativeFrames.refusal(id: fields.echoedID, error, to: &$0) }
    }
  }

  /// The client's id as it wrote it, or a fresh one.
  private func requestID(_ fields: NativeMessage) throws(CallError) -> [UInt8] {
    guard let given = fields.requestID, !given.isNull else { return [0x22] + SessionID.make().prefix(22) + [0x22] }
    if calls.contains(where: { $0.matches(given) }) {
      throw .invalidMessage("request_id \(CallError.shortened(given.text)) is already in flight; use another")
    }
    return [UInt8](given.bytes)
  }

  private func chat(_ fields: NativeMessage, _ id: [UInt8], _ session: Int) throws(CallError) {
    let arguments: ChatArguments
    if let view = fields.arguments { arguments = try ChatArguments(view) } else { arguments = try ChatArguments.none() }
    guard let routing = loop.routing else { throw .starting() }
    let requested = arguments.model?.string()
    let model = try routing.model(named: requested)
    let provider = routing.providers[model.provider]
    try arguments.check(against: provider.information, model)
    let configured = loop.configuration.timeouts.toolMilliseconds * 1_000_000
    let plan = CallPlan(
      requestID: id, model: model, requestedModel: requested, wantsStream: arguments.wantsStream,
      total: min(arguments.timeoutNanoseconds ?? configured, configured), session: session, receivedAt: .now())
    let call = Call(plan: plan, provider: provider, face: self, loop: loop)
    begin(call)
    loop.bodyScratch.removeAll(keeping: 1 << 20)
    arguments.writeBody(to: &loop.bodyScratch)
    do {
      try call.start(body: loop.bodyScratch.readable)
    } catch {
      forget(call)
      throw error
    }
  }

  private func runBuiltIn(_ tool: NativeTool, _ fields: NativeMessage, _ id: [UInt8]) throws(CallError) {
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
    let total = loop.configuration.timeouts.toolMilliseconds * 1_000_000
    link.send { NativeFrames.builtInAck(id: id, name: tool.rawValue, total: total, to: &$0) }
    link.send { NativeFrames.builtInResult(id: id, name: tool.rawValue, text: answer, to: &$0) }
  }
}

extension Call {
  /// Whether a request id as it stands in a message is this call's.
  func matches(_ id: JSONView) -> Bool {
    if plan.requestID.elementsEqual(id.bytes) { return true }
    return plan.requestID.withUnsafeBytes { bytes in
      guard let own = try? JSONView(parsing: bytes) else { return false }
      return own.string() == id.string()
    }
  }
}
