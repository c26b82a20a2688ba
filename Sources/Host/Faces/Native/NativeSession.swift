import Bytes
import CLinux
import JSON

/// One client of the native protocol: hello first, then any number of operations and calls on one connection.
///
/// | state    | message              | then                                                    |
/// |----------|----------------------|---------------------------------------------------------|
/// | fresh    | –                    | `awaitHello`                                            |
/// | awaiting | hello                | ready, or refused with the close code of its fault      |
/// | awaiting | time                 | closed 4002                                             |
/// | ready    | an operation         | its reply; calls go on until their terminal frames      |
/// | any      | the link closes      | closed: every call is cancelled, the session given back |
///
/// Thread: the loop's.
final class NativeSession: MessageHandler, CallFace, TimerTarget {
  private enum State {
    case fresh
    case awaiting(TimerID)
    case ready(session: Int, principal: Principals.Principal?)
    case closed
  }

  private let link: WebSocketLink
  private var state = State.fresh
  /// What runs or waits, in the order it came; at most the session's limit and its queue.
  private var calls: [Call] = []

  init(link: WebSocketLink) { self.link = link }

  private var loop: HostLoop { link.connection.loop }

  func awaitHello() {
    let due = loop.now.advanced(milliseconds: loop.configuration.timeouts.helloMilliseconds)
    state = .awaiting(loop.eventLoop.schedule(at: due, self, tag: 0))
  }

  /// What runs may finish until the drain is over; then the client is told to go elsewhere.
  func drain(isOver: Bool) {
    if isOver {
      for call in calls { call.cancel(.stop, message: "The host is shutting down") }
    }
    if calls.isEmpty { link.close(code: 1012, reason: "the host is shutting down") }
  }

  func timerFired(_ tag: UInt32) {
    guard case .awaiting = state else { return }
    state = .fresh
    link.close(code: 4002, reason: "no hello within the time for it")
  }

  // MARK: - Messages

  func received(_ message: UnsafeRawBufferPointer) {
    switch state {
    case .awaiting(let timer): hello(message, timer)
    case .ready(let session, let principal): operation(message, session, principal)
    case .fresh, .closed: break
    }
  }

  private func hello(_ bytes: UnsafeRawBufferPointer, _ timer: TimerID) {
    _ = loop.eventLoop.cancel(timer)
    state = .fresh
    guard let message = try? JSONView(parsing: bytes, checksUTF8: false), message.kind == .object else {
      return refuseHello("invalid_hello", code: 4000, reason: "the first frame must be a JSON object")
    }
    let fields = NativeMessage(message)
    guard let op = fields.op, op.equals("hello") else {
      return refuseHello("missing_hello", code: 4001, reason: "the first frame must have op hello")
    }
    var principal: Principals.Principal?
    if !loop.services.principals.isOpen {
      guard let token = fields.token?.string(),
        let known = loop.services.principals.principal(withToken: token), known.role != .viewer
      else { return refuseHello("unauthorized", code: 4003, reason: "unauthorized") }
      principal = known
    } else if let token = fields.token, token.kind != .string, !token.isNull {
      return refuseHello("unauthorized", code: 4003, reason: "token must be a string")
    }
    if loop.isDraining { return link.close(code: 1012, reason: "the host is shutting down") }
    guard let session = loop.core.openSession() else {
      return refuseHello("session_limit", code: 1008, reason: "limits.sessions reached")
    }
    state = .ready(session: session, principal: principal)
    let id = SessionID.make()
    link.send {
      NativeFrames.helloAck(
        sessionID: id, configuration: loop.configuration, version: loop.services.version, to: &$0)
    }
  }

  private func refuseHello(_ error: StaticString, code: UInt16, reason: String) {
    link.send { NativeFrames.helloRefused(error, to: &$0) }
    link.close(code: code, reason: reason)
  }

  private func operation(_ bytes: UnsafeRawBufferPointer, _ session: Int, _ principal: Principals.Principal?) {
    let message: JSONView
    do {
      message = try JSONView(parsing: bytes, checksUTF8: false)
    } catch {
      return reply(
        nil,
        CallError(
          .validationError, "Invalid JSON: \(error.reason) at byte \(error.offset)",
          [("parse_error", .string(error.reason)), ("offset", .integer(Int64(error.offset)))]))
    }
    guard message.kind == .object else { return reply(nil, .invalidMessage("message must be a JSON object")) }
    let fields = NativeMessage(message)
    guard let op = fields.op, op.kind == .string else {
      return reply(fields.echoedID, .invalidMessage("missing or invalid 'op' field (must be string)"))
    }
    if op.equals("call_tool") {
      callTool(fields, session)
    } else {
      do {
        try fields.checkRequestID()
        try answer(op, fields, principal)
      } catch {
        reply(fields.echoedID, error)
      }
    }
  }

  private func answer(_ op: JSONView, _ fields: NativeMessage, _ principal: Principals.Principal?) throws(CallError) {
    let id = fields.echoedID
    switch op.string() ?? "" {
    case "list_tools":
      send("list_tools_res", id, "tools") { $0.append(NativeTool.listing) }
    case "list_models":
      let report = HostReport(loop: loop)
      send("list_models_res", id, "models") { report.writeModels(to: &$0) }
    case "health":
      let report = HostReport(loop: loop)
      link.send {
        NativeFrames.beginReply("health_res", id, to: &$0)
        $0.append(",\"ok\":true,\"health\":")
        report.writeHealth(to: &$0)
        $0.append("}")
      }
    case "cancel": try cancel(fields)
    case "rotate_token": rotate(fields, principal)
    case "hello": throw .invalidMessage("hello was said already")
    case let unknown:
      let shown = CallError.shortened(unknown)
      throw CallError(.protocolError, "Unknown operation: \(shown)", [("operation", .string(shown))])
    }
  }

  private func send(
    _ op: StaticString, _ id: UnsafeRawBufferPointer?, _ member: StaticString, _ write: (inout ByteBuffer) -> Void
  ) {
    link.send {
      NativeFrames.beginReply(op, id, to: &$0)
      $0.append(",\"")
      $0.append(member)
      $0.append("\":")
      write(&$0)
      $0.append("}")
    }
  }

  private func reply(_ id: UnsafeRawBufferPointer?, _ error: CallError) {
    link.send { NativeFrames.error(id: id, error, to: &$0) }
  }

  private func rotate(_ fields: NativeMessage, _ principal: Principals.Principal?) {
    let outcome: StaticString?
    if let old = fields.old?.string(), let new = fields.new?.string() {
      switch principal.map({ loop.services.principals.rotate($0, from: old, to: new) }) {
      case .rotated: outcome = nil
      case .weak: outcome = "weak_token"
      case .unauthorized, nil: outcome = "unauthorized"
      }
    } else {
      outcome = "missing_params"
    }
    link.send {
      NativeFrames.beginReply("rotate_token_res", fields.echoedID, to: &$0)
      if let outcome {
        $0.append(",\"ok\":false,\"error\":\"")
        $0.append(outcome)
        $0.append("\"}")
      } else {
        $0.append(",\"ok\":true,\"persisted\":false}")
      }
    }
  }

  // MARK: - Calls

  private func callTool(_ fields: NativeMessage, _ session: Int) {
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
    calls.append(call)
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

  private func cancel(_ fields: NativeMessage) throws(CallError) {
    guard let id = fields.requestID, id.kind == .string else {
      throw .invalidMessage("cancel requires 'request_id' (non-empty string)")
    }
    let call = calls.first { $0.matches(id) }
    link.send {
      NativeFrames.beginReply("cancel_res", fields.echoedID, to: &$0)
      $0.append(call == nil ? ",\"ok\":false,\"error\":\"not_in_flight\"}" as StaticString : ",\"ok\":true}")
    }
    call?.cancel(.client, message: "Cancelled by the client")
  }

  private func forget(_ call: Call) { calls.removeAll { $0 === call } }

  // MARK: - CallFace

  func callAccepted(_ call: Call) { link.send { NativeFrames.ack(call, to: &$0) } }

  func callProgressed(_ call: Call, phase: Call.Phase) {
    link.send { NativeFrames.progress(call, phase: phase, to: &$0) }
  }

  func callDelta(_ call: Call, sequence: UInt64, _ event: ProviderEvent) -> Bool {
    link.send { NativeFrames.delta(call, sequence: sequence, event, to: &$0) }
    return !link.connection.isCongested
  }

  func callRefused(_ call: Call, _ error: CallError) {
    forget(call)
    link.send { frame in
      call.plan.requestID.withUnsafeBytes { NativeFrames.refusal(id: $0, error, to: &frame) }
    }
    if loop.isDraining { drain(isOver: false) }
  }

  func callEnded(_ call: Call, _ ending: CallEnding) {
    forget(call)
    link.send { NativeFrames.result(call, ending, to: &$0) }
    if loop.isDraining { drain(isOver: false) }
  }

  // MARK: - The link

  func backlogCleared() {
    for call in calls { call.resume() }
  }

  func linkClosed() {
    let previous = state
    state = .closed
    if case .awaiting(let timer) = previous { _ = loop.eventLoop.cancel(timer) }
    for call in calls { call.cancel(.client, message: "The client left") }
    if case .ready(let session, _) = previous { loop.core.closeSession(session) }
  }
}

extension Call {
  /// Whether a request id as it stands in a message is this call's.
  fileprivate func matches(_ id: JSONView) -> Bool {
    if plan.requestID.elementsEqual(id.bytes) { return true }
    return plan.requestID.withUnsafeBytes { bytes in
      guard let own = try? JSONView(parsing: bytes) else { return false }
      return own.string() == id.string()
    }
  }
}

/// 256 random bits as 43 URL-safe characters.
enum SessionID {
  static func make() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    let filled = bytes.withUnsafeMutableBytes { getrandom($0.baseAddress, $0.count, 0) }
    precondition(filled == 32, "the kernel gave \(filled) of 32 random bytes")
    return bytes.withUnsafeBytes { Array(Base64.encodeURLSafe($0).utf8) }
  }
}
