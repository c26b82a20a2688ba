public import OpenAIWire
public import ProviderAPI

/// Any server that speaks the OpenAI chat format: OpenAI itself, llama.cpp, vLLM, Ollama, OpenRouter and others.
///
/// Read this provider first, and copy it to make another: a descriptor, a dialect, and nothing else.
public final class OpenAICompatible: OpenAIProvider {
  public static let descriptor = ProviderDescriptor(
    id: "openai-compatible", displayName: "OpenAI-compatible",
    capabilities: [.chat, .stream, .tools, .images, .thinking, .listModels, .checkHealth, .json],
    settingsSchema: """
      {"type": "object", "properties": {
        "max_tokens_member": {"enum": ["max_tokens", "max_completion_tokens"], "default": "max_tokens"},
        "key_header": {"type": "string", "default": ""},
        "ask_for_usage": {"type": "boolean", "default": true},
        "return_reasoning": {"type": "boolean", "default": true},
        "require_done": {"type": "boolean", "default": false}}}
      """,
    requiredServices: ["prv.http/1"], temperatureMax: 2)

  public let endpoint: Endpoint
  public let configuredModels: [ModelDescription]?
  private let dialect: Dialect

  public init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError) {
    var endpoint = try Endpoint(settings, defaultPath: "/v1")
    let keyHeader = try settings.string("key_header", default: "")
    if settings.hasKey, !keyHeader.isEmpty { endpoint.auth = .apiKey(.header(keyHeader)) }
    self.endpoint = endpoint
    configuredModels = try ModelList.configured(settings)
    dialect = try Self.dialect(settings)
  }

  public func dialect(for model: String) -> Dialect { dialect }

  private static func dialect(_ settings: ProviderSettings) throws(ProviderError) -> Dialect {
    var dialect = Dialect()
    switch try settings.string("max_tokens_member", default: "max_tokens") {
    case "max_tokens": dialect.maximumTokensMember = "max_tokens"
    case "max_completion_tokens": dialect.maximumTokensMember = "max_completion_tokens"
    case let other:
      throw ProviderError(
        .invalidArgument, "max_tokens_member must be max_tokens or max_completion_tokens, got \(other)")
    }
    // The format knows no level above high.
    dialect.thinking = .effort(
      Dialect.Effort(minimal: "minimal", low: "low", medium: "medium", high: "high", max: "high"))
    dialect.asksForUsage = try settings.bool("ask_for_usage", default: true)
    dialect.returnsReasoning = try settings.bool("return_reasoning", default: true)
    dialect.requiresDone = try settings.bool("require_done", default: false)
    return dialect
  }
}
