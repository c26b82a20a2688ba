import Bytes
import Decisions
import JSON

// What a client that said hello may ask for, calls apart.
extension NativeSession {
  func operation(_ bytes: UnsafeRawBufferPointer, _ identity: Identity) {
    loop.meter?.messageBegan()
    let message: JSONView
    do {
      message = try JSONView(parsing: bytes, checksUTF8: false)
    } catch {
      return reply(
        nil,
        tooFast(identity)
          ?? CallError(
            .validationError, "Invalid JSON: \(error.reason) at byte \(error.offset)",
            [("parse_error", .string(error.reason)), ("offset", .integer(Int64(error.offset)))]))
    }
    guard message.kind == .object else {
      return reply(nil, tooFast(identity) ?? .invalidMessage("message must be a JSON object"))
    }
    let fields = NativeMessage(message)
    let isCall = fields.op?.equals("call_tool") ?? false
    // Who cancels takes nothing, and must never be kept from it.
    if !(fields.op?.equals("cancel") ?? false), let refusal = tooFast(identity) {
      guard isCall else { return reply(fields.echoedID, refusal) }
      loop.meter?.subject = RequestSeries.unknownNumber
      return refuse(fields, refusal)
    }
    guard let op = fields.op, op.kind == .string else {
      return reply(fields.echoedID, .invalidMessage("missing or invalid 'op' field (must be string)"))
    }
    if isCall {
      callTool(fields, identity)
    } else {
      do {
        try fields.checkRequestID()
        try answer(op, fields, identity.principal)
      } catch {
        reply(fields.echoedID, error)
      }
    }
  }

  private func answer(_ op: JSONView, _ fields: NativeMessage, _ principal: Principals.Principal?) throws(CallError) {
    let id = fields.echoedID
    switch op.string() ?? "" {
    case "list_tools":
      send("list_tools_res", id, "tools") { NativeTool.writeListing(with: loop.routing?.tools, to: &$0) }
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
    loop.meter?.failed(error.code)
    countRefusal(error)
  }

  /// A client whose messages are all refused for what they are must not keep the loop busy with them for ever. What is
  /// refused for what others do, or for its rate, may be tried again at will.
  func countRefusal(_ error: CallError) {
    switch error.code {
    case .overCapacity, .serviceUnavailable, .duplicate, .rateLimited: break
    default: link.countUseless()
    }
  }

  private func rotate(_ fields: NativeMessage, _ principal: Principals.Principal?) {
    let outcome: StaticString?
    if let old = fields.old?.string(), let new = fields.new?.string() {
      switch principal.map({ loop.services.principals.rotate($0, from: old, to: new) }) {
      case .rotated:
        loop.services.log.redact(new)
        outcome = nil
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

  private func cancel(_ fields: NativeMessage) throws(CallError) {
    guard let id = fields.requestID, id.kind == .string else {
      throw .invalidMessage("cancel requires 'request_id' (non-empty string)")
    }
    let departure = calls.leave(RequestID(id).key)
    link.send {
      NativeFrames.beginReply("cancel_res", fields.echoedID, to: &$0)
      if case .unknown = departure {
        $0.append(",\"ok\":false,\"error\":\"not_in_flight\"}")
      } else {
        $0.append(",\"ok\":true}")
      }
    }
    if case .unknown = departure { link.countUseless() }
    let message = "Cancelled by the client"
    switch departure {
    case .unknown: break
    case .last(let call): call.cancel(.client, message: message)
    case .left(let call):
      let ending = CallEnding(outcome: .cancelled, error: CallError(.cancelled, message))
      link.send { NativeFrames.result(call, ending, to: &$0) }
      countJoined(call, ending, 1)
    }
  }

  /// nil: the message may be taken.
  private func tooFast(_ identity: Identity) -> CallError? {
    loop.core.takeMessage(
      principal: identity.principal?.index, address: link.connection.address, now: loop.now
    ).map { CallError($0) }
  }
}
