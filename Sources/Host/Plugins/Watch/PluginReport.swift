import JSON

/// What serves and what does not, for `patchbay plugin list` of a running host. Thread: control.
struct PluginReport {
  private let registry: ProviderRegistry?
  private let phase: String

  init(_ providers: ProviderBringUp, _ updates: PluginUpdates) {
    registry = providers.registry
    phase = updates.phase
  }

  var json: JSONValue {
    let serving = registry.map { registry in registry.active.map { Self.describe(registry.entries[$0]) } }
    return .object([
      .init("phase", .string(phase)), .init("providers", .array(serving ?? [])),
      .init("refused_updates", .array(registry?.refusedUpdates.map(Self.describe) ?? [])),
      .init("refused_providers", .array(registry?.refusedProviders.map(Self.describe) ?? [])),
      .init("refused_files", .array(registry?.refused.map(Self.describe) ?? [])),
    ])
  }

  private static func describe(_ entry: ProviderRegistry.Entry) -> JSONValue {
    let information = entry.provider.information
    let origin = entry.provider.origin
    return .object([
      .init("id", .string(information.id)), .init("plugin", .string(information.pluginID)),
      .init("version", .string(information.pluginVersion)), .init("path", .string(origin.path)),
      .init("sha256", .string(origin.sha256)), .init("isolation", .string(origin.isolation.rawValue)),
      .init("generation", .integer(Int64(entry.generation))),
      .init("sandbox_lacks", .array(origin.sandboxLacks.map(JSONValue.string))),
      .init("open_calls", .integer(Int64(entry.provider.openCalls))),
    ])
  }

  private static func describe(_ update: RefusedUpdate) -> JSONValue {
    .object([
      .init("provider", .string(update.provider)), .init("path", .string(update.path)),
      .init("sha256", .string(update.sha256)), .init("reason", .string(update.reason)),
      .init("remedy", .string(update.remedy)),
    ])
  }

  private static func describe(_ refusal: ProviderRefusal) -> JSONValue {
    .object([
      .init("provider", .string(refusal.id)), .init("reason", .string(refusal.reason)),
      .init("remedy", .string(refusal.remedy)),
    ])
  }

  private static func describe(_ refusal: PluginRefusal) -> JSONValue {
    .object([
      .init("path", .string(refusal.path)), .init("reason", .string(refusal.reason)),
      .init("remedy", .string(refusal.remedy)),
    ])
  }
}
