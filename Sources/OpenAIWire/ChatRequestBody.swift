import Bytes
public import JSON
public import ProviderAPI

/// Writes the body of `POST …/chat/completions`: `prv.chat/1` in, the provider's dialect out.
///
/// Whatever needs no change is copied as it stands. The upstream is always asked for a stream: only so it can be
/// cancelled (a server finishes an answer that is not streamed although its client left).
public struct ChatRequestBody {
  let body: JSONView
  let model: String
  let dialect: Dialect
  /// More messages for the end of the conversation: JSON objects, separated by commas.
  let continuation: [UInt8]
  private let patchbay: JSONView?

  /// - Throws: `.unsupported` for what the dialect has no words for.
  public static func write(
    _ body: JSONView, model: String, in dialect: Dialect, continuing continuation: [UInt8] = []
  ) throws(ProviderError) -> [UInt8] {
    let writer = ChatRequestBody(body: body, model: model, dialect: dialect, continuation: continuation)
    var buffer = ByteBuffer(capacity: body.bytes.count + continuation.count + 512)
    try writer.write(to: &buffer)
    return buffer.copy()
  }

  init(body: JSONView, model: String, dialect: Dialect, continuation: [UInt8]) {
    self.body = body
    self.model = model
    self.dialect = dialect
    self.continuation = continuation
    patchbay = body["patchbay"]
  }

  private func write(to buffer: inout ByteBuffer) throws(ProviderError) {
    buffer.append("{\"model\":")
    buffer.appendJSON(string: model)
    buffer.append(",\"stream\":true")
    if dialect.asksForUsage { buffer.append(",\"stream_options\":{\"include_usage\":true}") }
    let choice = try toolChoice()
    for (key, value) in body.members() where !value.isNull { write(key, value, choice, to: &buffer) }
    try writeTools(choice, to: &buffer)
    writeThinking(to: &buffer)
    writeSession(to: &buffer)
    buffer.append("}")
  }

  private func write(_ key: JSONView, _ value: JSONView, _ choice: ToolChoice, to buffer: inout ByteBuffer) {
    switch Member(key) {
    case .ours, .tools: return
    case .messages: writeMessages(value, to: &buffer)
    case .maximumTokens:
      buffer.appendMember(dialect.maximumTokensMember)
      buffer.append(value.bytes)
    case .olderMaximumTokens:
      // The newer name wins when a client sends both.
      guard body["max_completion_tokens"] == nil else { return }
      buffer.appendMember(dialect.maximumTokensMember)
      buffer.append(value.bytes)
    case .sampling: writeSampling(key, value, to: &buffer)
    case .toolChoice: if case .asked = choice { buffer.appendMember(key, value) }
    case .other: buffer.appendMember(key, value)
    }
  }

  /// What the body's members are to this writer.
  private enum Member {
    case ours, messages, maximumTokens, olderMaximumTokens, sampling, tools, toolChoice, other

    init(_ key: JSONView) {
      if key.equals("messages") {
        self = .messages
      } else if key.equals("max_tokens") {
        self = .olderMaximumTokens
      } else if key.equals("max_completion_tokens") {
        self = .maximumTokens
      } else if Self.has(key, "temperature", "top_p", "presence_penalty", "frequency_penalty") {
        self = .sampling
      } else if key.equals("tools") {
        self = .tools
      } else if key.equals("tool_choice") {
        self = .toolChoice
      } else if Self.has(key, "patchbay", "model", "stream", "stream_options", "n", "tool_stream") {
        self = .ours
      } else {
        self = .other
      }
    }

    private static func has(_ key: JSONView, _ names: StaticString...) -> Bool { names.contains { key.equals($0) } }
  }

  // MARK: - Sampling

  private func writeSampling(_ key: JSONView, _ value: JSONView, to buffer: inout ByteBuffer) {
    switch dialect.sampling {
    case .fixed: return
    case .free: buffer.appendMember(key, value)
    case .bounded(let temperature, let topP):
      let range = key.equals("temperature") ? temperature : key.equals("top_p") ? topP : nil
      guard let range, let number = value.double(), !range.contains(number) else {
        buffer.appendMember(key, value)
        return
      }
      buffer.appendMember(key)
      buffer.appendJSON(double: min(max(number, range.lowerBound), range.upperBound))
    }
  }

  // MARK: - Tools

  private enum ToolChoice {
    case notAsked
    case asked
    /// The dialect cannot say `none`, so the tools stay out.
    case withoutTools
  }

  private func toolChoice() throws(ProviderError) -> ToolChoice {
    guard let choice = body["tool_choice"], !choice.isNull else { return .notAsked }
    guard case .automatic = dialect.toolChoice, !choice.equals("auto") else { return .asked }
    if choice.equals("none") { return .withoutTools }
    throw ProviderError(
      .unsupported, "the provider lets its models choose their tools themselves: tool_choice must be auto or none",
      isRetryable: false)
  }

  private func writeTools(_ choice: ToolChoice, to buffer: inout ByteBuffer) throws(ProviderError) {
    let search = try webSearchTool()
    var asked = body["tools"]?.elements()
    if case .withoutTools = choice { asked = nil }
    var separator: StaticString = ",\"tools\":["
    while let tool = asked?.next() {
      buffer.append(separator)
      buffer.append(tool.bytes)
      separator = ","
    }
    if let search {
      buffer.append(separator)
      buffer.append(search)
      separator = ","
    }
    guard separator.utf8CodeUnitCount == 1 else { return }
    buffer.append("]")
    if dialect.asksForToolStream { buffer.append(",\"tool_stream\":true") }
  }

  private func webSearchTool() throws(ProviderError) -> String? {
    guard patchbay?["web_search"]?.bool() ?? false else { return nil }
    guard let tool = dialect.webSearchTool else {
      throw ProviderError(.unsupported, "the provider has no web search", isRetryable: false)
    }
    return tool
  }

  // MARK: - Thinking and session

  private func writeThinking(to buffer: inout ByteBuffer) {
    guard let level = patchbay?["thinking"] else { return }
    switch dialect.thinking {
    case .notAsked: return
    case .toggled:
      let word: StaticString = level.equals("minimal") ? "disabled" : "enabled"
      buffer.append(",\"thinking\":{\"type\":\"")
      buffer.append(word)
      buffer.append("\"}")
    case .effort(let effort):
      guard let word = effort.word(for: level) else { return }
      buffer.append(",\"reasoning_effort\":\"")
      buffer.append(word)
      buffer.append("\"")
    }
  }

  private func writeSession(to buffer: inout ByteBuffer) {
    guard let member = dialect.sessionMember, let session = patchbay?["session"], session.kind == .string else {
      return
    }
    buffer.appendMember(member)
    buffer.append(session.bytes)
  }
}

extension Dialect.Effort {
  func word(for level: JSONView) -> StaticString? {
    if level.equals("minimal") { return minimal }
    if level.equals("low") { return low }
    if level.equals("medium") { return medium }
    if level.equals("high") { return high }
    if level.equals("max") { return max }
    return nil
  }
}

extension ByteBuffer {
  /// Appends `,"name":`.
  mutating func appendMember(_ name: StaticString) {
    append(",\"")
    append(name)
    append("\":")
  }

  /// Appends `,"key":` as the key stands.
  mutating func appendMember(_ key: JSONView) {
    append(",")
    append(key.bytes)
    append(":")
  }

  mutating func appendMember(_ key: JSONView, _ value: JSONView) {
    appendMember(key)
    append(value.bytes)
  }
}
