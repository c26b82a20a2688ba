import Bytes
import Decisions
import Glibc
import JSON

/// The frames of the native protocol (docs/protocol.md), each written straight into the connection's buffer.
///
/// `id` is the request id as the client wrote it, quotes included.
enum NativeFrames {
  static func helloAck(
    sessionID: [UInt8], configuration: Configuration, version: String, to buffer: inout ByteBuffer
  ) {
    buffer.append("{\"op\":\"hello_ack\",\"ok\":true,\"session_id\":\"")
    buffer.append(sessionID)
    buffer.append("\",\"protocol\":1,\"server\":{\"name\":\"patchbay\",\"version\":\"")
    buffer.append(version)
    buffer.append("\"},\"limits\":{\"frame_bytes\":")
    buffer.appendDecimal(configuration.limits.frameBytes)
    buffer.append(",\"arguments_bytes\":")
    buffer.appendDecimal(configuration.limits.argumentsBytes)
    buffer.append(",\"session_in_flight\":")
    buffer.appendDecimal(configuration.limits.sessionInFlight)
    buffer.append("},\"heartbeat_seconds\":")
    buffer.appendJSON(double: Double(configuration.timeouts.heartbeatMilliseconds) / 1000)
    buffer.append("}")
  }

  static func helloRefused(_ error: String, to buffer: inout ByteBuffer) {
    buffer.append("{\"op\":\"hello_ack\",\"ok\":false,\"error\":\"")
    buffer.append(error)
    buffer.append("\"}")
  }

  /// - Parameter isAttached: the request joined a call that runs.
  static func ack(_ call: Call, isAttached: Bool = false, to buffer: inout ByteBuffer) {
    begin("call_tool_ack", call.plan.requestID, to: &buffer)
    buffer.append(",\"accepted\":true")
    if isAttached { buffer.append(",\"attached\":true") }
    buffer.append(",\"name\":\"")
    buffer.append(call.plan.name)
    buffer.append("\",\"total_seconds\":")
    appendSeconds(call.plan.total, to: &buffer)
    buffer.append(",\"timeout\":")
    appendSeconds(call.plan.total + call.plan.total / 2, to: &buffer)
    buffer.append("}")
  }

  static func progress(_ call: Call, phase: Call.Phase, to buffer: inout ByteBuffer) {
    begin("progress", call.plan.requestID, to: &buffer)
    buffer.append(",\"name\":\"")
    buffer.append(call.plan.name)
    buffer.append("\",\"t\":")
    appendWallTime(to: &buffer)
    buffer.append(",\"phase\":\"")
    buffer.append(phase.rawValue)
    buffer.append("\"}")
  }

  static func delta(_ call: Call, sequence: UInt64, _ event: ProviderEvent, to buffer: inout ByteBuffer) {
    begin("delta", call.plan.requestID, to: &buffer)
    buffer.append(",\"seq\":")
    buffer.appendDecimal(sequence)
    switch event.kind {
    case .reasoning:
      buffer.append(",\"reasoning\":")
      buffer.appendJSON(utf8: event.text)
    case .toolCall:
      buffer.append(",\"tool_calls\":[{\"index\":")
      buffer.appendDecimal(Int(event.index))
      buffer.append(",\"id\":")
      buffer.appendJSON(utf8: event.id)
      buffer.append(",\"name\":")
      buffer.appendJSON(utf8: event.name)
      buffer.append("}]")
    case .toolArguments:
      buffer.append(",\"tool_calls\":[{\"index\":")
      buffer.appendDecimal(Int(event.index))
      buffer.append(",\"arguments\":")
      buffer.appendJSON(utf8: event.text)
      buffer.append("}]")
    default:
      buffer.append(",\"text\":")
      buffer.appendJSON(utf8: event.text)
    }
    buffer.append("}")
  }

  /// A result that was kept: the frame as it was sent, marked.
  static func cachedResult(_ frame: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
    buffer.append(UnsafeRawBufferPointer(rebasing: frame.dropLast()))
    buffer.append(",\"cached\":true}")
  }

  /// The terminal frame: whatever text came is in it, in every outcome.
  static func result(_ call: Call, _ ending: CallEnding, to buffer: inout ByteBuffer) {
    buffer.reserve(2 * call.answer.text.count + call.answer.reasoning.count + 1024)
    begin("call_tool_res", call.plan.requestID, to: &buffer)
    buffer.append(ending.error == nil ? ",\"ok\":true" as StaticString : ",\"ok\":false")
    if let error = ending.error {
      buffer.append(",\"error\":")
      error.write(to: &buffer)
    }
    appendOutputs(call, to: &buffer)
    appendMetadata(call, ending.outcome, to: &buffer)
    buffer.append("}")
  }

  private static func appendOutputs(_ call: Call, to buffer: inout ByteBuffer) {
    buffer.append(",\"outputs\":[")
    if !call.answer.reasoning.isEmpty {
      buffer.append("{\"type\":\"reasoning\",\"text\":")
      buffer.appendJSON(utf8: call.answer.reasoning.readable)
      buffer.append("},")
    }
    buffer.append("{\"type\":\"text\",\"text\":")
    let start = buffer.count
    buffer.appendJSON(utf8: call.answer.text.readable)
    let length = buffer.count - start
    buffer.append("}")
    for toolCall in call.answer.toolCalls {
      buffer.append(",{\"type\":\"tool_call\",\"id\":")
      buffer.appendJSON(string: toolCall.id)
      buffer.append(",\"name\":")
      buffer.appendJSON(string: toolCall.name)
      buffer.append(",\"arguments\":")
      buffer.appendJSON(string: toolCall.arguments)
      buffer.append("}")
    }
    buffer.append("],\"text\":")
    // The same text again, already escaped: copied from where it was just written, which `reserve` keeps in place.
    buffer.reserve(length)
    buffer.append(UnsafeRawBufferPointer(rebasing: buffer.readable[start..<start + length]))
  }

  private static func appendMetadata(_ call: Call, _ outcome: CallOutcome, to buffer: inout ByteBuffer) {
    buffer.append(",\"metadata\":{\"requested_model\":")
    let model = call.model
    let hasMoved = model !== call.plan.model
    appendOptional(call.plan.requestedModel ?? (hasMoved ? call.plan.model.id : nil), to: &buffer)
    buffer.append(",\"model_used\":")
    appendOptional(call.answer.modelUsed ?? (call.plan.tool == nil ? model.id : nil), to: &buffer)
    buffer.append(",\"provider\":")
    buffer.appendJSON(string: model.providerID)
    buffer.append(",\"attempts\":")
    buffer.appendDecimal(call.attempts)
    buffer.append(",\"fallback_reason\":")
    appendOptional(hasMoved ? call.fallbackReason : nil, to: &buffer)
    buffer.append(",\"finish_reason\":")
    appendOptional(call.answer.finishReason, to: &buffer)
    buffer.append(",\"outcome\":\"")
    buffer.append(outcome.rawValue)
    buffer.append("\",\"usage\":")
    if let usage = call.answer.usage { append(usage, to: &buffer) } else { buffer.append("null") }
    // Who leaves a call that goes on is told how long it was so far.
    let total = min(call.endedAt, .now()).nanoseconds(since: call.plan.receivedAt)
    let elsewhere = call.queuedNanoseconds + call.upstreamNanoseconds
    buffer.append(",\"queued_ms\":")
    buffer.appendMilliseconds(nanoseconds: call.queuedNanoseconds)
    buffer.append(",\"upstream_ms\":")
    buffer.appendMilliseconds(nanoseconds: call.upstreamNanoseconds)
    buffer.append(",\"overhead_ms\":")
    buffer.appendMilliseconds(nanoseconds: total > elsewhere ? total - elsewhere : 0)
    buffer.append("}")
  }

  private static func append(_ usage: TokenUsage, to buffer: inout ByteBuffer) {
    buffer.append("{\"input_tokens\":")
    buffer.appendDecimal(usage.inputTokens)
    buffer.append(",\"output_tokens\":")
    buffer.appendDecimal(usage.outputTokens)
    if usage.cachedInputTokens > 0 {
      buffer.append(",\"cached_input_tokens\":")
      buffer.appendDecimal(usage.cachedInputTokens)
    }
    if usage.reasoningTokens > 0 {
      buffer.append(",\"reasoning_tokens\":")
      buffer.appendDecimal(usage.reasoningTokens)
    }
    buffer.append("}")
  }

  /// A refusal of a call, its only frame: nothing ran, so there is no outcome.
  static func refusal(id: UnsafeRawBufferPointer?, _ error: CallError, to buffer: inout ByteBuffer) {
    beginReply("call_tool_res", id, to: &buffer)
    buffer.append(",\"ok\":false,\"error\":")
    error.write(to: &buffer)
    buffer.append("}")
  }

  /// An error that belongs to no call.
  static func error(id: UnsafeRawBufferPointer?, _ error: CallError, to buffer: inout ByteBuffer) {
    beginReply("error", id, to: &buffer)
    buffer.append(",\"error\":")
    error.write(to: &buffer)
    buffer.append("}")
  }

  /// The answer of a built-in tool: an ack and a result, without a provider.
  static func builtInResult(id: [UInt8], name: String, text: String, to buffer: inout ByteBuffer) {
    begin("call_tool_res", id, to: &buffer)
    buffer.append(",\"ok\":true,\"name\":")
    buffer.appendJSON(string: name)
    buffer.append(",\"outputs\":[{\"type\":\"text\",\"text\":")
    buffer.appendJSON(string: text)
    buffer.append("}],\"text\":")
    buffer.appendJSON(string: text)
    buffer.append(",\"metadata\":{\"outcome\":\"complete\"}}")
  }

  static func builtInAck(id: [UInt8], name: String, total: UInt64, to buffer: inout ByteBuffer) {
    begin("call_tool_ack", id, to: &buffer)
    buffer.append(",\"accepted\":true,\"name\":")
    buffer.appendJSON(string: name)
    buffer.append(",\"total_seconds\":")
    appendSeconds(total, to: &buffer)
    buffer.append(",\"timeout\":")
    appendSeconds(total + total / 2, to: &buffer)
    buffer.append("}")
  }

  // MARK: - Parts

  static func beginReply(_ op: StaticString, _ id: UnsafeRawBufferPointer?, to buffer: inout ByteBuffer) {
    buffer.append("{\"op\":\"")
    buffer.append(op)
    buffer.append("\"")
    guard let id else { return }
    buffer.append(",\"request_id\":")
    buffer.append(id)
  }

  private static func begin(_ op: StaticString, _ id: [UInt8], to buffer: inout ByteBuffer) {
    buffer.append("{\"op\":\"")
    buffer.append(op)
    buffer.append("\",\"request_id\":")
    buffer.append(id)
  }

  private static func appendOptional(_ text: String?, to buffer: inout ByteBuffer) {
    if let text { buffer.appendJSON(string: text) } else { buffer.append("null") }
  }

  private static func appendSeconds(_ nanoseconds: UInt64, to buffer: inout ByteBuffer) {
    buffer.appendJSON(double: Double(nanoseconds / 1_000_000) / 1000)
  }

  /// Seconds since 1970 with milliseconds, for display.
  static func appendWallTime(to buffer: inout ByteBuffer) {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    buffer.appendJSON(double: Double(time.tv_sec) + Double(time.tv_nsec / 1_000_000) / 1000)
  }
}
