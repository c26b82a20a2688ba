import CProviderABI

/// Reads what a plugin contributes beside chats: prv.tools/1, and prv.files/1, which is about arguments of those tools.
enum ToolsReader {
  private static let toolsLimit: UInt64 = 64
  private static let filesLimit = 64
  private static let nameBytesLimit = 64

  /// Adds to each provider of `description` its tools.
  static func read(_ table: UnsafePointer<prv_plugin>, into description: inout PluginDescription) throws(PluginFault) {
    let plugin = copyHead(table, size: table.pointee.size, over: prv_plugin())
    guard let extensions = plugin.get_extension else { return }
    guard let tools = extensions(table, prv_str("prv.tools/1")) else { return }
    try read(tools, into: &description)
    if let files = extensions(table, prv_str("prv.files/1")) { try read(files: files, into: &description) }
  }

  /// The tools of a description that another process made: what `read` would have refused is refused.
  static func check(_ provider: ProviderDescription) throws(PluginFault) {
    guard provider.tools.count <= Int(toolsLimit) else {
      throw tooMany(UInt64(provider.tools.count), "tools of prv.tools/1")
    }
    for (index, tool) in provider.tools.enumerated() {
      try check(name: tool.name, of: provider.id)
      guard !provider.tools[..<index].contains(where: { $0.name == tool.name }) else { throw twice(tool.name) }
      for (text, field) in [(tool.summary, "description"), (tool.inputSchemaJSON, "input_schema_json")] {
        guard text.utf8.count <= DescriptorReader.documentBytesLimit else {
          throw PluginFault("prv_tool.\(field) is \(text.utf8.count) bytes", remedy: "correct \(field)")
        }
      }
      if let files = tool.files { try check(files, of: tool.name) }
    }
  }

  // MARK: - Tables

  private static func read(_ source: UnsafeRawPointer, into description: inout PluginDescription) throws(PluginFault) {
    let size = try DescriptorReader.checkedSize(source, "prv_tools_v1", atLeast: MemoryLayout<prv_tools_v1>.size)
    let table = copyHead(source, size: size, over: prv_tools_v1())
    let entries = try array(
      table.tools, table.tool_count, table.tool_stride, "tools of prv.tools/1", needs: MemoryLayout<prv_tool>.size)
    for entry in entries {
      let size = try DescriptorReader.checkedSize(entry, "prv_tool", atLeast: MemoryLayout<prv_tool>.size)
      try read(copyHead(entry, size: size, over: prv_tool()), into: &description)
    }
  }

  private static func read(_ tool: prv_tool, into description: inout PluginDescription) throws(PluginFault) {
    let provider = try DescriptorReader.line(tool.provider_id, "prv_tool.provider_id")
    guard let index = description.providers.firstIndex(where: { $0.id == provider }) else {
      throw PluginFault(
        "a tool belongs to provider \"\(provider)\", which the plugin does not describe",
        remedy: "set provider_id to an id of prv_plugin.providers")
    }
    var result = ToolOffer()
    result.name = try DescriptorReader.line(tool.name, "prv_tool.name")
    try check(name: result.name, of: provider)
    guard !description.providers[index].tools.contains(where: { $0.name == result.name }) else {
      throw twice(result.name)
    }
    result.summary = try DescriptorReader.text(
      tool.description, "prv_tool.description", limit: DescriptorReader.documentBytesLimit)
    result.inputSchemaJSON = try DescriptorReader.text(
      tool.input_schema_json, "prv_tool.input_schema_json", limit: DescriptorReader.documentBytesLimit)
    result.isRepeatable = tool.flags & PRV_TOOL_REPEATABLE != 0
    description.providers[index].tools.append(result)
  }

  private static func read(files source: UnsafeRawPointer, into description: inout PluginDescription)
    throws(PluginFault)
  {
    let size = try DescriptorReader.checkedSize(source, "prv_files_v1", atLeast: MemoryLayout<prv_files_v1>.size)
    let table = copyHead(source, size: size, over: prv_files_v1())
    let entries = try array(
      table.arguments, table.argument_count, table.argument_stride, "arguments of prv.files/1",
      needs: MemoryLayout<prv_file_argument>.size)
    for entry in entries {
      let size = try DescriptorReader.checkedSize(
        entry, "prv_file_argument", atLeast: MemoryLayout<prv_file_argument>.size)
      try read(copyHead(entry, size: size, over: prv_file_argument()), into: &description)
    }
  }

  private static func read(_ argument: prv_file_argument, into description: inout PluginDescription)
    throws(PluginFault)
  {
    let name = try DescriptorReader.line(argument.tool, "prv_file_argument.tool")
    let provider = description.providers.firstIndex { $0.tools.contains { $0.name == name } }
    guard let provider, let tool = description.providers[provider].tools.firstIndex(where: { $0.name == name }) else {
      throw PluginFault(
        "prv.files/1 names the tool \"\(name)\", which is not among its prv.tools/1",
        remedy: "correct prv_file_argument.tool")
    }
    guard description.providers[provider].tools[tool].files == nil else {
      throw PluginFault("tool \(name) has two arguments for files", remedy: "let it have one")
    }
    var files = FilesOffer()
    files.argument = try DescriptorReader.line(argument.argument, "prv_file_argument.argument")
    files.countLimit = Int(clamping: argument.max_count)
    files.bytesLimit = Int(clamping: argument.max_bytes)
    try check(files, of: name)
    description.providers[provider].tools[tool].files = files
  }

  /// The elements of an array of structs that may be longer than ours.
  private static func array<Entry>(
    _ first: UnsafePointer<Entry>?, _ count: UInt64, _ stride: UInt64, _ name: String, needs bytes: Int
  ) throws(PluginFault) -> [UnsafeRawPointer] {
    guard count > 0 else { return [] }
    guard count <= toolsLimit, let first else { throw tooMany(count, name) }
    guard stride >= UInt64(bytes), stride <= UInt64(DescriptorReader.structBytesLimit), stride % 8 == 0 else {
      throw PluginFault(
        "the stride of \(name) is \(stride), expected a multiple of 8 of at least \(bytes)",
        remedy: "set it to the struct's sizeof")
    }
    return (0..<Int(count)).map { UnsafeRawPointer(first) + $0 * Int(stride) }
  }

  // MARK: - Rules

  /// The host's own tools can never have such a name, nor those of another provider.
  private static func check(name: String, of provider: String) throws(PluginFault) {
    let prefix = provider.utf8.map { $0 == 0x2D ? 0x5F : $0 } + [0x5F]
    let isWord = name.utf8.allSatisfy {
      (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
    }
    guard name.utf8.count <= nameBytesLimit, name.utf8.count > prefix.count, name.utf8.starts(with: prefix), isWord
    else {
      throw PluginFault(
        "a tool of provider \"\(provider)\" is named \"\(name)\", expected "
          + "\"\(String(decoding: prefix, as: UTF8.self))\" and then lower-case letters, digits and '_', at most "
          + "\(nameBytesLimit) in all", remedy: "rename the tool")
    }
  }

  private static func check(_ files: FilesOffer, of tool: String) throws(PluginFault) {
    guard !files.argument.isEmpty else {
      throw PluginFault("tool \(tool) has an argument for files without a name", remedy: "name it")
    }
    guard (1...filesLimit).contains(files.countLimit) else {
      throw PluginFault(
        "tool \(tool) takes \(files.countLimit) files, expected 1 to \(filesLimit)",
        remedy: "correct prv_file_argument.max_count")
    }
    guard files.bytesLimit >= 0 else {
      throw PluginFault("tool \(tool) takes files of \(files.bytesLimit) bytes", remedy: "correct max_bytes")
    }
  }

  private static func tooMany(_ count: UInt64, _ name: String) -> PluginFault {
    PluginFault(
      "it has \(count) \(name), expected an array of at most \(toolsLimit)", remedy: "correct the pointer or the count")
  }

  private static func twice(_ name: String) -> PluginFault {
    PluginFault("it has two tools named \(name)", remedy: "give each tool its own name")
  }
}
