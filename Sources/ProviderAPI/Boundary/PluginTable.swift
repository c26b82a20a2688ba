import Bytes
import CProviderABI
import Synchronization

/// The plugin's descriptor as C reads it: made once, [static], never freed.
enum PluginTable {
  /// By plugin id. A library holds one plugin; a test may hold several.
  private static let tables = Mutex<[String: Table]>([:])

  private struct Table: @unchecked Sendable {  // written once before it is shared
    let pointer: UnsafePointer<prv_plugin>
  }

  static func table(of plugin: PluginDescriptor) -> UnsafePointer<prv_plugin> {
    tables.withLock { tables in
      if let made = tables[plugin.id] { return made }
      let made = Table(pointer: make(plugin))
      tables[plugin.id] = made
      return made
    }.pointer
  }

  /// What lies in memory: the table, and behind it, for `create`, the types to make, and for `get_extension` its
  /// answers.
  private struct Layout {
    var table: prv_plugin
    var providers: Providers
    var tools: prv_tools_v1
    var files: prv_files_v1
  }

  private final class Providers: Sendable {
    let types: [any Provider.Type]
    init(_ types: [any Provider.Type]) { self.types = types }
  }

  private static func make(_ plugin: PluginDescriptor) -> UnsafePointer<prv_plugin> {
    let providers = UnsafeMutableBufferPointer<prv_provider_desc>.allocate(capacity: plugin.providers.count)
    _ = providers.initialize(from: plugin.providers.map { description(of: $0.descriptor) })
    var table = prv_plugin.sized()
    table.abi_minor = PRV_ABI_MINOR
    table.id = text(plugin.id)
    table.name = text(plugin.name)
    table.vendor = text(plugin.vendor)
    table.version = text(plugin.version)
    table.description = text(plugin.description)
    table.url = text(plugin.url)
    table.license = text(plugin.license)
    table.sdk = text("patchbay-swift \(PRV_ABI_MAJOR).\(PRV_ABI_MINOR)")
    table.toolchain = text(toolchain)
    table.providers = UnsafePointer(providers.baseAddress)
    table.provider_count = UInt64(providers.count)
    table.provider_stride = UInt64(MemoryLayout<prv_provider_desc>.stride)
    table.create = create
    let memory = UnsafeMutablePointer<Layout>.allocate(capacity: 1)
    if plugin.providers.contains(where: { !$0.tools.isEmpty }) { table.get_extension = getExtension }
    memory.initialize(
      to: Layout(
        table: table, providers: Providers(plugin.providers), tools: tools(of: plugin.providers),
        files: files(of: plugin.providers)))
    return UnsafePointer(UnsafeMutableRawPointer(memory).assumingMemoryBound(to: prv_plugin.self))
  }

  private static func description(of provider: ProviderDescriptor) -> prv_provider_desc {
    var description = prv_provider_desc.sized()
    if provider.needsKey { description.flags |= PRV_PROVIDER_NEEDS_KEY }
    description.id = text(provider.id)
    description.display_name = text(provider.displayName)
    description.capabilities = provider.capabilities.rawValue
    description.config_schema_json = text(provider.settingsSchema)
    description.default_base_url = text(provider.defaultBaseURL)
    (description.required_services, description.required_service_count) = texts(provider.requiredServices)
    (description.optional_services, description.optional_service_count) = texts(provider.optionalServices)
    description.temperature_max = provider.temperatureMax
    description.max_concurrency = provider.maxConcurrency
    if !provider.models.isEmpty {
      var models = ByteBuffer()
      models.appendJSON(models: provider.models)
      description.models_json = text(models.string())
    }
    return description
  }

  // MARK: - Extensions

  private static let getExtension: @convention(c) (UnsafePointer<prv_plugin>?, prv_str) -> UnsafeRawPointer? = {
    plugin, id in
    guard let plugin else { return nil }
    let field: PartialKeyPath<Layout>
    switch id.string {
    case PRV_EXTENSION_TOOLS: field = \.tools
    case PRV_EXTENSION_FILES: field = \.files
    default: return nil
    }
    return MemoryLayout<Layout>.offset(of: field).map { UnsafeRawPointer(plugin) + $0 }
  }

  private static func tools(of types: [any Provider.Type]) -> prv_tools_v1 {
    var table = prv_tools_v1.sized()
    (table.tools, table.tool_count) = array(
      types.flatMap { type in
        type.tools.map { tool in
          var entry = prv_tool.sized()
          if tool.isRepeatable { entry.flags |= PRV_TOOL_REPEATABLE }
          entry.provider_id = text(type.descriptor.id)
          entry.name = text(tool.name)
          entry.description = text(tool.description)
          entry.input_schema_json = text(tool.inputSchema)
          return entry
        }
      })
    table.tool_stride = UInt64(MemoryLayout<prv_tool>.stride)
    return table
  }

  private static func files(of types: [any Provider.Type]) -> prv_files_v1 {
    var table = prv_files_v1.sized()
    (table.arguments, table.argument_count) = array(
      types.flatMap { $0.tools }.compactMap { tool in
        guard let files = tool.files else { return nil }
        var entry = prv_file_argument.sized()
        entry.tool = text(tool.name)
        entry.argument = text(files.name)
        entry.max_count = UInt64(clamping: files.maxCount)
        entry.max_bytes = UInt64(clamping: files.maxBytes)
        return entry
      })
    table.argument_stride = UInt64(MemoryLayout<prv_file_argument>.stride)
    return table
  }

  /// [static]; null when there is none.
  private static func array<Entry>(_ entries: [Entry]) -> (UnsafePointer<Entry>?, UInt64) {
    guard !entries.isEmpty else { return (nil, 0) }
    let memory = UnsafeMutableBufferPointer<Entry>.allocate(capacity: entries.count)
    _ = memory.initialize(from: entries)
    return (UnsafePointer(memory.baseAddress), UInt64(entries.count))
  }

  // MARK: - Texts

  private static func text(_ text: String) -> prv_str {
    guard !text.isEmpty else { return prv_str() }
    let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
    _ = bytes.initialize(from: text.utf8)
    return prv_str(UnsafeRawBufferPointer(bytes))
  }

  private static func texts(_ list: [String]) -> (UnsafePointer<prv_str>?, UInt64) {
    array(list.map(text))
  }

  private static var toolchain: String {
    #if compiler(>=6.4)
      "swift 6.4 or newer"
    #else
      "swift 6.3"
    #endif
  }

  // MARK: - Create

  private static let create:
    @convention(c) (
      UnsafePointer<prv_plugin>?, prv_str, UnsafePointer<prv_host>?, prv_str, UnsafeMutablePointer<prv_provider>?,
      prv_sink
    ) -> Int32 = { plugin, id, host, settings, instance, error in
      guard let plugin, let host, let instance else { return PRV_E_INVALID_ARGUMENT }
      let layout = UnsafeRawPointer(plugin).assumingMemoryBound(to: Layout.self)
      do throws(ProviderError) {
        let made = try make(id.string, of: layout.pointee.providers.types, host, settings.bytes)
        made.table.write(to: instance)
        return PRV_OK
      } catch let failure {
        error(failure.message)
        return failure.code.rawValue
      }
    }

  private static func make(
    _ id: String, of types: [any Provider.Type], _ host: UnsafePointer<prv_host>, _ settings: UnsafeRawBufferPointer
  ) throws(ProviderError) -> Instance {
    guard let type = types.first(where: { $0.descriptor.id == id }) else {
      let known = types.map { $0.descriptor.id }.joined(separator: ", ")
      throw ProviderError(.notFound, "there is no provider \(id) in this plugin; it has \(known)")
    }
    let host = try ProviderHost(host, requiring: type.descriptor.requiredServices)
    let provider = try type.init(settings: try ProviderSettings(parsing: settings), host: host)
    return Instance(provider, host: host)
  }
}
