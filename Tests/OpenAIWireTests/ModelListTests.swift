import JSON
import ProviderAPI
import Testing

@testable import OpenAIWire

@Suite struct `The model list` {
  private func decoded(_ body: String) throws -> [ModelDescription] {
    var bytes = Array(body.utf8)
    return try bytes.withUnsafeMutableBytes { try ModelList.decode(UnsafeRawBufferPointer($0)) }
  }

  @Test func `reads what servers write`() throws {
    let models = try decoded(
      """
      {"object":"list","data":[{"id":"a","object":"model","created":1},{"id":"b","context_length":7,
      "supports_image_in":true,"supports_reasoning":true},{"id":"c","max_model_len":8},
      {"id":"d","aliases":["e"],"meta":{"n_ctx_train":9}},{"id":""},{"object":"model"}]}
      """)
    #expect(
      models == [
        ModelDescription(id: "a"), ModelDescription(id: "b", contextTokens: 7, capabilities: ["images", "thinking"]),
        ModelDescription(id: "c", contextTokens: 8), ModelDescription(id: "d", aliases: ["e"], contextTokens: 9),
      ])
    #expect(try decoded(#"[{"id":"a"}]"#) == [ModelDescription(id: "a")])
    #expect(try decoded(#"{"models":[{"name":"a"}]}"#) == [ModelDescription(id: "a")])
    #expect(try decoded(#"{"data":[]}"#) == [])
  }

  @Test(arguments: ["", "{}", #"{"data":1}"#, "1", "<html>"])
  func `is refused when it is none`(body: String) {
    let error = #expect(throws: ProviderError.self) { try decoded(body) }
    #expect(error?.code == .badResponse)
  }

  @Test func `is completed by the catalogue, and overrules it`() {
    let listed = [
      ModelDescription(id: "b", contextTokens: 5, capabilities: ["images"]), ModelDescription(id: "x"),
    ]
    let catalogue = [
      ModelDescription(id: "a"),
      ModelDescription(id: "b", aliases: ["bb"], contextTokens: 9, outputTokens: 3, capabilities: ["images", "tools"]),
    ]
    #expect(
      ModelList.merge(listed, with: catalogue) == [
        ModelDescription(
          id: "b", aliases: ["bb"], contextTokens: 5, outputTokens: 3, capabilities: ["images", "tools"]),
        ModelDescription(id: "x"),
      ])
  }

  @Test func `may be configured, by ids and by objects`() throws {
    func configured(_ text: String) throws -> [ModelDescription]? {
      try ModelList.configured(ProviderSettings(json: JSONValue(parsing: text)))
    }
    #expect(try configured("{}") == nil)
    #expect(try configured(#"{"models":[]}"#) == nil)
    #expect(
      try configured(
        #"{"models":["a",{"id":"b","aliases":["c"],"context_tokens":1,"output_tokens":2,"capabilities":["tools"]}]}"#)
        == [
          ModelDescription(id: "a"),
          ModelDescription(id: "b", aliases: ["c"], contextTokens: 1, outputTokens: 2, capabilities: ["tools"]),
        ])
    #expect(
      throws: ProviderError(.invalidArgument, "models.1 must be an id or an object with an id, got 7")
    ) { try configured(#"{"models":["a",7]}"#) }
    #expect(throws: ProviderError.self) { try configured(#"{"models":"a"}"#) }
  }
}
