internal import Bytes
internal import JSON
internal import ProviderContract

/// What a scanning child says: a plugin's description, or why there is none. Whoever reads it trusts nothing in it, as
/// the plugin has run in the child.
enum ScanAnswer {
  /// Of one answer.
  static let bytesLimit = 8 << 20

  static func write(_ fault: PluginFault, to text: inout ByteBuffer) {
    JSONValue.object([.init("reason", .string(fault.reason)), .init("remedy", .string(fault.remedy))]).write(to: &text)
  }

  /// Throws what the child says is wrong with the plugin, or that the answer is none.
  static func read(_ text: UnsafeRawBufferPointer) throws(PluginFault) -> PluginDescription {
    guard let value = try? JSONValue(parsing: text) else { throw malformed("\(text.count) bytes that are no JSON") }
    if let reason = value["reason"]?.string, !reason.isEmpty {
      throw PluginFault(cut(reason), remedy: cut(value["remedy"]?.string ?? "rebuild the plugin"))
    }
    guard let description = PluginDescription(value) else { throw malformed("an object without what is needed") }
    try DescriptorReader.check(description)
    return description
  }

  private static func cut(_ text: String) -> String { String(decoding: text.utf8.prefix(4096), as: UTF8.self) }

  private static func malformed(_ found: String) -> PluginFault {
    PluginFault(
      "its scan answered \(found), expected a description: the plugin writes to descriptors that are not its own "
        + "(PRV-R012)", remedy: "correct the plugin")
  }
}

extension PluginDescription {
  func write(to text: inout ByteBuffer) {
    JSONValue.object([
      .init("id", .string(id)), .init("name", .string(name)), .init("vendor", .string(vendor)),
      .init("version", .string(version)), .init("summary", .string(summary)), .init("url", .string(url)),
      .init("license", .string(license)), .init("sdk", .string(sdk)), .init("toolchain", .string(toolchain)),
      .init("abi_minor", .integer(Int64(abiMinor))), .init("providers", .array(providers.map(\.json))),
    ]).write(to: &text)
  }

  /// nil: a member is missing or of another kind.
  init?(_ value: JSONValue) {
    guard let id = value["id"]?.string, let name = value["name"]?.string, let vendor = value["vendor"]?.string,
      let version = value["version"]?.string, let summary = value["summary"]?.string, let url = value["url"]?.string,
      let license = value["license"]?.string, let sdk = value["sdk"]?.string,
      let toolchain = value["toolchain"]?.string,
      let abiMinor = value["abi_minor"]?.integer.flatMap(UInt32.init(exactly:)),
      let list = value["providers"]?.array
    else { return nil }
    self.init()
    (self.id, self.name, self.vendor, self.version) = (id, name, vendor, version)
    (self.summary, self.url, self.license) = (summary, url, license)
    (self.sdk, self.toolchain, self.abiMinor) = (sdk, toolchain, abiMinor)
    providers = list.compactMap(ProviderDescription.init)
    guard providers.count == list.count else { return nil }
  }
}

extension ProviderDescription {
  fileprivate var json: JSONValue {
    .object([
      .init("id", .string(id)), .init("display_name", .string(displayName)),
      // Integers of JSON are signed here.
      .init("capabilities", .integer(Int64(bitPattern: capabilities))),
      .init("config_schema", .string(configSchemaJSON)), .init("default_base_url", .string(defaultBaseURL)),
      .init("required_services", .array(requiredServices.map(JSONValue.string))),
      .init("optional_services", .array(optionalServices.map(JSONValue.string))),
      .init("temperature_max", .double(temperatureMax)), .init("max_concurrency", .integer(Int64(maxConcurrency))),
      .init("models", .string(modelsJSON)), .init("blocking", .bool(isBlocking)), .init("needs_key", .bool(needsKey)),
      .init("tools", .array(tools.map(\.json))),
    ])
  }

  fileprivate init?(_ value: JSONValue) {
    guard let id = value["id"]?.string, let displayName = value["display_name"]?.string,
      let capabilities = value["capabilities"]?.integer, let schema = value["config_schema"]?.string,
      let baseURL = value["default_base_url"]?.string, let required = value["required_services"]?.array,
      let optional = value["optional_services"]?.array, let temperature = value["temperature_max"]?.double,
      let concurrency = value["max_concurrency"]?.integer.flatMap(UInt32.init(exactly:)),
      let models = value["models"]?.string, let isBlocking = value["blocking"]?.bool,
      let needsKey = value["needs_key"]?.bool, let tools = value["tools"]?.array
    else { return nil }
    self.init()
    (self.id, self.displayName) = (id, displayName)
    self.capabilities = UInt64(bitPattern: capabilities)
    (configSchemaJSON, defaultBaseURL, modelsJSON) = (schema, baseURL, models)
    requiredServices = required.compactMap(\.string)
    optionalServices = optional.compactMap(\.string)
    (temperatureMax, maxConcurrency) = (temperature, concurrency)
    (self.isBlocking, self.needsKey) = (isBlocking, needsKey)
    self.tools = tools.compactMap(ToolOffer.init)
    guard requiredServices.count == required.count, optionalServices.count == optional.count,
      self.tools.count == tools.count
    else { return nil }
  }
}

extension ToolOffer {
  fileprivate var json: JSONValue {
    .object([
      .init("name", .string(name)), .init("summary", .string(summary)), .init("input_schema", .string(inputSchemaJSON)),
      .init("repeatable", .bool(isRepeatable)), .init("files", files.map(\.json) ?? .null),
    ])
  }

  fileprivate init?(_ value: JSONValue) {
    guard let name = value["name"]?.string, let summary = value["summary"]?.string,
      let schema = value["input_schema"]?.string, let isRepeatable = value["repeatable"]?.bool,
      let files = value["files"]
    else { return nil }
    self.init()
    (self.name, self.summary, inputSchemaJSON, self.isRepeatable) = (name, summary, schema, isRepeatable)
    guard files != .null else { return }
    guard let offer = FilesOffer(files) else { return nil }
    self.files = offer
  }
}

extension FilesOffer {
  fileprivate var json: JSONValue {
    .object([
      .init("argument", .string(argument)), .init("count", .integer(Int64(countLimit))),
      .init("bytes", .integer(Int64(bytesLimit))),
    ])
  }

  fileprivate init?(_ value: JSONValue) {
    guard let argument = value["argument"]?.string, let count = value["count"]?.integer,
      let bytes = value["bytes"]?.integer
    else { return nil }
    self.init()
    (self.argument, countLimit, bytesLimit) = (argument, Int(count), Int(bytes))
  }
}
