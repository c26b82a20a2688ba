import Bytes
import JSON

/// The tools that the host itself offers on the native protocol.
enum NativeTool: String, CaseIterable {
  case chat
  case listmodels
  case version
  case status
  case providerCapabilities = "provider_capabilities"

  /// Endings that clients of the older daemon append to a tool's name.
  private static let suffixes = ["_EXAI-WS", "-EXAI-WS", "_EXAI_WS", "-EXAI_WS"]

  /// The tool a client means; nil: there is none.
  init?(named name: String) {
    if let tool = Self(rawValue: name) {
      self = tool
      return
    }
    guard let short = Self.withoutSuffix(name) else { return nil }
    self.init(rawValue: short)
  }

  /// The name before such an ending; nil: it has none.
  static func withoutSuffix(_ name: String) -> String? {
    suffixes.first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) }
  }

  var summary: String {
    switch self {
    case .chat: "Asks a language model; with stream:true the answer comes in pieces as it is made."
    case .listmodels: "Lists every model by provider, with its limits, abilities and aliases."
    case .version: "Names the host's version and the protocol's."
    case .status: "Shows permits, sessions and providers at this moment."
    case .providerCapabilities: "Shows what each provider and its models can do."
    }
  }

  /// JSON Schema of the arguments.
  var inputSchema: JSONValue {
    let properties: [JSONValue.Member]
    switch self {
    case .chat: properties = Self.chatProperties
    case .listmodels, .version, .status, .providerCapabilities: properties = []
    }
    return .object([
      .init("type", .string("object")), .init("properties", .object(properties)),
      .init("additionalProperties", .bool(false)),
    ])
  }

  private static var chatProperties: [JSONValue.Member] {
    typealias Bounds = ChatArguments.Bounds
    func text(_ description: String, _ bounds: ClosedRange<Int>) -> JSONValue {
      .object([
        .init("type", .string("string")), .init("minLength", .integer(Int64(bounds.lowerBound))),
        .init("maxLength", .integer(Int64(bounds.upperBound))), .init("description", .string(description)),
      ])
    }
    func flag(_ description: String) -> JSONValue {
      .object([.init("type", .string("boolean")), .init("description", .string(description))])
    }
    func number(_ type: String, _ low: JSONValue, _ high: JSONValue?, _ description: String) -> JSONValue {
      .object(
        [.init("type", .string(type)), .init("minimum", low)] + (high.map { [.init("maximum", $0)] } ?? [])
          + [.init("description", .string(description))])
    }
    return [
      .init("prompt", text("What to ask; or give `messages`.", Bounds.promptCharacters)),
      .init(
        "messages",
        .object([
          .init("type", .string("array")), .init("minItems", .integer(Int64(Bounds.messages.lowerBound))),
          .init("maxItems", .integer(Int64(Bounds.messages.upperBound))),
          .init("description", .string("The conversation so far, as {role, content} in the OpenAI chat shape.")),
        ])),
      .init("model", text("A model's id, alias, or provider/model.", Bounds.modelCharacters)),
      .init("system", text("The system message that goes before the prompt.", Bounds.promptCharacters)),
      .init("temperature", number("number", .integer(0), nil, "Up to the provider's own maximum (1 or 2).")),
      .init(
        "max_tokens",
        number(
          "integer", .integer(Bounds.maximumTokens.lowerBound), .integer(Bounds.maximumTokens.upperBound),
          "Tokens the answer may have.")),
      .init(
        "thinking_mode",
        .object([
          .init("type", .string("string")),
          .init("enum", .array(Bounds.thinkingModes.map { .string("\($0)") })),
        ])),
      .init("use_websearch", flag("Lets the provider search the web, where it can.")),
      .init("stream", flag("Sends the answer in pieces (`delta` frames) before the result.")),
      .init(
        "images",
        .object([
          .init("type", .string("array")), .init("maxItems", .integer(Int64(Bounds.images))),
          .init("description", .string("Images as data: or http(s) URLs, handed to the provider.")),
        ])),
      .init(
        "timeout",
        number(
          "number", .double(Bounds.timeoutSeconds.lowerBound), .double(Bounds.timeoutSeconds.upperBound),
          "Seconds the whole call may take; never more than the host's own limit.")),
      .init("tools", .object([.init("type", .string("array"))])),
      .init("tool_choice", .object([])),
      .init("dedupe", flag("Refuse the call when the same arguments run under another request id.")),
    ]
  }

  /// The host's part of `tools` in list_tools_res, the same for every client.
  private static let ownListing: String = {
    let tools = allCases.map { tool in
      JSONValue.object([
        .init("name", .string(tool.rawValue)), .init("description", .string(tool.summary)),
        .init("inputSchema", tool.inputSchema),
      ])
    }
    // Without its end: tools of plugins may follow.
    return String(JSONValue.array(tools).text.dropLast())
  }()

  /// `tools` of list_tools_res: the host's own, then those of the plugins.
  static func writeListing(with tools: ToolDirectory?, to buffer: inout ByteBuffer) {
    buffer.append(ownListing)
    if let tools { buffer.append(tools.listing) }
    buffer.append("]")
  }
}
