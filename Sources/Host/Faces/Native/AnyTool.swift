/// What `call_tool` names: a tool of the host, or of a provider as the routing has it now.
enum AnyTool {
  case own(NativeTool)
  case provider(ProviderTool, Routing)

  /// - Parameter routing: nil: the host is starting.
  init(named name: String, _ routing: Routing?) throws(CallError) {
    if let own = NativeTool(named: name) {
      self = .own(own)
    } else if let routing, let tool = routing.tools.tool(named: name) {
      self = .provider(tool, routing)
    } else if routing == nil {
      throw .starting()
    } else {
      let known = NativeTool.allCases.map(\.rawValue) + (routing?.tools.tools.map(\.name) ?? [])
      throw CallError(
        .toolNotFound, "Unknown tool: \(CallError.shortened(name))",
        [("requested_tool", .string(CallError.shortened(name))), ("available", .strings(known))])
    }
  }
}
