internal import Bytes
internal import CProviderABI
internal import Glibc
internal import JSON
internal import ProviderContract

/// What the plugin says of itself, before anything is made of it.
enum DescriptorChecks {
  static let all = [
    structure, strings, version, consistency, capabilities, settingsSchema, models, baseURL, services, limits, tools,
    extensionAbsent,
  ]

  static let structure = Check(
    "descriptor-structure", rule: "PRV-C1", category: .descriptor, needs: .entry,
    proves: "The host can read the descriptor: sizes, strides, texts, ids, and no provider twice."
  ) { context throws(CheckStop) in
    _ = try context.descriptor()
    return .pass()
  }

  private static func check(
    _ id: String, rule: String, proves: String, _ faults: @escaping @Sendable (PluginDescriptor) -> [String],
    expected: String
  ) -> Check {
    Check(id, rule: rule, category: .descriptor, needs: .descriptor, proves: proves) { context throws(CheckStop) in
      let found = faults(try context.descriptor())
      return found.isEmpty ? .pass() : .fail(expected: expected, found: found.joined(separator: "; "))
    }
  }

  static let strings = check(
    "descriptor-strings", rule: "PRV-C4", proves: "People can tell which plugin and which provider it is.",
    { plugin in
      let about = plugin.description
      let empty = [("name", about.name), ("version", about.version)].filter(\.1.isEmpty)
      return empty.map { "prv_plugin.\($0.0) is empty" }
        + about.providers.filter(\.displayName.isEmpty).map { "the display_name of \($0.id) is empty" }
    }, expected: "a name, a version, and a display name of each provider")

  static let version = check(
    "descriptor-version", rule: "PRV-C4", proves: "Its version has the form 1.2.0, so that versions can be compared.",
    { plugin in
      let version = plugin.description.version
      return version.isEmpty || isSemantic(version) ? [] : ["\"\(version)\""]
    }, expected: "MAJOR.MINOR.PATCH, and what Semantic Versioning allows behind it")

  static func isSemantic(_ version: String) -> Bool {
    let core = version.prefix { $0 != "-" && $0 != "+" }
    let numbers = core.split(separator: ".", omittingEmptySubsequences: false)
    let rest = version.dropFirst(core.count)
    return numbers.count == 3
      && numbers.allSatisfy { number in
        !number.isEmpty && number.count <= 9 && number.utf8.allSatisfy { (0x30...0x39).contains($0) }
          && (number == "0" || !number.hasPrefix("0"))
      }
      && rest.count != 1
      && rest.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
          || [0x2B, 0x2D, 0x2E].contains(byte)
      }
  }

  static let consistency = Check(
    "descriptor-consistency", rule: "PRV-R002", category: .descriptor, needs: .descriptor,
    proves: "It says the same to a scan, to a validator, to a worker and to a host, and the table never changes."
  ) { context throws(CheckStop) in
    let library = try context.library()
    let first = try context.descriptor()
    let bytes = first.tableBytes
    for flags in [0, PRV_HANDSHAKE_SCAN, PRV_HANDSHAKE_VALIDATE, PRV_HANDSHAKE_WORKER] {
      let answer = library.ask(flags: flags)
      guard let table = answer.plugin else {
        return .fail(expected: "a descriptor for handshake flags \(flags)", found: answer.description)
      }
      guard try PluginDescriptor(table, context.crumbs).description == first.description else {
        return .fail(expected: "the same description for all", found: "another one for handshake flags \(flags)")
      }
    }
    return first.tableBytes == bytes
      ? .pass() : .fail(expected: "an immutable table [static]", found: "its bytes changed after the first answer")
  }

  private static let knownCapabilities: UInt64 =
    PRV_CAN_CHAT | PRV_CAN_STREAM | PRV_CAN_TOOLS | PRV_CAN_IMAGES | PRV_CAN_THINK | PRV_CAN_WEB_SEARCH
    | PRV_CAN_LIST_MODELS | PRV_CAN_CHECK_HEALTH | PRV_CAN_JSON

  static let capabilities = check(
    "descriptor-capabilities", rule: "PRV-C3", proves: "Its capabilities are those of the minor it was built with.",
    { plugin in
      plugin.description.providers.flatMap { provider -> [String] in
        var faults: [String] = []
        let unknown = provider.capabilities & ~knownCapabilities
        if unknown != 0 && plugin.description.abiMinor <= PRV_ABI_MINOR {
          faults.append("\(provider.id) has the undefined bits 0x\(String(unknown, radix: 16))")
        }
        if provider.capabilities & PRV_CAN_CHAT == 0 && provider.capabilities & PRV_CAN_STREAM != 0 {
          faults.append("\(provider.id) streams but does not chat")
        }
        if provider.capabilities == 0 { faults.append("\(provider.id) can do nothing") }
        return faults
      }
    }, expected: "defined PRV_CAN_ bits, and PRV_CAN_CHAT with PRV_CAN_STREAM")

  static let settingsSchema = check(
    "descriptor-config-schema", rule: "PRV-C4",
    proves: "Its settings are described by a JSON Schema that its own defaults keep.",
    { plugin in
      plugin.description.providers.flatMap { provider -> [String] in
        if provider.configSchemaJSON.isEmpty { return [] }
        guard let schema = SettingsSchema(provider.configSchemaJSON) else {
          return ["the config_schema_json of \(provider.id) is not a JSON object"]
        }
        return schema.faults.map { "\(provider.id): \($0)" }
      }
    }, expected: "a JSON Schema of an object, each default allowed by it")

  static let models = check(
    "descriptor-models", rule: "PRV-C4", proves: "Its built-in catalogue is a prv.models/1 array, each name used once.",
    { plugin in
      plugin.description.providers.flatMap { provider in
        ModelCatalogueFaults.of(provider.modelsJSON).map { "\(provider.id): \($0)" }
      }
    }, expected: #"an array of {"id": …}, unique ids and aliases, positive token counts"#)

  static let baseURL = check(
    "descriptor-base-url", rule: "HOST", proves: "Its default base URL is one that the host would talk to.",
    { plugin in
      plugin.description.providers.filter { !$0.defaultBaseURL.isEmpty && UpstreamOrigin($0.defaultBaseURL) == nil }
        .map { "\($0.id): \"\($0.defaultBaseURL)\"" }
    }, expected: "nothing, or http:// or https:// and a host, without user, password and fragment")

  static let services = check(
    "descriptor-services", rule: "PRV-C4", proves: "It names each service it uses once, as name/REVISION.",
    { plugin in
      plugin.description.providers.flatMap { provider -> [String] in
        let all = provider.requiredServices + provider.optionalServices
        let twice = Set(all.filter { id in all.count { $0 == id } > 1 }).sorted().map { "\($0) twice" }
        return (twice + all.filter { !isExtensionID($0) }.map { "\"\($0)\"" }).map { "\(provider.id): \($0)" }
      }
    }, expected: "ids like prv.http/1, each either required or optional")

  static func isExtensionID(_ id: String) -> Bool {
    let parts = id.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty
      && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) } && parts[1] != "0"
      && parts[0].utf8.allSatisfy {
        (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || [0x2D, 0x2E].contains($0)
      }
  }

  static let limits = check(
    "descriptor-limits", rule: "PRV-C3", proves: "Its temperature and concurrency limits are numbers one can use.",
    { plugin in
      plugin.rawProviders.flatMap { provider -> [String] in
        var faults: [String] = []
        if !provider.temperatureMax.isFinite || !(0...100).contains(provider.temperatureMax) {
          faults.append("\(provider.id): temperature_max is \(provider.temperatureMax)")
        }
        if provider.maxConcurrency > 1_000_000 {
          faults.append("\(provider.id): max_concurrency is \(provider.maxConcurrency)")
        }
        return faults
      }
    }, expected: "a temperature_max from 0 to 100, a max_concurrency of at most 1000000")

  static let tools = check(
    "descriptor-tools", rule: "PRV-C4",
    proves: "Each tool that it contributes is described, and its arguments by a JSON Schema that has the files' too.",
    { plugin in
      plugin.description.providers.flatMap(\.tools).flatMap { tool in ToolFaults.of(tool).map { "\(tool.name): \($0)" }
      }
    }, expected: "a description, and the JSON Schema of an object with each argument for files as an array")

  static let extensionAbsent = Check(
    "query-nonexistent-extension", rule: "PRV-C6", category: .descriptor, needs: .descriptor,
    proves: "An extension that it does not have is answered with null."
  ) { context throws(CheckStop) in
    let plugin = try context.descriptor()
    guard let query = plugin.extensionQuery else { return .pass("it offers none") }
    for id in ["prv.nonsense/9", "", "prv.tools/0", "prv.tools/1x", "prv.tools/999"] {
      let answer = context.crumbs.around("get_extension(\"\(id)\")") { lend(id) { query(plugin.table, $0) } }
      if answer != nil { return .fail(expected: "null for \"\(id)\"", found: "a table") }
    }
    return .pass()
  }
}

extension PluginDescriptor {
  typealias ExtensionQuery = @convention(c) (UnsafePointer<prv_plugin>?, prv_str) -> UnsafeRawPointer?

  /// The table's bytes, as far as this host knows them.
  var tableBytes: [UInt8] {
    let size = min(Int(table.pointee.size), MemoryLayout<prv_plugin>.size)
    return [UInt8](UnsafeRawBufferPointer(start: UnsafeRawPointer(table), count: size))
  }

  /// `get_extension`; nil when it is not provided (C1).
  var extensionQuery: ExtensionQuery? {
    let end = MemoryLayout<prv_plugin>.offset(of: \.get_extension)! + MemoryLayout<UnsafeRawPointer>.size
    guard Int(table.pointee.size) >= end else { return nil }
    return table.pointee.get_extension
  }

  /// What the reader replaces with a default when it makes no sense, as the plugin wrote it.
  var rawProviders: [(id: String, temperatureMax: Double, maxConcurrency: UInt32)] {
    let plugin = table.pointee
    guard let first = plugin.providers else { return [] }
    let end = MemoryLayout<prv_provider_desc>.offset(of: \.reserved)!
    return description.providers.enumerated().map { index, provider in
      let source = UnsafeRawPointer(first) + index * Int(plugin.provider_stride)
      guard Int(source.load(as: UInt32.self)) >= end else { return (provider.id, 0, 0) }
      let desc = source.assumingMemoryBound(to: prv_provider_desc.self)
      return (provider.id, desc.pointee.temperature_max, desc.pointee.max_concurrency)
    }
  }
}
