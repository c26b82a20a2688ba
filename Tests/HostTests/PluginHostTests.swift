import CProviderABI
import Glibc
import Synchronization
import Testing

@testable import Host

/// Detection and registration, once, however many ask.
@Suite struct PluginHostTests {
  private let directory: TemporaryDirectory
  private let state: TemporaryDirectory
  private let log: LogReader

  init() throws {
    directory = try TemporaryDirectory()
    state = try TemporaryDirectory()
    log = try LogReader()
  }

  private func makeHost(_ providers: ProviderSettings..., hasUpstream: Bool = true) throws -> PluginHost {
    let settings = PluginHostSettings(
      directories: [directory.path], stateDirectory: state.path, providers: providers)
    let upstream = ScriptedUpstream()
    return PluginHost(settings: settings, log: log.log, loops: [try EventLoop(index: 0)]) { _ in
      hasUpstream ? upstream : nil
    }
  }

  private func count(_ name: String, _ plugin: FoundPlugin) throws -> Int32 {
    let library = try #require(dlopen(plugin.copyPath, RTLD_NOW | RTLD_NOLOAD))
    let symbol = try #require(dlsym(library, "fixture_" + name))
    return symbol.assumingMemoryBound(to: Atomic<Int32>.self).pointee.load(ordering: .sequentiallyConsistent)
  }

  @Test func `64 threads that ask 100 times each make each provider once`() throws {
    try PluginFixture.compile("calls", to: "calls.so", in: directory)
    let host = try makeHost(
      ProviderSettings(id: "first", plugin: "calls"), ProviderSettings(id: "second", plugin: "calls"))
    let answers = PluginBench.together(64) {
      var seen: Set<ObjectIdentifier> = []
      for _ in 0..<100 {
        seen.insert(ObjectIdentifier(host.detect()))
        seen.insert(ObjectIdentifier(host.register()))
      }
      return seen
    }
    #expect(answers.reduce(into: Set()) { $0.formUnion($1) }.count == 2)
    let registry = host.register()
    #expect(registry.providers.map(\.information.id) == ["first", "second"])
    let plugin = try #require(registry.plugins.first)
    #expect(try count("creates", plugin) == 2)
    #expect(try count("starts", plugin) == 2)
    let lines = [try log.line(), try log.line()].sorted()
    #expect(lines == ["info Provider detection already complete", "info Providers already configured"])
  }

  @Test func `a provider says what its descriptor and the configuration say`() throws {
    try PluginFixture.compile("calls", to: "calls.so", in: directory)
    var settings = ProviderSettings(id: "mine", plugin: "calls")
    settings.models = [.init(id: "m1"), .init(id: "m2")]
    let registry = try makeHost(settings).register()
    let information = try #require(registry.providers.first).information
    #expect(information.displayName == "Calls")
    #expect(information.pluginPath == directory.path + "/calls.so")
    #expect(information.baseURL == "https://api.example.org/v1")
    #expect(information.modelsJSON == #"[{"id":"m1"},{"id":"m2"}]"#)
    #expect(information.defaultLimit == 7)
    #expect(information.temperatureMax == 2)
  }

  @Test func `what stops one provider leaves the others`() throws {
    try PluginFixture.compile("calls", to: "calls.so", in: directory)
    try PluginFixture.compile("refusals", to: "refused.so", in: directory)
    var foreign = ProviderSettings(id: "foreign", plugin: "calls")
    foreign.baseURL = "https://user:secret@example.org"
    var off = ProviderSettings(id: "off", plugin: "calls")
    off.isEnabled = false
    let registry = try makeHost(
      ProviderSettings(id: "absent", plugin: "nowhere"), ProviderSettings(id: "keyless", plugin: "more-calls"),
      ProviderSettings(id: "unwilling", plugin: "refused"), foreign, off, ProviderSettings(id: "good", plugin: "calls"),
      ProviderSettings(id: "good", plugin: "calls")
    ).register()
    #expect(registry.providers.map(\.information.id) == ["good"])
    #expect(
      registry.refusedProviders.map(\.description) == [
        "cannot start provider absent: no loaded plugin offers \"nowhere\"; "
          + "put its plugin into one of the plugin directories",
        "cannot start provider keyless: it has no API key; set api_key of the provider",
        "cannot start provider unwilling: `create` answered -1 and said: the fixture makes no instances; "
          + "correct the provider's settings",
        "cannot start provider foreign: \"https://user:secret@example.org\" of provider \"foreign\" "
          + "is not an http or https URL without user information; correct base_url or allowed_origins",
        "cannot start provider good: another provider has the same id; give each provider its own id",
      ])
  }

  @Test(arguments: ["LONGER_PROVIDER", "SHORTER_PROVIDER", "OLD_INSTANCE"])
  func `plugins of other minors are served`(version: String) throws {
    try PluginFixture.compile("calls", ["-D" + version], to: "calls.so", in: directory)
    let registry = try makeHost(ProviderSettings(id: "other", plugin: "calls")).register()
    #expect(registry.providers.map(\.information.id) == ["other"])
    let descriptions = try #require(registry.plugins.first).description.providers
    #expect(descriptions.map(\.id) == ["calls", "more-calls"])
    #expect(descriptions.map(\.capabilities).first == PRV_CAN_CHAT | (version == "OLD_INSTANCE" ? PRV_CAN_STREAM : 0))
    #expect(descriptions.allSatisfy { $0.temperatureMax == 2 })
  }

  @Test func `stopping and freeing a registry reaches every instance`() throws {
    try PluginFixture.compile("calls", to: "calls.so", in: directory)
    let registry = try makeHost(
      ProviderSettings(id: "first", plugin: "calls"), ProviderSettings(id: "second", plugin: "calls")
    ).register()
    registry.stop()
    #expect(registry.destroy().isEmpty)
    let plugin = try #require(registry.plugins.first)
    #expect(try count("stops", plugin) == 2)
    #expect(try count("destroys", plugin) == 2)
  }
}
