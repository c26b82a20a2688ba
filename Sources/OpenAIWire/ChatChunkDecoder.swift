import Bytes
import JSON
public import ProviderAPI

/// What a piece of an answer says. Texts are ranges of the decoder's own memory (`ChatChunkDecoder.bytes`).
public enum ChatEvent: Equatable, Sendable {
  case text(Range<Int>)
  case reasoning(Range<Int>)
  case refusal(Range<Int>)
  /// Begins tool call number n.
  case toolCall(Int, id: String, name: String)
  case toolArguments(Int, Range<Int>)
  case modelUsed(String)
  case annotation(String, Range<Int>)
}

/// Reads an answer in the OpenAI chat format, chunk by chunk: the data of events in, what they say out.
///
/// Its end is seen only when a finish reason came, and `[DONE]` where the dialect wants it; `end` throws for any other
/// answer, so that one that was cut is never taken for a whole one.
public struct ChatChunkDecoder: ~Copyable {
  private let dialect: Dialect
  private var text = ByteBuffer()
  private var unfiltered = ByteBuffer()
  private var filter: MarkerFilter
  private var calls: ToolCallAssembly
  private var model = ""
  private var ending = Ending.open

  private enum Ending {
    case open
    case reasoned(FinishReason)
    case done(FinishReason?)
  }

  /// What the last piece said.
  public private(set) var events: [ChatEvent] = []
  /// The last count of tokens.
  public private(set) var usage: TokenUsage?

  public init(_ dialect: Dialect) {
    self.dialect = dialect
    filter = MarkerFilter(dialect.removedMarkers)
    calls = ToolCallAssembly(echoedTool: dialect.echoedTool)
  }

  /// The text of an event of the last piece. Valid until the next piece.
  public func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: text.readable[range])
  }

  public var echoedCalls: [EchoedCall] { calls.echoedCalls }
  public var shownCallCount: Int { calls.shownCount }

  /// Whether the end was seen, so that whatever still happens to the connection takes nothing from the answer.
  public var hasEnded: Bool {
    switch ending {
    case .open, .done(nil): false
    case .reasoned: !dialect.requiresDone
    case .done: true
    }
  }

  // MARK: - Pieces

  /// Takes the data of one event of the stream.
  ///
  /// - Throws: the error that the upstream wrote into its stream; `.badResponse` for what is no chunk.
  public mutating func decode(_ data: UnsafeRawBufferPointer) throws(ProviderError) {
    beginPiece()
    if data.elementsEqual("[DONE]".utf8) {
      takeDone()
    } else {
      try take(Self.parse(data), answer: "delta")
    }
  }

  /// Takes a whole answer, of a server that did not stream.
  public mutating func decodeWhole(_ body: UnsafeRawBufferPointer) throws(ProviderError) {
    beginPiece()
    try take(Self.parse(body), answer: "message")
    takeDone()
  }

  /// The end of the answer; afterwards `events` has what was held back until now.
  ///
  /// - Throws: `.network` when the upstream stopped before its end, `.badResponse` when it left a tool call unnamed.
  public mutating func end() throws(ProviderError) -> FinishReason {
    beginPiece()
    takeHeldText()
    switch ending {
    case .reasoned(let reason) where !dialect.requiresDone: return try checked(reason)
    case .done(let reason?): return try checked(reason)
    case .done(nil): throw Self.cut("[DONE] came without a finish_reason")
    case .reasoned: throw Self.cut("a finish_reason came, but no [DONE]")
    case .open: throw Self.cut("no finish_reason came")
    }
  }

  private func checked(_ reason: FinishReason) throws(ProviderError) -> FinishReason {
    guard !calls.hasUnnamedCall else { throw ProviderError(.badResponse, "the answer has a tool call without a name") }
    return reason
  }

  private static func cut(_ found: StaticString) -> ProviderError {
    ProviderError(.network, "the upstream's answer stopped before its end: \(found)", isRetryable: true)
  }

  private mutating func beginPiece() {
    events.removeAll(keepingCapacity: true)
    text.removeAll(keeping: 64 << 10)
  }

  private static func parse(_ bytes: UnsafeRawBufferPointer) throws(ProviderError) -> JSONView {
    let json: JSONView
    do throws(JSONError) {
      json = try JSONView(parsing: bytes)
    } catch {
      throw ProviderError(
        .badResponse, "expected a chunk of a chat completion: \(error.reason) at byte \(error.offset)")
    }
    guard json.kind == .object else {
      throw ProviderError(.badResponse, "expected a chunk of a chat completion, got \(json.kind)")
    }
    return json
  }

  // MARK: - Members

  private mutating func take(_ chunk: JSONView, answer: StaticString) throws(ProviderError) {
    var choices: JSONView?
    for (key, value) in chunk.members() where !value.isNull {
      if key.equals("choices") {
        choices = value
      } else if key.equals("usage") {
        takeUsage(value)
      } else if key.equals("model") {
        takeModel(value)
      } else if key.equals("error") {
        throw dialect.errors.error(inAnswer: chunk)
      } else if key.equals("object"), value.equals("error") {
        throw dialect.errors.error(inAnswer: chunk)
      } else if let name = dialect.annotations.first(where: { key.equals($0) }) {
        takeAnnotation("\(name)", value)
      }
    }
    guard let choices else { return }
    // Only one choice is ever asked for.
    for choice in choices.elements() where choice["index"].map({ $0.int() == 0 || $0.isNull }) ?? true {
      try takeChoice(choice, answer: answer)
    }
  }

  private mutating func takeChoice(_ choice: JSONView, answer: StaticString) throws(ProviderError) {
    var reason: JSONView?
    for (key, value) in choice.members() where !value.isNull {
      if key.equals(answer) {
        try takeDelta(value)
      } else if key.equals("finish_reason") {
        reason = value
      } else if key.equals("usage") {
        takeUsage(value)
      }
    }
    // After the delta: what it says still belongs to the answer, wherever the reason stands.
    if let word = reason?.string(), !word.isEmpty { try takeFinish(word) }
  }

  private mutating func takeDelta(_ delta: JSONView) throws(ProviderError) {
    var reasoning: JSONView?
    for (key, value) in delta.members() where !value.isNull {
      if key.equals("content") {
        takeText(value)
      } else if key.equals("reasoning_content") || (key.equals("reasoning") && reasoning == nil) {
        // Servers that write both write the same text twice.
        reasoning = value
      } else if key.equals("tool_calls") {
        for call in value.elements() { try calls.take(call, &events, &text) }
      } else if key.equals("refusal") {
        if let piece = append(value) { events.append(.refusal(piece)) }
      }
    }
    if let reasoning, let piece = append(reasoning) { events.append(.reasoning(piece)) }
  }

  private mutating func takeText(_ content: JSONView) {
    if content.kind == .array {
      for part in content.elements() where part["type"]?.equals("text") ?? false {
        if let text = part["text"] { takeText(text) }
      }
      return
    }
    guard !filter.isIdle else {
      if let piece = append(content) { events.append(.text(piece)) }
      return
    }
    let start = text.count
    unfiltered.removeAll(keeping: 64 << 10)
    content.appendString(to: &unfiltered)
    filter.pass(unfiltered.readable, to: &text)
    if text.count > start { events.append(.text(start..<text.count)) }
  }

  private mutating func takeHeldText() {
    let start = text.count
    filter.finish(to: &text)
    if text.count > start { events.append(.text(start..<text.count)) }
  }

  /// The content of a string, put into `text`; nil when there is none.
  private mutating func append(_ string: JSONView) -> Range<Int>? {
    let start = text.count
    string.appendString(to: &text)
    return text.count > start ? start..<text.count : nil
  }

  private mutating func takeUsage(_ value: JSONView) {
    if let counted = TokenUsage(json: value) { usage = counted }
  }

  private mutating func takeModel(_ value: JSONView) {
    guard !value.equals(model), let name = value.string(), !name.isEmpty else { return }
    model = name
    events.append(.modelUsed(name))
  }

  private mutating func takeAnnotation(_ name: String, _ value: JSONView) {
    let start = text.count
    text.append(value.bytes)
    events.append(.annotation(name, start..<text.count))
  }

  // MARK: - End

  private mutating func takeFinish(_ word: String) throws(ProviderError) {
    let meaning = dialect.finishRules.first { "\($0.word)" == word }?.meaning ?? .ends(FinishReason(rawValue: word))
    switch meaning {
    case .ends(let reason): ending = .reasoned(reason)
    case .fails(let code, let message):
      throw ProviderError(code, "\(message)", providerCode: word, isRetryable: true)
    }
  }

  private mutating func takeDone() {
    if case .reasoned(let reason) = ending {
      ending = .done(reason)
    } else if case .open = ending {
      ending = .done(nil)
    }
  }
}
