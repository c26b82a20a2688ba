import JSON
import ProviderAPI
import Testing

@testable import OpenAIWire

/// Writes `body` in a dialect and reads what came out.
func written(_ body: String, in dialect: Dialect = Dialect(), continuing: String = "") throws -> String {
  var bytes = Array(body.utf8)
  let result: Result<[UInt8], ProviderError> = try bytes.withUnsafeMutableBytes {
    let json = try JSONView(parsing: UnsafeRawBufferPointer($0))
    do throws(ProviderError) {
      return .success(
        try ChatRequestBody.write(json, model: "m\"1", in: dialect, continuing: Array(continuing.utf8)))
    } catch {
      return .failure(error)
    }
  }
  let text = String(decoding: try result.get(), as: UTF8.self)
  _ = try JSONValue(parsing: text)
  return text
}

@Suite struct `The request body` {
  private static let head = #"{"model":"m\"1","stream":true,"stream_options":{"include_usage":true}"#

  @Test func `copies what needs no change as it stands`() throws {
    let rest =
      #""messages":[ {"role":"user","content":"\u00e9 \/ é"} ],"stop":["a"],"top_p":0.90,"seed":12345678901234567890"#
    #expect(try written("{\(rest)}") == "\(Self.head),\(rest)}")
  }

  @Test func `says itself what is its own business`() throws {
    let body =
      #"{"model":"x","stream":false,"stream_options":{},"n":3,"patchbay":{"session":"s"},"tool_stream":1,"messages":[]}"#
    #expect(try written(body) == "\(Self.head),\"messages\":[]}")
  }

  @Test func `leaves out what is null`() throws {
    #expect(
      try written(#"{"messages":[],"stop":null,"tools":null,"max_tokens":null}"#) == "\(Self.head),\"messages\":[]}")
  }

  @Test func `asks for usage only where that is known`() throws {
    var dialect = Dialect()
    dialect.asksForUsage = false
    #expect(try written(#"{"messages":[]}"#, in: dialect) == #"{"model":"m\"1","stream":true,"messages":[]}"#)
  }

  @Test(arguments: [
    (#"{"max_tokens":7}"#, #""max_completion_tokens":7"#),
    (#"{"max_completion_tokens":7}"#, #""max_completion_tokens":7"#),
    (#"{"max_tokens":7,"max_completion_tokens":8}"#, #""max_completion_tokens":8"#),
  ])
  func `bounds the answer under the dialect's name, once`(body: String, expected: String) throws {
    var dialect = Dialect()
    dialect.maximumTokensMember = "max_completion_tokens"
    #expect(try written(body, in: dialect) == "\(Self.head),\(expected)}")
  }

  @Test func `drops sampling that is fixed`() throws {
    var dialect = Dialect()
    dialect.sampling = .fixed
    let body = #"{"temperature":0.3,"top_p":1,"presence_penalty":1,"frequency_penalty":1,"messages":[]}"#
    #expect(try written(body, in: dialect) == "\(Self.head),\"messages\":[]}")
  }

  @Test(arguments: [("0", "0.01"), ("0.01", "0.01"), ("0.50", "0.50"), ("0.99", "0.99"), ("1", "0.99")])
  func `moves sampling into its bounds`(given: String, sent: String) throws {
    var dialect = Dialect()
    dialect.sampling = .bounded(temperature: 0.01...0.99, topP: 0.01...0.99)
    #expect(
      try written(#"{"temperature":\#(given),"top_p":\#(given),"presence_penalty":2}"#, in: dialect)
        == #"\#(Self.head),"temperature":\#(sent),"top_p":\#(sent),"presence_penalty":2}"#)
  }

  // MARK: - Tools

  @Test func `appends the search tool to the others`() throws {
    var dialect = Dialect()
    dialect.webSearchTool = #"{"type":"search"}"#
    dialect.asksForToolStream = true
    let search = #""patchbay":{"web_search":true}"#
    #expect(try written("{\(search)}", in: dialect) == Self.head + #","tools":[{"type":"search"}],"tool_stream":true}"#)
    #expect(
      try written(#"{"tools":[{"a":1}, {"b":2}],"tool_choice":"auto",\#(search)}"#, in: dialect)
        == Self.head + #","tool_choice":"auto","tools":[{"a":1},{"b":2},{"type":"search"}],"tool_stream":true}"#)
    #expect(try written(#"{"tools":[],"patchbay":{"web_search":false}}"#, in: dialect) == "\(Self.head)}")
  }

  @Test func `refuses a search that the provider does not have`() {
    #expect(throws: ProviderError(.unsupported, "the provider has no web search", isRetryable: false)) {
      try written(#"{"patchbay":{"web_search":true}}"#)
    }
  }

  @Test func `says no tool choice but auto to a provider that knows no other`() throws {
    var dialect = Dialect()
    dialect.toolChoice = .automatic
    let tools = #""tools":[{"a":1}]"#
    #expect(
      try written(#"{\#(tools),"tool_choice":"auto"}"#, in: dialect)
        == #"\#(Self.head),"tool_choice":"auto",\#(tools)}"#)
    #expect(try written(#"{\#(tools),"tool_choice":"none"}"#, in: dialect) == "\(Self.head)}")
    for choice in [#""required""#, #"{"type":"function","function":{"name":"f"}}"#] {
      #expect(throws: ProviderError.self) { try written(#"{\#(tools),"tool_choice":\#(choice)}"#, in: dialect) }
    }
  }

  // MARK: - Thinking and session

  @Test(arguments: ["minimal", "low", "medium", "high", "max"])
  func `asks for thinking in the dialect's words`(level: String) throws {
    let body = #"{"patchbay":{"thinking":"\#(level)"}}"#
    #expect(try written(body) == "\(Self.head)}")
    var dialect = Dialect()
    dialect.thinking = .toggled
    let type = level == "minimal" ? "disabled" : "enabled"
    #expect(try written(body, in: dialect) == #"\#(Self.head),"thinking":{"type":"\#(type)"}}"#)
    dialect.thinking = .effort(.init(minimal: "minimal", low: "low", medium: "medium", high: "high", max: "max"))
    #expect(try written(body, in: dialect) == #"\#(Self.head),"reasoning_effort":"\#(level)"}"#)
  }

  @Test func `hands on the session where it helps a cache`() throws {
    var dialect = Dialect()
    dialect.sessionMember = "prompt_cache_key"
    #expect(
      try written(#"{"patchbay":{"session":"s\"1"}}"#, in: dialect) == #"\#(Self.head),"prompt_cache_key":"s\"1"}"#)
    #expect(try written(#"{"patchbay":{}}"#, in: dialect) == "\(Self.head)}")
  }

  // MARK: - Messages

  @Test func `returns reasoning unmodified, or leaves it out`() throws {
    let message = #"{"role":"assistant","reasoning_content":"\u0041 ","content":"b"}"#
    #expect(try written(#"{"messages":[\#(message)]}"#) == #"\#(Self.head),"messages":[\#(message)]}"#)
    var dialect = Dialect()
    dialect.returnsReasoning = false
    #expect(
      try written(#"{"messages":[\#(message),{"role":"user"}]}"#, in: dialect)
        == #"\#(Self.head),"messages":[{"role":"assistant","content":"b"},{"role":"user"}]}"#)
  }

  @Test func `writes the developer as system where that role is not known`() throws {
    var dialect = Dialect()
    dialect.knowsDeveloperRole = false
    #expect(
      try written(#"{"messages":[{"content":"developer","role":"developer"}]}"#, in: dialect)
        == #"\#(Self.head),"messages":[{"content":"developer","role":"system"}]}"#)
  }

  @Test(arguments: [
    (#""content":"","#, ""), (#""content":[{"type":"text","text":""}],"#, ""), (#""content":[],"#, ""),
    (#""content":"a","#, #""content":"a","#), (#""content":null,"#, #""content":null,"#),
    (#""content":[{"type":"text","text":"a"}],"#, #""content":[{"type":"text","text":"a"}],"#),
  ])
  func `leaves out empty content beside tool calls where it is refused`(given: String, sent: String) throws {
    var dialect = Dialect()
    dialect.refusesEmptyContent = true
    let rest = #""role":"assistant","reasoning_content":"","tool_calls":[{"id":"1"}]"#
    #expect(
      try written(#"{"messages":[{\#(given)\#(rest)}]}"#, in: dialect)
        == #"\#(Self.head),"messages":[{\#(sent)\#(rest)}]}"#)
    #expect(
      try written(#"{"messages":[{"role":"assistant","content":""}]}"#, in: dialect)
        == #"\#(Self.head),"messages":[{"role":"assistant","content":""}]}"#)
  }

  @Test func `continues the conversation`() throws {
    #expect(
      try written(#"{"messages":[{"a":1}]}"#, continuing: #"{"b":2},{"c":3}"#)
        == #"\#(Self.head),"messages":[{"a":1},{"b":2},{"c":3}]}"#)
    #expect(try written(#"{"messages":[]}"#, continuing: "{}") == #"\#(Self.head),"messages":[{}]}"#)
  }

  @Test func `hands on images by URL and by data`() throws {
    let parts =
      #"[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]"#
    #expect(try written(#"{"messages":[{"role":"user","content":\#(parts)}]}"#).contains(parts))
  }
}
