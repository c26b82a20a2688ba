import Bytes
import CProviderABI

/// Where a chat's answer goes, piece by piece.
///
/// Each function hands one event to the host, waits while the client is slow, and throws `.cancelled` once nobody
/// listens. Pieces may be split anywhere, also inside a character: the stream holds back what is incomplete and joins
/// it with the next piece (PRV-R007). `finish` consumes the stream, so nothing can follow it.
public struct ChatStream: ~Copyable, @unchecked Sendable {  // owned by one task at a time, as it cannot be copied
  private let call: Call
  private var holdback = CharacterHoldback()

  init(call: Call) { self.call = call }

  public var context: CallContext { CallContext(call: call) }

  // MARK: - Pieces of the answer

  public mutating func text(_ piece: String) async throws(ProviderError) {
    try await emit(PRV_EVENT_TEXT, piece)
  }

  /// UTF-8 that may end inside a character; copied before this returns.
  public mutating func text(_ piece: UnsafeRawBufferPointer) async throws(ProviderError) {
    try await emit(PRV_EVENT_TEXT, piece)
  }

  public mutating func reasoning(_ piece: String) async throws(ProviderError) {
    try await emit(PRV_EVENT_REASONING, piece)
  }

  /// UTF-8 that may end inside a character; copied before this returns.
  public mutating func reasoning(_ piece: UnsafeRawBufferPointer) async throws(ProviderError) {
    try await emit(PRV_EVENT_REASONING, piece)
  }

  public mutating func refusal(_ piece: String) async throws(ProviderError) {
    try await emit(PRV_EVENT_REFUSAL, piece)
  }

  /// UTF-8 that may end inside a character; copied before this returns.
  public mutating func refusal(_ piece: UnsafeRawBufferPointer) async throws(ProviderError) {
    try await emit(PRV_EVENT_REFUSAL, piece)
  }

  /// Begins tool call number `index`, counted from 0.
  public mutating func toolCall(_ index: Int, id: String, name: String) async throws(ProviderError) {
    try await call.settle(
      withEvent(PRV_EVENT_TOOL_CALL, index: index, id: id, name: name) { call.emit(&$0) })
  }

  /// A piece of the JSON arguments of tool call `index`.
  public mutating func toolArguments(_ index: Int, _ piece: String) async throws(ProviderError) {
    try await emit(PRV_EVENT_TOOL_ARGUMENTS, index: index, piece)
  }

  /// UTF-8 that may end inside a character; copied before this returns.
  public mutating func toolArguments(_ index: Int, _ piece: UnsafeRawBufferPointer) async throws(ProviderError) {
    try await emit(PRV_EVENT_TOOL_ARGUMENTS, index: index, piece)
  }

  // MARK: - Facts about the answer

  /// Tokens as the provider counts them; the last report counts.
  public mutating func usage(_ usage: TokenUsage) async throws(ProviderError) {
    var counts = prv_usage.sized()
    counts.input_tokens = usage.inputTokens
    counts.output_tokens = usage.outputTokens
    counts.cached_input_tokens = usage.cachedInputTokens
    counts.reasoning_tokens = usage.reasoningTokens
    let status = withUnsafePointer(to: counts) { counts in
      var event = prv_event()
      event.kind = PRV_EVENT_USAGE
      event.usage = counts
      return call.emit(&event)
    }
    if status != PRV_OK { try await call.settle(status) }
  }

  /// The model that the upstream says it used.
  public mutating func modelUsed(_ model: String) async throws(ProviderError) {
    try await call.settle(withEvent(PRV_EVENT_MODEL_USED, name: model) { call.emit(&$0) })
  }

  /// Something beside the text: what it is (`web_search`), and its JSON.
  public mutating func annotation(_ name: String, json: String) async throws(ProviderError) {
    try await call.settle(withEvent(PRV_EVENT_ANNOTATION, text: json, name: name) { call.emit(&$0) })
  }

  /// One model of the catalogue (call kind MODELS).
  mutating func model(_ model: ModelDescription) async throws(ProviderError) {
    var json = ByteBuffer()
    json.appendJSON(model: model)
    try await emit(PRV_EVENT_MODEL, json.string())
  }

  /// Ends the answer: call it only when the upstream's end was really seen (PRV-R008), else throw.
  ///
  /// A character that never became whole is shown as U+FFFD.
  public consuming func finish(_ reason: FinishReason) -> ChatEnd {
    holdback.flush { kind, index in
      _ = withEvent(kind, index: Int(index), text: "\u{FFFD}") { call.emit(&$0) }
    }
    // Whatever the host answers, this is the last event: a cancel that crosses it ends the call just as well.
    _ = withEvent(PRV_EVENT_FINISH, name: reason.rawValue) { call.emit(&$0) }
    return ChatEnd()
  }

  // MARK: - Emitting

  private mutating func emit(_ kind: UInt32, index: Int = 0, _ piece: String) async throws(ProviderError) {
    // A String is whole characters: it needs no look at its end unless half a character waits before it.
    var piece = piece
    let status = piece.withUTF8 {
      emitWhole(kind, UInt32(clamping: index), UnsafeRawBufferPointer($0), endsWhole: true)
    }
    if status != PRV_OK { try await call.settle(status) }
  }

  private mutating func emit(_ kind: UInt32, index: Int = 0, _ piece: UnsafeRawBufferPointer)
    async throws(ProviderError)
  {
    let status = emitWhole(kind, UInt32(clamping: index), piece, endsWhole: false)
    if status != PRV_OK { try await call.settle(status) }
  }

  private mutating func emitWhole(_ kind: UInt32, _ index: UInt32, _ piece: UnsafeRawBufferPointer, endsWhole: Bool)
    -> Int32
  {
    let call = call
    func send(_ whole: UnsafeRawBufferPointer) -> Int32 {
      if whole.isEmpty { return PRV_OK }
      var event = prv_event()
      event.kind = kind
      event.index = index
      event.text = prv_str(whole)
      return call.emit(&event)
    }
    if endsWhole, holdback.isEmpty { return send(piece) }
    return holdback.join(kind, index, piece, send)
  }
}

/// Proof that an answer was finished; only `ChatStream.finish` makes one.
public struct ChatEnd: ~Copyable, Sendable {
  fileprivate init() {}
}

/// Why an answer ended.
public enum FinishReason: Sendable, Equatable {
  case stop
  case length
  case toolCalls
  case contentFilter
  /// The provider's own word.
  case other(String)

  public var rawValue: String {
    switch self {
    case .stop: "stop"
    case .length: "length"
    case .toolCalls: "tool_calls"
    case .contentFilter: "content_filter"
    case .other(let word): word
    }
  }

  public init(rawValue: String) {
    switch rawValue {
    case "stop": self = .stop
    case "length": self = .length
    case "tool_calls": self = .toolCalls
    case "content_filter": self = .contentFilter
    default: self = .other(rawValue)
    }
  }
}

/// Tokens as the provider counts them.
public struct TokenUsage: Hashable, Sendable {
  public var inputTokens: UInt64
  public var outputTokens: UInt64
  public var cachedInputTokens: UInt64
  public var reasoningTokens: UInt64

  public init(inputTokens: UInt64, outputTokens: UInt64, cachedInputTokens: UInt64 = 0, reasoningTokens: UInt64 = 0) {
    self.inputTokens = inputTokens
    self.outputTokens = outputTokens
    self.cachedInputTokens = cachedInputTokens
    self.reasoningTokens = reasoningTokens
  }
}

/// Makes an event of strings that live during `body`.
private func withEvent<Result>(
  _ kind: UInt32, index: Int = 0, text: String = "", id: String = "", name: String = "",
  _ body: (inout prv_event) -> Result
) -> Result {
  var (text, id, name) = (text, id, name)
  return text.withUTF8 { text in
    id.withUTF8 { id in
      name.withUTF8 { name in
        var event = prv_event()
        event.kind = kind
        event.index = UInt32(clamping: index)
        event.text = prv_str(text)
        event.id = prv_str(id)
        event.name = prv_str(name)
        return body(&event)
      }
    }
  }
}
