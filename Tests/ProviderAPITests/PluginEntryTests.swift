import CProviderABI
import ProviderAPI
import ProviderTesting
import Testing

@Suite struct `A plugin's entry` {
  private func string(_ text: prv_str) -> String {
    String(
      decoding: UnsafeRawBufferPointer(start: text.ptr.map { UnsafeRawPointer($0) }, count: Int(text.len)),
      as: UTF8.self)
  }

  @Test func `answers the same descriptor each time`() throws {
    let first = try MockHost.handshake(Scripted.entry)
    #expect(try MockHost.handshake(Scripted.entry) == first)
    let plugin = first.pointee
    #expect(plugin.size == MemoryLayout<prv_plugin>.size)
    #expect(string(plugin.id) == "org.patchbay.scripted")
    #expect(string(plugin.sdk) == "patchbay-swift 1.0")
    #expect(plugin.provider_count == 1)
    #expect(plugin.provider_stride == UInt64(MemoryLayout<prv_provider_desc>.stride))
    let provider = try #require(plugin.providers?.pointee)
    #expect(string(provider.id) == "scripted")
    #expect(provider.capabilities == 1 | 2 | 64 | 128)
    #expect(string(provider.config_schema_json) == "{}")
    #expect(provider.required_service_count == 1)
    #expect(try string(#require(provider.required_services?.pointee)) == "prv.time/1")
    #expect(provider.temperature_max == 1.5)
    #expect(provider.max_concurrency == 7)
    #expect(
      string(provider.models_json)
        == "[{\"id\":\"m-1\",\"aliases\":[\"m\"],\"context_tokens\":100,\"capabilities\":[\"tools\"]}]")
  }

  @Test func `refuses a stranger and a host that needs a newer minor`() {
    let stranger = #expect(throws: MockFailure.self) { try MockHost.handshake(Scripted.entry, magic: 1) }
    #expect(stranger?.status == PRV_E_INCOMPATIBLE)
    let newer = #expect(throws: MockFailure.self) { try MockHost.handshake(Scripted.entry, minimumMinor: 1) }
    #expect(newer?.status == PRV_E_INCOMPATIBLE)
    #expect(
      newer?.message
        == "org.patchbay.scripted was built for provider ABI 1.0, the host asks for at least 1.1; rebuild the plugin")
  }

  @Test func `does not make what it does not have`() {
    let host = MockHost()
    let failure = #expect(throws: MockFailure.self) { try host.makeInstance(Scripted.entry, provider: "scriptedx") }
    #expect(failure?.status == PRV_E_NOT_FOUND)
  }

  @Test(arguments: ["{", "[]", "1"])
  func `refuses settings that are no object`(settings: String) {
    let host = MockHost()
    let failure = #expect(throws: MockFailure.self) {
      try host.makeInstance(Scripted.entry, provider: "scripted", settings: settings)
    }
    #expect(failure?.status == PRV_E_INVALID_ARGUMENT)
  }

  @Test func `needs the services that every host offers`() {
    let failure = #expect(throws: MockFailure.self) {
      try MockHost(missing: ["prv.exec/1"]).makeInstance(Scripted.entry, provider: "scripted")
    }
    #expect(failure?.message == "the host offers no service prv.exec/1, which every provider needs")
  }

  @Test func `lists models, or says that it cannot`() throws {
    let host = MockHost()
    var script = Scripted.Script()
    script.models = { (context: CallContext) async throws(ProviderError) -> [ModelDescription]? in
      context.log(.info, "asked for models", ["count": "2"])
      return [ModelDescription(id: "a"), ModelDescription(id: "\"b\"")]
    }
    let instance = try Scripted.instance(on: host, script)
    let models = try instance.open(PRV_CALL_MODELS)
    let health = try instance.open(PRV_CALL_HEALTH)
    host.run()
    #expect(models.events.map(\.text) == ["{\"id\":\"a\"}", "{\"id\":\"\\\"b\\\"\"}", ""])
    #expect(models.finishReason == "stop")
    #expect(health.finishReason == "stop")
    #expect(host.logLines == ["20 asked for models count=2", "20 asked for models count=2"])

    let silent = try Scripted.instance(on: host, Scripted.Script(), name: "silent")
    let none = try silent.open(PRV_CALL_MODELS)
    let unknown = try silent.open(PRV_CALL_HEALTH)
    host.run()
    #expect(none.dones.map(\.status) == [PRV_E_UNSUPPORTED])
    #expect(unknown.dones.map(\.status) == [PRV_E_UNSUPPORTED])
  }
}
