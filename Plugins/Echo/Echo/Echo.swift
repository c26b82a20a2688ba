public import ProviderAPI

/// Answers with the words it was asked: a provider without a network, for a first run, tutorials and benchmarks.
public final class Echo: Provider {
  public static let descriptor = ProviderDescriptor(
    id: "echo", displayName: "Echo", capabilities: [.chat, .stream, .listModels, .checkHealth],
    settingsSchema: """
      {"type": "object", "properties": {
        "chunk_characters": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 16},
        "delay_ms": {"type": "integer", "minimum": 0, "maximum": 3600000, "default": 0}}}
      """,
    temperatureMax: 1, models: [model])

  private static let model = ModelDescription(
    id: "echo-1", aliases: ["echo"], contextTokens: 1_000_000, outputTokens: 1_000_000)

  /// The length of a piece of a streamed answer.
  private let chunkCharacters: Int
  /// How long to wait before each piece.
  private let delayNanoseconds: UInt64

  public init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError) {
    chunkCharacters = Int(try settings.integer("chunk_characters", in: 1...1_000_000, default: 16))
    delayNanoseconds = UInt64(try settings.integer("delay_ms", in: 0...3_600_000, default: 0)) * 1_000_000
  }

  public func chat(_ request: ChatRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    var question = ""
    var usage = TokenUsage(inputTokens: 0, outputTokens: 0)
    for message in request.messages {
      let text = message.text
      let tokens = Self.tokens(in: text)
      usage.inputTokens += tokens
      guard message.role == .user else { continue }
      question = text
      usage.outputTokens = tokens
    }

    var rest = question[...]
    while !rest.isEmpty {
      if delayNanoseconds > 0 { try await stream.context.sleep(nanoseconds: delayNanoseconds) }
      let piece = request.wantsStream ? rest.prefix(chunkCharacters) : rest
      try await stream.text(String(piece))
      rest = rest[piece.endIndex...]
    }
    try await stream.usage(usage)
    return stream.finish(.stop)
  }

  public func models(_ context: CallContext) async throws(ProviderError) -> [ModelDescription]? { [Self.model] }

  /// Four bytes stand for a token, the usual rule of thumb for English.
  private static func tokens(in text: String) -> UInt64 { UInt64((text.utf8.count + 3) / 4) }
}
