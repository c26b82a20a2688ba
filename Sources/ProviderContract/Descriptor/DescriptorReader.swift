internal import Bytes
package import CProviderABI

/// Reads a plugin's `prv_plugin` and refuses what breaks the header's rules, before anything of it is used.
package enum DescriptorReader {
  /// The services that this host offers; a provider that requires another is refused.
  package static let services = [
    PRV_SERVICE_LOG, PRV_SERVICE_TIME, PRV_SERVICE_HTTP, PRV_SERVICE_CONFIG, PRV_SERVICE_EXEC, PRV_SERVICE_THREAD_CHECK,
  ]

  static let structBytesLimit: UInt32 = 64 << 10
  private static let providersLimit: UInt64 = 64
  private static let servicesLimit: UInt64 = 32
  private static let lineBytesLimit = 1024
  static let documentBytesLimit = 1 << 20

  package static func read(_ table: UnsafePointer<prv_plugin>) throws(PluginFault) -> PluginDescription {
    let needed = MemoryLayout<prv_plugin>.offset(of: \.create)! + MemoryLayout<UnsafeRawPointer>.size
    let size = try checkedSize(UnsafeRawPointer(table), "prv_plugin", atLeast: needed)
    let plugin = copyHead(table, size: size, over: prv_plugin())
    guard plugin.create != nil else {
      throw PluginFault("its descriptor has no `create` function", remedy: "fill in prv_plugin.create")
    }
    var result = PluginDescription()
    result.abiMinor = plugin.abi_minor
    result.id = try line(plugin.id, "prv_plugin.id")
    result.name = try line(plugin.name, "prv_plugin.name")
    result.vendor = try line(plugin.vendor, "prv_plugin.vendor")
    result.version = try line(plugin.version, "prv_plugin.version")
    result.summary = try line(plugin.description, "prv_plugin.description")
    result.url = try line(plugin.url, "prv_plugin.url")
    result.license = try line(plugin.license, "prv_plugin.license")
    result.sdk = try line(plugin.sdk, "prv_plugin.sdk")
    result.toolchain = try line(plugin.toolchain, "prv_plugin.toolchain")
    try check(id: result.id)
    result.providers = try providers(plugin)
    try ToolsReader.read(table, into: &result)
    return result
  }

  /// The same of a description that another process made: what `read` would have refused is refused.
  package static func check(_ plugin: PluginDescription) throws(PluginFault) {
    for (text, field) in [
      (plugin.id, "id"), (plugin.name, "name"), (plugin.vendor, "vendor"), (plugin.version, "version"),
      (plugin.summary, "description"), (plugin.url, "url"), (plugin.license, "license"), (plugin.sdk, "sdk"),
      (plugin.toolchain, "toolchain"),
    ] { try check(line: text, "prv_plugin.\(field)") }
    try check(id: plugin.id)
    guard (1...Int(providersLimit)).contains(plugin.providers.count) else {
      throw wrongCount(UInt64(plugin.providers.count))
    }
    for (index, provider) in plugin.providers.enumerated() {
      try check(provider)
      guard !plugin.providers[..<index].contains(where: { $0.id == provider.id }) else { throw twice(provider.id) }
    }
  }

  private static func check(_ provider: ProviderDescription) throws(PluginFault) {
    try check(providerID: provider.id)
    try check(line: provider.displayName, "prv_provider_desc.display_name")
    try check(line: provider.defaultBaseURL, "prv_provider_desc.default_base_url")
    for (text, field) in [(provider.configSchemaJSON, "config_schema_json"), (provider.modelsJSON, "models_json")] {
      try check(length: UInt64(text.utf8.count), field, limit: documentBytesLimit)
    }
    for (services, field) in [
      (provider.requiredServices, "required_services"), (provider.optionalServices, "optional_services"),
    ] {
      guard services.count <= Int(servicesLimit) else { throw tooMany(UInt64(services.count), field) }
      for service in services { try check(line: service, field) }
    }
    try requireOffered(provider)
    try ToolsReader.check(provider)
    guard provider.temperatureMax.isFinite, provider.temperatureMax > 0 else {
      throw PluginFault("temperature_max is \(provider.temperatureMax)", remedy: "correct temperature_max")
    }
  }

  private static func check(id: String) throws(PluginFault) {
    guard isPluginID(id) else {
      throw PluginFault(
        "its id is \"\(id)\", expected reverse DNS of lower-case letters, digits, '-' and '.'",
        remedy: "name it as in \"org.example.kimi\"")
    }
  }

  private static func check(providerID id: String) throws(PluginFault) {
    guard isProviderID(id) else {
      throw PluginFault(
        "a provider's id is \"\(id)\", expected lower-case letters, digits and '-'",
        remedy: "name it as in \"kimi\"")
    }
  }

  private static func requireOffered(_ provider: ProviderDescription) throws(PluginFault) {
    for service in provider.requiredServices where !services.contains(service) {
      throw PluginFault(
        "its provider \"\(provider.id)\" requires the service \(service), which this host does not offer",
        remedy: "update the host, or make the service optional")
    }
  }

  private static func providers(_ plugin: prv_plugin) throws(PluginFault) -> [ProviderDescription] {
    guard plugin.provider_count > 0, plugin.provider_count <= providersLimit, let first = plugin.providers else {
      throw wrongCount(plugin.providers == nil ? 0 : plugin.provider_count)
    }
    // The stride is of the plugin's own struct: at least what 1.0 must have, and a multiple of the alignment.
    let needed = MemoryLayout<prv_provider_desc>.offset(of: \.config_schema_json)!
    guard plugin.provider_stride >= UInt64(needed), plugin.provider_stride <= UInt64(structBytesLimit),
      plugin.provider_stride % 8 == 0
    else {
      throw PluginFault(
        "its provider_stride is \(plugin.provider_stride), expected a multiple of 8 of at least \(needed)",
        remedy: "set provider_stride to sizeof(prv_provider_desc)")
    }
    var result: [ProviderDescription] = []
    for index in 0..<Int(plugin.provider_count) {
      let provider = try provider(UnsafeRawPointer(first) + index * Int(plugin.provider_stride), plugin.provider_stride)
      guard !result.contains(where: { $0.id == provider.id }) else { throw twice(provider.id) }
      result.append(provider)
    }
    return result
  }

  private static func provider(_ source: UnsafeRawPointer, _ stride: UInt64) throws(PluginFault) -> ProviderDescription
  {
    let needed = MemoryLayout<prv_provider_desc>.offset(of: \.config_schema_json)!
    let size = try checkedSize(source, "prv_provider_desc", atLeast: needed)
    guard UInt64(size) <= stride else {
      throw PluginFault(
        "prv_provider_desc has size \(size), more than its provider_stride of \(stride)",
        remedy: "set provider_stride to sizeof(prv_provider_desc)")
    }
    let desc = copyHead(source, size: size, over: prv_provider_desc())
    var result = ProviderDescription()
    result.id = try line(desc.id, "prv_provider_desc.id")
    try check(providerID: result.id)
    result.displayName = try line(desc.display_name, "prv_provider_desc.display_name")
    result.capabilities = desc.capabilities
    result.configSchemaJSON = try text(desc.config_schema_json, "config_schema_json", limit: documentBytesLimit)
    result.defaultBaseURL = try line(desc.default_base_url, "prv_provider_desc.default_base_url")
    result.requiredServices = try services(desc.required_services, desc.required_service_count, "required_services")
    result.optionalServices = try services(desc.optional_services, desc.optional_service_count, "optional_services")
    try requireOffered(result)
    if desc.temperature_max.isFinite && desc.temperature_max > 0 { result.temperatureMax = desc.temperature_max }
    result.maxConcurrency = desc.max_concurrency
    result.modelsJSON = try text(desc.models_json, "models_json", limit: documentBytesLimit)
    result.isBlocking = desc.flags & PRV_PROVIDER_BLOCKING != 0
    result.needsKey = desc.flags & PRV_PROVIDER_NEEDS_KEY != 0
    return result
  }

  private static func services(_ first: UnsafePointer<prv_str>?, _ count: UInt64, _ field: String)
    throws(PluginFault) -> [String]
  {
    guard count > 0 else { return [] }
    guard count <= servicesLimit, let first else { throw tooMany(count, field) }
    var result: [String] = []
    for index in 0..<Int(count) { result.append(try line(first[index], field)) }
    return result
  }

  static func checkedSize(_ source: UnsafeRawPointer, _ name: String, atLeast needed: Int)
    throws(PluginFault) -> UInt32
  {
    let size = source.load(as: UInt32.self)
    guard Int(size) >= needed, size <= structBytesLimit else {
      throw PluginFault(
        "\(name) has size \(size), expected \(needed) or more", remedy: "set its size to sizeof(\(name))")
    }
    return size
  }

  static func line(_ value: prv_str, _ field: String) throws(PluginFault) -> String {
    let result = try text(value, field, limit: lineBytesLimit)
    try check(line: result, field)
    return result
  }

  private static func check(line: String, _ field: String) throws(PluginFault) {
    try check(length: UInt64(line.utf8.count), field, limit: lineBytesLimit)
    guard line.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      throw PluginFault("\(field) has a control character", remedy: "correct \(field)")
    }
  }

  private static func check(length: UInt64, _ field: String, limit: Int) throws(PluginFault) {
    guard length <= UInt64(limit) else { throw tooLong(length, field, limit) }
  }

  private static func tooLong(_ length: UInt64, _ field: String, _ limit: Int, at null: String = "") -> PluginFault {
    PluginFault("\(field) is \(length) bytes\(null), expected at most \(limit)", remedy: "correct \(field)")
  }

  private static func tooMany(_ count: UInt64, _ field: String) -> PluginFault {
    PluginFault(
      "\(field) has \(count) entries, expected an array of at most \(servicesLimit)", remedy: "correct \(field)")
  }

  private static func wrongCount(_ count: UInt64) -> PluginFault {
    PluginFault(
      "it describes \(count) providers, expected 1 to \(providersLimit)",
      remedy: "fill in prv_plugin.providers and provider_count")
  }

  private static func twice(_ id: String) -> PluginFault {
    PluginFault("it describes provider \"\(id)\" twice", remedy: "give each provider its own id")
  }

  static func text(_ value: prv_str, _ field: String, limit: Int) throws(PluginFault) -> String {
    guard let bytes = value.bytes(limit: limit) else {
      throw tooLong(value.len, field, limit, at: value.ptr == nil ? " at a null pointer" : "")
    }
    guard UTF8Validator.isValid(bytes) else {
      throw PluginFault("\(field) is not UTF-8", remedy: "correct \(field)")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func isPluginID(_ id: String) -> Bool {
    let parts = id.utf8.split(separator: 0x2E, omittingEmptySubsequences: false)
    return id.utf8.count <= 128 && parts.count >= 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(isWordByte) }
  }

  private static func isProviderID(_ id: String) -> Bool {
    !id.isEmpty && id.utf8.count <= 64 && id.utf8.allSatisfy(isWordByte)
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
  }
}
