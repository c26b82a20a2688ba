import CProviderABI
import ProviderAPI
import ProviderTesting
import Synchronization
import Testing

/// A provider whose chat does what the test says. Tests run at once, so each brings its own script by name.
final class Scripted: Provider {
  static let descriptor = ProviderDescriptor(
    id: "scripted", displayName: "Scripted", capabilities: [.chat, .stream, .listModels, .checkHealth],
    settingsSchema: "{}", requiredServices: ["prv.time/1"], optionalServices: ["prv.http/1"], temperatureMax: 1.5,
    maxConcurrency: 7,
    models: [ModelDescription(id: "m-1", aliases: ["m"], contextTokens: 100, capabilities: ["tools"])])

  struct Script: Sendable {
    var chat: @Sendable (ChatRequest, consuming ChatStream) async throws(ProviderError) -> ChatEnd = {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in stream.finish(.stop)
    }
    var models: @Sendable (CallContext) async throws(ProviderError) -> [ModelDescription]? = {
      (_: CallContext) async throws(ProviderError) -> [ModelDescription]? in nil
    }
  }

  private static let scripts = Mutex<[String: Script]>([:])
  private let script: Script

  init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError) {
    let name = try settings.string("script", default: "")
    guard let script = Self.scripts.withLock({ $0[name] }) else {
      throw ProviderError(.invalidArgument, "script must name a script, got \(name)")
    }
    self.script = script
  }

  func chat(_ request: ChatRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    try await script.chat(request, stream)
  }

  func models(_ context: CallContext) async throws(ProviderError) -> [ModelDescription]? {
    try await script.models(context)
  }

  /// Makes an instance that follows `script`.
  static func instance(on host: MockHost, _ script: Script, name: String = #function) throws -> MockInstance {
    scripts.withLock { $0[name] = script }
    defer { scripts.withLock { $0[name] = nil } }
    return try host.makeInstance(entry, provider: "scripted", settings: "{\"script\":\"\(name)\"}")
  }

  static func instance(
    on host: MockHost, name: String = #function,
    chat: @escaping @Sendable (ChatRequest, consuming ChatStream) async throws(ProviderError) -> ChatEnd
  ) throws -> MockInstance {
    try instance(on: host, Script(chat: chat), name: name)
  }

  static var entry: MockHost.Entry { { PluginEntry.answer($0, $1, plugin: plugin) } }

  static let plugin = PluginDescriptor(
    id: "org.patchbay.scripted", name: "Scripted", vendor: "Tests", version: "1.0.0", description: "For tests.",
    providers: [Scripted.self])
}
