import Bytes
import JSON
import Testing

@testable import Host

private func model(_ id: String, _ provider: Int = 0, aliases: [String] = []) -> ModelEntry {
  ModelEntry(id: id, provider: provider, providerID: ["kimi", "glm"][provider], aliases: aliases)
}

struct ModelCatalogueTests {
  @Test func `a model is found by its id, its alias, and both behind its provider's name`() {
    let catalogue = ModelCatalogue(models: [model("k2", aliases: ["latest"]), model("glm-4", 1)])
    for name in ["k2", "latest", "kimi/k2", "kimi/latest"] { #expect(catalogue[name]?.id == "k2") }
    for name in ["glm-4", "glm/glm-4"] { #expect(catalogue[name]?.id == "glm-4") }
    for name in ["K2", "glm/k2", "", "kimi/", "/k2"] { #expect(catalogue[name] == nil) }
  }

  @Test func `of two with the same name the first provider's answers, and the other to its qualified name`() {
    let catalogue = ModelCatalogue(models: [model("m"), model("m", 1)])
    #expect(catalogue["m"]?.providerID == "kimi")
    #expect(catalogue["glm/m"]?.providerID == "glm")
  }

  @Test func `an alias never hides a model, also one that comes later`() {
    let catalogue = ModelCatalogue(models: [model("a", aliases: ["b", "c"]), model("b", 1, aliases: ["c"])])
    #expect(catalogue["b"]?.id == "b")
    #expect(catalogue["c"]?.id == "a")
    #expect(catalogue["kimi/b"]?.id == "a")
    #expect(catalogue["glm/c"]?.id == "b")
  }

  @Test func `the default is the one that was named, or the first; a name nobody serves is none`() {
    let models = [model("a"), model("b", 1, aliases: ["bee"])]
    #expect(ModelCatalogue(models: models).defaultModel == 0)
    #expect(ModelCatalogue(models: models, defaultName: "bee").defaultModel == 1)
    #expect(ModelCatalogue(models: models, defaultName: "glm/b").defaultModel == 1)
    #expect(ModelCatalogue(models: models, defaultName: "c").defaultModel == nil)
    #expect(ModelCatalogue(models: []).defaultModel == nil)
  }

  @Test(arguments: [(255, true), (256, false)])
  func `only so many names are compared with an unknown one, and all are still found`(before: Int, isCompared: Bool) {
    #expect(ModelCatalogue.comparedNames == 256)
    let catalogue = ModelCatalogue(models: (0..<before).map { model("x\($0)") } + [model("needle")])
    #expect(catalogue.names(near: "needles").contains("needle") == isCompared)
    #expect(catalogue["needle"]?.id == "needle")
  }

  @Test(arguments: [(31, 31), (32, 32), (33, 32)])
  func `a model keeps so many aliases`(listed: Int, kept: Int) throws {
    let aliases = JSONValue.array((0..<listed).map { .string("a\($0)") })
    let entry = ModelEntry(
      .object([.init("id", .string("m")), .init("aliases", aliases)]), provider: 0, providerID: "p")
    #expect(entry?.aliases.count == kept)
  }

  @Test func `a default that nobody serves is named in the answer`() {
    let routing = Routing(providers: [], catalogue: ModelCatalogue(models: [model("a")], defaultName: "gone"))
    let error = #expect(throws: CallError.self) { try routing.model(named: nil) }
    #expect(error?.message == "default_model gone is served by no provider; name a model (list_models)")
  }

  @Test func `up to three near names are given, nearest first`() {
    let names = ["kimi-k2.6", "kimi-k2.5", "glm-4.5-flash", "glm-4.5", "unrelated-long-name"]
    let catalogue = ModelCatalogue(models: names.map { model($0) })
    #expect(catalogue.names(near: "kimi-k26").first == "kimi-k2.6")
    #expect(catalogue.names(near: "GLM-4.5").prefix(2) == ["glm-4.5", "glm-4.5-flash"])
    #expect(catalogue.names(near: "k2").prefix(2) == ["kimi-k2.5", "kimi-k2.6"])
    #expect(catalogue.names(near: "4").count <= 3)
    #expect(catalogue.names(near: "zzzzzzzzzzzzzzzzzzzzzzzzzzzz").isEmpty)
  }

  @Test(
    arguments: [
      ("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "ac", 1),
      ("kitten", "sitting", 3),
    ])
  func `edits are counted`(left: String, right: String, edits: Int) {
    #expect(EditDistance.between(Array(left.utf8), Array(right.utf8)) == edits)
    #expect(EditDistance.between(Array(right.utf8), Array(left.utf8)) == edits)
  }

  @Test func `a provider's list is read with all it says, and what has no usable id is counted`() throws {
    let json = """
      [{"id":"a","aliases":["x"],"context_tokens":200000,"output_tokens":8192,"capabilities":["tools"]},
       {"id":"b"}, {"id":""}, {"id":"\(String(repeating: "x", count: 100))"}, {"name":"c"}, 7,
       {"id":"\(String(repeating: "x", count: 101))"}]
      """
    let (models, malformed) = ModelEntry.entries(fromJSON: json, provider: 1, providerID: "glm")
    #expect(models.map(\.id) == ["a", "b", String(repeating: "x", count: 100)])
    #expect(malformed == 4)
    let first = try #require(models.first)
    #expect(
      first
        == ModelEntry(
          id: "a", provider: 1, providerID: "glm", aliases: ["x"], contextTokens: 200_000, outputTokens: 8_192,
          capabilities: ["tools"]))
    #expect(models[1] == ModelEntry(id: "b", provider: 1, providerID: "glm"))
  }

  @Test(arguments: [("", 0), ("{}", 1), ("[", 1), ("[]", 0)])
  func `a list that is none has no models`(json: String, malformed: Int) {
    let entries = ModelEntry.entries(fromJSON: json, provider: 0, providerID: "p")
    #expect(entries.models.isEmpty)
    #expect(entries.malformed == malformed)
  }

  @Test func `an entry is written as the protocol shows it`() {
    var buffer = ByteBuffer()
    ModelEntry(id: "a\"", provider: 0, providerID: "p", aliases: ["x"], contextTokens: 5).write(to: &buffer)
    #expect(
      buffer.string()
        == #"{"id":"a\"","provider":"p","context_tokens":5,"output_tokens":null,"capabilities":[],"aliases":["x"]}"#)
  }

  @Test func `a request without a model gets the default, and an unknown name the near ones`() throws {
    let routing = Routing(providers: [], catalogue: ModelCatalogue(models: [model("kimi-k2"), model("glm-4", 1)]))
    #expect(try routing.model(named: nil).id == "kimi-k2")
    #expect(try routing.model(named: "glm/glm-4").id == "glm-4")
    let error = #expect(throws: CallError.self) { try routing.model(named: "kimi-k3") }
    #expect(error?.code == .notFound)
    #expect(error?.message == "Unknown model: kimi-k3; near: kimi-k2")
    #expect(error?["requested_model"] == .string("kimi-k3"))
    #expect(error?["near"] == .strings(["kimi-k2"]))
    let far = #expect(throws: CallError.self) { try routing.model(named: "qqqqqqqqqqqqqqqq") }
    #expect(far?.message == "Unknown model: qqqqqqqqqqqqqqqq; list_models names them all")
    let none = #expect(throws: CallError.self) { try Routing.empty.model(named: nil) }
    #expect(none?.code == .notFound)
  }
}
