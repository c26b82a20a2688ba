internal import Bytes
package import CProviderABI

/// Reads a plugin's `prv_plugin` and refuses what breaks the header's rules, before anything of it is used.
package enum DescriptorReader {
  /// The services that this host offers; a provider that requires another is refused.
  package static let services = [
    PRV_SERVICE_LOG, PRV_SERVICE_TIME, PRV_SERVICE_HTTP, PRV_SERVICE_CONFIG, PRV_SERVICE_EXEC, PRV_SERVICE_THREAD_CHECK,
  ]

  private static let structBytesLimit: UInt32 = 64 << 10
  private static let providersLimit: UInt64 = 64
  private static let servicesLimit: UInt64 = 32
  private static let lineBytesLimit = 1024
  private static let documentBytesLimit = 1 << 20

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
    guard isPluginID(result.id) else {
      throw PluginFault(
        "its id is \"\(result.id)\", expected reverse DNS of lower-case letters, digits, '-' and '.'",
        remedy: "name it as in \"org.example.kimi\"")
    }
    result.name = try line(plugin.name, "prv_plugin.name")
    result.vendor = try line(plugin.vendor, "prv_plugin.vendor")
    result.version = try line(plugin.version, "prv_plugin.version")
    result.summary = try line(plugin.description, "prv_plugin.description")
    result.url = try line(plugin.url, "prv_plugin.url")
    result.license = try line(plugin.license, "prv_plugin.license")
    result.sdk = try line(plugin.sdk, "prv_plugin.sdk")
    result.toolchain = try line(plugin.toolchain, "prv_plugin.toolchain")
    result.providers = try providers(plugin)
    return result
  }

  private static func providers(_ plugin: prv_plugin) throws(PluginFault) -> [ProviderDescription] {
    guard plugin.provider_count > 0, plugin.provider_count <= providersLimit, let first = plugin.providers else {
      throw PluginFault(
        "it describes \(plugin.providers == nil ? 0 : plugin.provider_count) providers, expected 1 to \(providersLimit)",
        remedy: "fill in prv_plugin.providers and provider_count")
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
      guard !result.contains(where: { $0.id == provider.id }) else {
        throw PluginFault("it describes provider \"\(provider.id)\" twice", remedy: "give each provider its own id")
      }
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
    guard isProviderID(result.id) else {
      throw PluginFault(
        "a provider's id is \"\(result.id)\", expected lower-case letters, digits and '-'",
        remedy: "name it as in \"kimi\"")
    }
    result.displayName = try line(desc.display_name, "prv_provider_desc.display_name")
    result.capabilities = desc.capabilities
    result.configSchemaJSON = try text(desc.config_schema_json, "config_schema_json", limit: documentBytesLimit)
    result.defaultBaseURL = try line(desc.default_base_url, "prv_provider_desc.default_base_url")
    result.requiredServices = try services(desc.required_services, desc.required_service_count, "required_services")
    result.optionalServices = try services(desc.optional_services, desc.optional_service_count, "optional_services")
    for service in result.requiredServices where !Self.services.contains(service) {
      throw PluginFault(
        "its provider \"\(result.id)\" requires the service \(service), which this host does not offer",
        remedy: "update the host, or make the service optional")
    }
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
    guard count <= servicesLimit, let first else {
      throw PluginFault(
        "\(field) has \(count) entries, expected an array of at most \(servicesLimit)", remedy: "correct \(field)")
    }
    var result: [String] = []
    for index in 0..<Int(count) { result.append(try line(first[index], field)) }
    return result
  }

  private static func checkedSize(_ source: UnsafeRawPointer, _ name: String, atLeast needed: Int)
    throws(PluginFault) -> UInt32
  {
    let size = source.load(as: UInt32.self)
    guard Int(size) >= needed, size <= structBytesLimit else {
      throw PluginFault(
        "\(name) has size \(size), expected \(needed) or more", remedy: "set its size to sizeof(\(name))")
    }
    return size
  }

  private static func line(_ value: prv_str, _ field: String) throws(PluginFault) -> String {
    let result = try text(value, field, limit: lineBytesLimit)
    guard result.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      throw PluginFault("\(field) has a control character", remedy: "correct \(field)")
    }
    return result
  }

  private static func text(_ value: prv_str, _ field: String, limit: Int) throws(PluginFault) -> String {
    guard let bytes = value.bytes(limit: limit) else {
      throw PluginFault(
        "\(field) is \(value.len) bytes\(value.ptr == nil ? " at a null pointer" : ""), expected at most \(limit)",
        remedy: "correct \(field)")
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
