import Bytes
import JSON

/// What a provider has said of its answer so far, joined: for the terminal frame, whatever the outcome.
struct CallAnswer: ~Copyable {
  /// Bytes of text, reasoning and arguments that one answer may have; a provider that sends more has failed.
  static let bytesLimit = 16 << 20
  static let toolCallsLimit = 128

  struct ToolCall {
    var id: String
    var name: String
    var arguments: String
  }

  private(set) var text = ByteBuffer()
  private(set) var reasoning = ByteBuffer()
  private(set) var toolCalls: [ToolCall] = []
  private(set) var finishReason: String?
  private(set) var modelUsed: String?
  private(set) var usage: TokenUsage?
  private var argumentBytes = 0

  /// Whether any piece of the answer came.
  var hasContent: Bool { !text.isEmpty || !reasoning.isEmpty || !toolCalls.isEmpty }

  /// What the caller must do with an event.
  enum Effect: Equatable {
    /// A piece of the answer: it moves the progress clock and goes to a client that streams.
    case delta
    case noted
    case ignored
    case refused(String)
  }

  /// Takes one event. After the finish only usage and the model are still noted.
  mutating func take(_ event: ProviderEvent) -> Effect {
    switch event.kind {
    case .text, .refusal:
      guard !event.text.isEmpty else { return .ignored }
      guard finishReason == nil else { return .refused("text after the finish reason") }
      guard fits(event.text.count) else { return tooLarge }
      text.append(event.text)
      return .delta
    case .reasoning:
      guard !event.text.isEmpty else { return .ignored }
      guard finishReason == nil else { return .refused("reasoning after the finish reason") }
      guard fits(event.text.count) else { return tooLarge }
      reasoning.append(event.text)
      return .delta
    case .toolCall: return begin(event)
    case .toolArguments: return append(event)
    case .usage:
      usage = event.usage ?? usage
      return .noted
    case .finish:
      guard finishReason == nil else { return .refused("a second finish reason") }
      finishReason = String(decoding: event.name.prefix(100), as: UTF8.self)
      return .noted
    case .modelUsed:
      modelUsed = String(decoding: event.name.prefix(200), as: UTF8.self)
      return .noted
    case .model, .annotation: return .ignored
    }
  }

  private mutating func begin(_ event: ProviderEvent) -> Effect {
    guard finishReason == nil else { return .refused("a tool call after the finish reason") }
    guard Int(event.index) == toolCalls.count, toolCalls.count < Self.toolCallsLimit else {
      return .refused("tool call number \(event.index), expected \(toolCalls.count)")
    }
    guard fits(event.id.count + event.name.count) else { return tooLarge }
    argumentBytes += event.id.count + event.name.count
    toolCalls.append(
      ToolCall(
        id: String(decoding: event.id, as: UTF8.self), name: String(decoding: event.name, as: UTF8.self),
        arguments: ""))
    return .delta
  }

  private mutating func append(_ event: ProviderEvent) -> Effect {
    guard !event.text.isEmpty else { return .ignored }
    guard finishReason == nil else { return .refused("tool arguments after the finish reason") }
    guard toolCalls.indices.contains(Int(event.index)) else {
      return .refused("arguments for tool call \(event.index), which was not begun")
    }
    guard fits(event.text.count) else { return tooLarge }
    argumentBytes += event.text.count
    toolCalls[Int(event.index)].arguments += String(decoding: event.text, as: UTF8.self)
    return .delta
  }

  private func fits(_ bytes: Int) -> Bool {
    bytes <= Self.bytesLimit && text.count + reasoning.count + argumentBytes <= Self.bytesLimit - bytes
  }

  private var tooLarge: Effect { .refused("an answer of more than \(Self.bytesLimit) bytes") }
}
