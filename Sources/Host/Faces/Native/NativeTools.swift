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
    let plain = Self.suffixes.first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) } ?? name
    self.init(rawValue: plain)
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
    ]
  }

  /// `tools` of list_tools_res, the same for every client.
  static let listing: String = {
    let tools = allCases.map { tool in
      JSONValue.object([
        .init("name", .string(tool.rawValue)), .init("description", .string(tool.summary)),
        .init("inputSchema", tool.inputSchema),
      ])
    }
    return JSONValue.array(tools).text
  }()
}

/// The host's figures at this moment, for the `health` operation and the tools that show them.
struct HostReport {
  let reading: Core.Reading
  let routing: Routing?
  let services: HostServices

  init(loop: HostLoop) {
    reading = loop.core.read(now: .now())
    routing = loop.routing
    services = loop.services
  }

  func writeHealth(to buffer: inout ByteBuffer) {
    buffer.append("{\"t\":")
    NativeFrames.appendWallTime(to: &buffer)
    buffer.append(",\"uptime_human\":\"")
    buffer.append(uptime)
    buffer.append("\",\"sessions\":")
    buffer.appendDecimal(reading.sessions)
    buffer.append(",\"connections\":")
    buffer.appendDecimal(reading.connections)
    buffer.append(",\"global_capacity\":")
    buffer.appendDecimal(reading.globalLimit)
    buffer.append(",\"global_in_flight\":")
    buffer.appendDecimal(reading.inFlight)
    buffer.append(",\"queued\":")
    buffer.appendDecimal(reading.queued)
    buffer.append(",\"overdue_leases\":")
    buffer.appendDecimal(reading.overdueLeases)
    buffer.append(",\"dropped_permits\":")
    buffer.appendDecimal(reading.counters.droppedPermits)
    buffer.append(",\"tool_count\":")
    buffer.appendDecimal(NativeTool.allCases.count)
    buffer.append(",\"state\":\"")
    buffer.append(reading.isDraining ? "draining" : routing == nil ? "starting" : "running")
    buffer.append("\",\"providers\":{")
    writeProviders(to: &buffer)
    buffer.append("}}")
  }

  private func writeProviders(to buffer: inout ByteBuffer) {
    guard let routing else { return }
    for (index, provider) in routing.providers.enumerated() {
      if index > 0 { buffer.append(",") }
      buffer.appendJSON(string: provider.information.id)
      buffer.append(":{\"state\":\"active\",\"plugin\":")
      buffer.appendJSON(string: provider.information.pluginID)
      if reading.providers.indices.contains(index) {
        buffer.append(",\"limit\":")
        buffer.appendDecimal(reading.providers[index].limit)
        buffer.append(",\"in_flight\":")
        buffer.appendDecimal(reading.providers[index].inFlight)
      }
      buffer.append(",\"models\":")
      buffer.appendDecimal(routing.catalogue.models.filter { $0.provider == index }.count)
      buffer.append("}")
    }
  }

  func writeModels(to buffer: inout ByteBuffer) {
    buffer.append("[")
    for (index, model) in (routing?.catalogue.models ?? []).enumerated() {
      if index > 0 { buffer.append(",") }
      model.write(to: &buffer)
    }
    buffer.append("]")
  }

  func writeCapabilities(to buffer: inout ByteBuffer) {
    buffer.append("{")
    for (index, provider) in (routing?.providers ?? []).enumerated() {
      if index > 0 { buffer.append(",") }
      buffer.appendJSON(string: provider.information.id)
      buffer.append(":{\"name\":")
      buffer.appendJSON(string: provider.information.displayName)
      buffer.append(",\"temperature_max\":")
      buffer.appendJSON(double: provider.information.temperatureMax)
      let models = (routing?.catalogue.models ?? []).filter { $0.provider == index }
      let capabilities = Set(models.flatMap(\.capabilities)).sorted()
      buffer.append(",\"capabilities\":")
      JSONValue.array(capabilities.map(JSONValue.string)).write(to: &buffer)
      buffer.append(",\"models\":")
      JSONValue.array(models.map { .string($0.id) }).write(to: &buffer)
      buffer.append("}")
    }
    buffer.append("}")
  }

  func writeVersion(to buffer: inout ByteBuffer) {
    buffer.append("{\"name\":\"patchbay\",\"version\":")
    buffer.appendJSON(string: services.version)
    buffer.append(",\"protocol\":1}")
  }

  private var uptime: String {
    let seconds = Instant.now().nanoseconds(since: services.startedAt) / 1_000_000_000
    func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(seconds / 3600):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
  }
}
