import Testing

@testable import Host

private func provider(_ id: String, models: String = "[]") -> ProviderInformation {
  ProviderInformation(
    id: id, pluginID: id, pluginPath: "", pluginVersion: "1", displayName: id, capabilities: 0, temperatureMax: 1,
    defaultLimit: 1, modelsJSON: models, baseURL: "")
}

private func listed(_ id: String, _ provider: Int = 0, contextTokens: Int64? = nil) -> ModelEntry {
  ModelEntry(id: id, provider: provider, providerID: "p\(provider)", contextTokens: contextTokens)
}

struct ModelDirectoryTests {
  @Test func `what the configuration lists is final`() {
    var directory = ModelDirectory(
      providers: [provider("p0", models: #"[{"id":"mine"}]"#)], configured: [true], defaultName: nil)
    #expect(!directory.wantsList(0))
    directory.listed([listed("other")], by: 0)
    #expect(directory.catalogue.models.map(\.id) == ["mine"])
  }

  @Test func `a plugin's catalogue stands until the provider has listed`() {
    var directory = ModelDirectory(
      providers: [provider("p0", models: #"[{"id":"old"}]"#)], configured: [false], defaultName: nil)
    #expect(directory.wantsList(0))
    #expect(directory.catalogue.models.map(\.id) == ["old"])
    directory.listed([], by: 0)
    #expect(directory.catalogue.models.map(\.id) == ["old"], "an empty list takes nothing away")
    directory.listed([listed("new")], by: 0)
    #expect(directory.catalogue.models.map(\.id) == ["new"])
  }

  @Test func `what the list leaves out of a model is taken from the plugin's catalogue, also the second time`() throws {
    let known =
      #"[{"id":"a","aliases":["x"],"context_tokens":1,"output_tokens":2,"capabilities":["tools"]},{"id":"b"}]"#
    var directory = ModelDirectory(
      providers: [provider("p0", models: known)], configured: [false], defaultName: nil)
    directory.listed([listed("c")], by: 0)
    directory.listed([listed("a", contextTokens: 9), listed("c")], by: 0)
    let first = try #require(directory.catalogue["a"])
    #expect(first.contextTokens == 9)
    #expect(first.outputTokens == 2)
    #expect(first.aliases == ["x"])
    #expect(first.capabilities == ["tools"])
    #expect(directory.catalogue["x"]?.id == "a")
    #expect(directory.catalogue["b"] == nil)
    #expect(directory.catalogue["c"]?.capabilities == [])
  }

  @Test func `models stand in the order of the providers, and the default is found when its provider lists it`() {
    var directory = ModelDirectory(
      providers: [provider("p0"), provider("p1", models: #"[{"id":"z"}]"#)], configured: [false, false],
      defaultName: "late")
    #expect(!directory.hasModels(0))
    #expect(directory.hasModels(1))
    #expect(!directory.hasDefault)
    directory.listed([listed("late")], by: 0)
    #expect(directory.hasDefault)
    #expect(directory.catalogue.models.map(\.id) == ["late", "z"])
    #expect(directory.catalogue.defaultModel == 0)
  }
}
