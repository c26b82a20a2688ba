import JSON
public import OpenAIWire
public import ProviderAPI

/// Moonshot's Kimi: what differs from the plain format.
public final class Kimi: OpenAIProvider {
  static let defaultBase = "https://api.moonshot.ai/v1"

  public static let descriptor = ProviderDescriptor(
    id: "kimi", displayName: "Moonshot Kimi",
    capabilities: [.chat, .stream, .tools, .images, .thinking, .webSearch, .listModels, .checkHealth, .json],
    needsKey: true, defaultBaseURL: defaultBase, requiredServices: ["prv.http/1"], temperatureMax: 1,
    models: KimiModels.catalogue)

  public let endpoint: Endpoint
  public let configuredModels: [ModelDescription]?
  private let errors: ErrorMapping

  public init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError) {
    endpoint = try Endpoint(settings, defaultBase: Self.defaultBase, defaultPath: "/v1")
    configuredModels = try ModelList.configured(settings)
    errors = KimiErrors.mapping(origin: endpoint.base.origin)
  }

  public func dialect(for model: String) -> Dialect {
    let family = KimiFamily(model)
    var dialect = Dialect()
    dialect.maximumTokensMember = "max_completion_tokens"
    dialect.sampling = family.hasFixedSampling ? .fixed : .free
    dialect.thinking = family.thinking
    dialect.webSearchTool = WebSearch.tool
    dialect.sessionMember = "prompt_cache_key"
    dialect.knowsDeveloperRole = false
    dialect.refusesEmptyContent = true
    dialect.errors = errors
    return dialect
  }

  public static let tools = KimiTools.all

  public func callTool(_ request: ToolRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    let files = OpenAIFiles(endpoint, errors)
    switch request.name {
    case KimiTools.upload.name: return try await KimiTools.upload(request, files, to: stream)
    case KimiTools.manage.name: return try await KimiTools.manage(request, files, to: stream)
    default:
      let body = try await KimiTools.chatBody(request, files)
      let model = request.text("model") ?? KimiModels.catalogue[0].id
      let dialect = dialect(for: model)
      let text = try body.withUnsafeBufferPointer { (body) throws(ProviderError) in
        try ChatRequestBody.write(JSONView(validated: UnsafeRawBufferPointer(body)), model: model, in: dialect)
      }
      var chat = OpenAIChat(endpoint, dialect)
      let round = try await chat.exchange(text, to: &stream)
      return stream.finish(round.reason)
    }
  }

  public func chat(_ request: ChatRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    var dialect = dialect(for: request.model)
    let searches = request.body["patchbay"]?["web_search"]?.bool() ?? false
    if searches { dialect.echoedTool = WebSearch.toolName }
    var search = WebSearch(returnsEmptyReasoning: KimiFamily(request.model).mayThink)
    var chat = OpenAIChat(endpoint, dialect)
    while true {
      let body = try ChatRequestBody.write(
        request.body, model: request.model, in: dialect, continuing: search.continuation)
      let round = try await chat.exchange(body, to: &stream)
      for call in round.echoedCalls { try await stream.annotation("web_search", call) }
      guard try search.goesOn(after: round) else { return stream.finish(round.reason) }
    }
  }
}

extension ChatStream {
  /// What the model searched for; arguments that are no JSON are shown as a text.
  fileprivate mutating func annotation(_ name: String, _ call: EchoedCall) async throws(ProviderError) {
    let json = (try? JSONValue(parsing: call.arguments)) ?? .string(call.arguments)
    try await annotation(name, json: json.text)
  }
}
