import Bytes
import JSON
public import OpenAIWire
public import ProviderAPI

/// Zhipu's GLM: what differs from the plain format.
public final class GLM: OpenAIProvider {
  static let defaultBase = "https://api.z.ai/api/paas/v4"

  public static let descriptor = ProviderDescriptor(
    id: "glm", displayName: "Zhipu GLM",
    capabilities: [.chat, .stream, .tools, .images, .thinking, .webSearch, .listModels, .checkHealth, .json],
    needsKey: true,
    settingsSchema: """
      {"type": "object", "properties": {
        "search_engine": {"type": "string", "minLength": 1, "default": "search_pro"}}}
      """,
    defaultBaseURL: defaultBase, requiredServices: ["prv.http/1"], temperatureMax: 1, models: GLMModels.catalogue)

  public let endpoint: Endpoint
  public let configuredModels: [ModelDescription]?
  private let webSearchTool: String

  public init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError) {
    endpoint = try Endpoint(settings, defaultBase: Self.defaultBase, defaultPath: "/api/paas/v4")
    configuredModels = try ModelList.configured(settings)
    let engine = try settings.string("search_engine", default: "search_pro")
    guard !engine.isEmpty else { throw ProviderError(.invalidArgument, "search_engine must not be empty") }
    webSearchTool = Self.webSearchTool(engine)
  }

  public static let tools = GLMTools.all

  public func callTool(_ request: ToolRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    request.name == GLMTools.search.name
      ? try await GLMTools.search(request, endpoint, to: stream)
      : try await GLMTools.upload(request, endpoint, to: stream)
  }

  public func dialect(for model: String) -> Dialect {
    var dialect = Dialect()
    // Both ranges are open at their ends.
    dialect.sampling = .bounded(temperature: 0.01...0.99, topP: 0.01...0.99)
    dialect.toolChoice = .automatic
    dialect.thinking = Self.thinking(of: model)
    dialect.webSearchTool = webSearchTool
    dialect.asksForToolStream = true
    dialect.knowsDeveloperRole = false
    dialect.removedMarkers = ["<|begin_of_box|>", "<|end_of_box|>"]
    dialect.annotations = ["web_search"]
    dialect.finishRules += [
      FinishRule("sensitive", .ends(.contentFilter)),
      FinishRule("network_error", .fails(.network, "the upstream broke its answer off: network_error")),
    ]
    dialect.errors = GLMErrors.mapping
    return dialect
  }

  /// GLM-5.3 always thinks and takes an effort, those from 4.5 on have a switch.
  private static func thinking(of model: String) -> Dialect.Thinking {
    guard model.hasPrefix("glm-5.3") else { return .toggled }
    return .effort(Dialect.Effort(minimal: "low", low: "low", medium: "high", high: "high", max: "max"))
  }

  private static func webSearchTool(_ engine: String) -> String {
    var tool = ByteBuffer()
    tool.append("{\"type\":\"web_search\",\"web_search\":{\"search_engine\":")
    tool.appendJSON(string: engine)
    tool.append(",\"search_result\":true}}")
    return tool.string()
  }
}
