import Bytes
import JSON
import OpenAIWire
import ProviderAPI

/// Moonshot's own web search: the model calls `$web_search`, and the search happens once the call is answered with its
/// own arguments. Decides what to send next; `Kimi` does the exchanges.
struct WebSearch {
  static let toolName = "$web_search"
  static let tool = #"{"type":"builtin_function","function":{"name":"$web_search"}}"#
  /// Searching answers of one call. With the final one they stay below the host's 8 exchanges.
  static let roundLimit = 6

  /// Whether reasoning without a word goes back too: for a thinking model, empty is not absent.
  let returnsEmptyReasoning: Bool
  /// The searching answers so far and their results: messages for the end of the conversation.
  private(set) var continuation: [UInt8] = []
  private var rounds = 0

  init(returnsEmptyReasoning: Bool) { self.returnsEmptyReasoning = returnsEmptyReasoning }

  /// Whether another exchange must follow `round`.
  ///
  /// An answer that also calls the client's tools ends the call: the client has to go on.
  ///
  /// - Throws: `.limit` when the model does not stop searching.
  mutating func goesOn(after round: ChatRound) throws(ProviderError) -> Bool {
    guard round.reason == .toolCalls, !round.echoedCalls.isEmpty, round.shownCallCount == 0 else { return false }
    guard rounds < Self.roundLimit else {
      throw ProviderError(
        .limit, "the model was still searching the web after \(Self.roundLimit) rounds", isRetryable: false)
    }
    rounds += 1
    var buffer = ByteBuffer()
    if !continuation.isEmpty { buffer.append(",") }
    buffer.append(searching: round, withEmptyReasoning: returnsEmptyReasoning)
    for call in round.echoedCalls { buffer.append(resultOf: call) }
    continuation += buffer.readable
    return true
  }
}

extension ByteBuffer {
  /// The assistant's message, as it came.
  fileprivate mutating func append(searching round: ChatRound, withEmptyReasoning: Bool) {
    append("{\"role\":\"assistant\"")
    // Empty content beside tool calls is refused.
    if !round.text.isEmpty {
      append(",\"content\":")
      append(quoting: round.text)
    }
    if withEmptyReasoning || !round.reasoning.isEmpty {
      append(",\"reasoning_content\":")
      append(quoting: round.reasoning)
    }
    append(",\"tool_calls\":[")
    for (index, call) in round.echoedCalls.enumerated() {
      if index > 0 { append(",") }
      append("{\"id\":")
      appendJSON(string: call.id)
      append(",\"type\":\"builtin_function\",\"function\":{\"name\":")
      appendJSON(string: call.name)
      append(",\"arguments\":")
      appendJSON(string: call.arguments)
      append("}}")
    }
    append("]}")
  }

  /// The call's own arguments as its result.
  fileprivate mutating func append(resultOf call: EchoedCall) {
    append(",{\"role\":\"tool\",\"tool_call_id\":")
    appendJSON(string: call.id)
    append(",\"name\":")
    appendJSON(string: call.name)
    append(",\"content\":")
    appendJSON(string: call.arguments)
    append("}")
  }

  private mutating func append(quoting utf8: [UInt8]) { utf8.withUnsafeBytes { appendJSON(utf8: $0) } }
}
