import JSON

/// A tool that a provider's plugin contributes, ready to be called. Shared by reference: every call of it holds one.
final class ProviderTool: Sendable {
  let offer: ToolOffer
  let schema: ToolSchema
  /// The same for clients, in one line.
  let schemaJSON: String
  /// Whose permits its calls need, as a model has it: a tool stands for itself there, and has no model.
  let place: ModelEntry

  var name: String { offer.name }

  init(_ offer: ToolOffer, provider: Int, providerID: String) throws(ToolSchema.Fault) {
    self.offer = offer
    let json = try ToolSchema.json(offer.inputSchemaJSON)
    schema = try ToolSchema(json)
    schemaJSON = json.text
    if let files = offer.files {
      let kind: ToolSchema.Kind = files.countLimit == 1 ? .object : .array
      guard schema[files.argument]?.kinds == [kind] else {
        throw ToolSchema.Fault(
          reason: "it must have the property \(files.argument) of type \(kind.rawValue), through which files come")
      }
    }
    place = ModelEntry(id: offer.name, provider: provider, providerID: providerID)
  }
}

/// The tools of all providers by name, and what clients are shown of them.
struct ToolDirectory: Sendable {
  /// In the order of the configuration. Of two instances of one plugin the first has the tools.
  let tools: [ProviderTool]
  private let byName: [String: ProviderTool]
  /// The entries of `list_tools_res` that follow the host's own, each with a comma before it.
  let listing: String

  static let empty = ToolDirectory(providers: [], active: [])

  /// - Parameter active: the numbers of the providers that serve, in the order of the configuration.
  init(providers: [any ProviderInstance], active: [Int]) {
    var tools: [ProviderTool] = []
    var byName: [String: ProviderTool] = [:]
    for number in active {
      let information = providers[number].information
      for offer in information.tools where byName[offer.name] == nil {
        // A schema that cannot be read has kept its provider from being made.
        guard let tool = try? ProviderTool(offer, provider: number, providerID: information.id) else { continue }
        tools.append(tool)
        byName[offer.name] = tool
      }
    }
    self.tools = tools
    self.byName = byName
    listing = tools.map { tool in
      ",{\"name\":\"\(tool.name)\",\"description\":\(JSONValue.string(tool.offer.summary).text),"
        + "\"inputSchema\":\(tool.schemaJSON)}"
    }.joined()
  }

  /// The tool that a client means by `name`, also with the endings of the older daemon.
  func tool(named name: String) -> ProviderTool? {
    byName[name] ?? NativeTool.withoutSuffix(name).flatMap { byName[$0] }
  }
}
