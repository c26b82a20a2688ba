import ProviderAPI
import Testing

@testable import OpenAIWire

@Suite struct `Tool calls` {
  private func calls(_ deltas: [String], in dialect: Dialect = Dialect()) -> Transcript {
    Transcript(of: deltas.map { chunk(#"{"tool_calls":[\#($0)]}"#) } + [finish("tool_calls")], in: dialect)
  }

  @Test func `are told apart by index while their pieces mix`() {
    let answer = calls([
      #"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
      #"{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}"#,
      #"{"index":0,"function":{"arguments":"1"}},{"index":1,"function":{"arguments":"}"}}"#,
    ])
    #expect(answer.calls == ["a f 1", "b g {}"])
  }

  @Test func `without an index continue the last one, and begin with a new id and name`() {
    let answer = calls([
      #"{"id":"a","function":{"name":"f","arguments":"1"}}"#, #"{"function":{"arguments":"2"}}"#,
      #"{"id":"b","function":{"name":"g","arguments":"3"}}"#,
    ])
    #expect(answer.calls == ["a f 12", "b g 3"])
  }

  @Test func `that share the index 0 are told apart by id and name`() {
    let answer = calls([
      #"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
      #"{"index":0,"id":"b","function":{"name":"f","arguments":"2"}}"#,
    ])
    #expect(answer.calls == ["a f 1", "b f 2"])
  }

  @Test func `repeat their id and name without beginning anew`() {
    let answer = calls([
      #"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
      #"{"index":0,"id":"a","function":{"name":"f","arguments":"2"}}"#,
      #"{"index":0,"id":"other","function":{"name":"","arguments":"3"}}"#,
    ])
    #expect(answer.calls == ["a f 123"])
  }

  @Test func `wait for their name and get an id`() {
    let answer = calls([
      #"{"index":0,"function":{"arguments":"{\"a\":"}}"#, #"{"index":0,"function":{"name":"f","arguments":"1}"}}"#,
    ])
    #expect(answer.calls == [#"call_0 f {"a":1}"#])
  }

  @Test func `may have arguments that are no string`() {
    #expect(
      calls([#"{"index":0,"id":"a","function":{"name":"f","arguments":{"x": [1]}}}"#]).calls == [#"a f {"x": [1]}"#])
  }

  @Test(arguments: [(127, true), (128, true), (129, false)])
  func `are bounded in number`(count: Int, isFine: Bool) {
    let answer = calls((0..<count).map { #"{"index":\#($0),"id":"\#($0)","function":{"name":"f"}}"# })
    #expect((answer.end != nil) == isFine)
    #expect(answer.failure?.code == (isFine ? nil : .badResponse))
  }

  @Test(arguments: [(0, true), (1, false)])
  func `are bounded in what waits for a name`(excess: Int, isFine: Bool) {
    let text = String(repeating: "x", count: ToolCallAssembly.keptArgumentBytes + excess)
    let answer = calls([
      #"{"index":0,"function":{"arguments":"\#(text)"}}"#, #"{"index":0,"function":{"name":"f"}}"#,
    ])
    #expect((answer.end != nil) == isFine)
  }

  @Test func `of the echoed tool are kept, and the others are numbered without them`() throws {
    var dialect = Dialect()
    dialect.echoedTool = "$web_search"
    var decoder = ChatChunkDecoder(dialect)
    var bytes = Array(
      chunk(
        #"""
        {"tool_calls":[{"index":0,"id":"s","function":{"name":"$web_search","arguments":"{\"q\":1}"}},
        {"index":1,"id":"a","function":{"name":"f","arguments":"{}"}}]}
        """#
      ).utf8)
    try bytes.withUnsafeMutableBytes { try decoder.decode(UnsafeRawBufferPointer($0)) }
    #expect(decoder.echoedCalls == [EchoedCall(id: "s", name: "$web_search", arguments: #"{"q":1}"#)])
    #expect(decoder.shownCallCount == 1)
    #expect(decoder.events.first == .toolCall(0, id: "a", name: "f"))
  }
}
