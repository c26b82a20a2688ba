import Bytes
import JSON

extension ChatRequestBody {
  /// Writes the conversation: as it stands when the dialect takes it so, else message by message.
  func writeMessages(_ messages: JSONView, to buffer: inout ByteBuffer) {
    buffer.appendMember("messages")
    guard messages.kind == .array, needsLook || !continuation.isEmpty else {
      buffer.append(messages.bytes)
      return
    }
    buffer.append("[")
    var isFirst = true
    for message in messages.elements() {
      if !isFirst { buffer.append(",") }
      isFirst = false
      write(message, to: &buffer)
    }
    if !continuation.isEmpty {
      if !isFirst { buffer.append(",") }
      buffer.append(continuation)
    }
    buffer.append("]")
  }

  /// Whether any message may have to change.
  private var needsLook: Bool {
    !dialect.returnsReasoning || !dialect.knowsDeveloperRole || dialect.refusesEmptyContent
  }

  private func write(_ message: JSONView, to buffer: inout ByteBuffer) {
    let dropsReasoning = !dialect.returnsReasoning && message["reasoning_content"] != nil
    let renamesRole = !dialect.knowsDeveloperRole && (message["role"]?.equals("developer") ?? false)
    let dropsContent = dialect.refusesEmptyContent && Self.isOnlyToolCalls(message)
    guard dropsReasoning || renamesRole || dropsContent else {
      buffer.append(message.bytes)
      return
    }
    var separator: StaticString = "{"
    for (key, value) in message.members() {
      if dropsReasoning, key.equals("reasoning_content") { continue }
      if dropsContent, key.equals("content") { continue }
      buffer.append(separator)
      separator = ","
      buffer.append(key.bytes)
      buffer.append(":")
      if renamesRole, key.equals("role") {
        buffer.append("\"system\"")
      } else {
        buffer.append(value.bytes)
      }
    }
    buffer.append(separator.utf8CodeUnitCount == 1 && separator.utf8Start.pointee == 0x7B ? "{}" : "}")
  }

  /// Whether a message has tool calls, and content without a word in it.
  private static func isOnlyToolCalls(_ message: JSONView) -> Bool {
    guard let calls = message["tool_calls"], calls[0] != nil, let content = message["content"] else { return false }
    switch content.kind {
    case .string: return content.equals("")
    case .array:
      return content.elements().allSatisfy { part in
        (part["type"]?.equals("text") ?? false) && (part["text"]?.equals("") ?? true)
      }
    default: return false
    }
  }
}
