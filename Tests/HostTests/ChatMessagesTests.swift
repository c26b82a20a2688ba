import Bytes
import JSON
import Testing

@testable import Host

private func body(_ json: String) throws -> String {
  try withArguments(json) { arguments in
    var body = ByteBuffer()
    arguments.writeBody(to: &body)
    return body.string()
  }
}

private let information = ProviderInformation(
  id: "kimi", pluginID: "kimi", pluginPath: "", pluginVersion: "1", displayName: "Kimi", capabilities: 0,
  temperatureMax: 1, defaultLimit: 1, modelsJSON: "", baseURL: "")

private func check(_ json: String, capabilities: [String] = [], temperatureMax: Double = 1) throws -> Refused? {
  var information = information
  information.temperatureMax = temperatureMax
  let model = ModelEntry(id: "m", provider: 0, providerID: "kimi", capabilities: capabilities)
  return try withArguments(json) { arguments -> Refused? in
    do throws(CallError) {
      try arguments.check(temperatureMax: information.temperatureMax, model)
      return nil
    } catch {
      return Refused(error)
    }
  }
}

/// The parts of `chat` that have a shape of their own: messages, images, the canonical body, the model's abilities.
struct ChatMessagesTests {
  @Test(arguments: [(0, false), (1, true), (2, true), (1_999, true), (2_000, true), (2_001, false)])
  func `messages has 1 to 2000 entries`(count: Int, isTaken: Bool) throws {
    let messages = Array(repeating: #"{"role":"user","content":"x"}"#, count: count).joined(separator: ",")
    let expected = Refused("messages", "must have 1 to 2000 entries, got \(count)", "\(count)")
    #expect(try refusal(#"{"messages":[\#(messages)]}"#) == (isTaken ? nil : expected))
  }

  @Test(arguments: ["system", "user", "assistant", "tool", "developer"])
  func `every role of the chat shape is taken`(role: String) throws {
    #expect(try refusal(#"{"messages":[{"role":"\#(role)","content":"x"}]}"#) == nil)
  }

  @Test func `a message that is wrong is named by its place`() throws {
    let good = #"{"role":"user","content":"x"}"#
    let roles = "must be one of system, user, assistant, tool, developer"
    for (message, expected) in [
      ("7", Refused("messages[1]", "must be an object with role and content, got a number", "7")),
      (#"{"content":"x"}"#, Refused("messages[1].role", roles, "nothing")),
      (#"{"role":"root","content":"x"}"#, Refused("messages[1].role", roles, "\"root\"")),
      (#"{"role":1,"content":"x"}"#, Refused("messages[1].role", roles, "1")),
      (#"{"role":"user"}"#, Refused("messages[1].content", "is required", "nothing")),
      (
        #"{"role":"user","content":5}"#,
        Refused("messages[1].content", "must be a string or an array of parts, got a number", "5")
      ),
    ] {
      #expect(try refusal(#"{"messages":[\#(good),\#(message)]}"#) == expected)
    }
  }

  @Test func `content may be parts, or absent beside tool calls`() throws {
    #expect(try refusal(#"{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#) == nil)
    #expect(try refusal(#"{"messages":[{"role":"assistant","tool_calls":[]}]}"#) == nil)
    #expect(try refusal(#"{"messages":[{"role":"assistant","content":null,"tool_calls":[]}]}"#) == nil)
  }

  @Test(arguments: [(0, true), (1, true), (15, true), (16, true), (17, false)])
  func `at most 16 images are taken`(count: Int, isTaken: Bool) throws {
    let images = Array(repeating: #""https://example.org/a.png""#, count: count).joined(separator: ",")
    let expected = Refused("images", "must have at most 16 entries, got \(count)", "\(count)")
    #expect(try refusal(#"{"prompt":"x","images":[\#(images)]}"#) == (isTaken ? nil : expected))
  }

  @Test(arguments: [#""file:///etc/passwd""#, #""data:text/html,x""#, #""ftp://x/y""#, #""/tmp/a.png""#, "5", "null"])
  func `an image that is no URL of an image is refused by its place`(image: String) throws {
    #expect(
      try refusal(#"{"prompt":"x","images":["http://a/b",\#(image)]}"#)
        == Refused("images[1]", "must be a data:image/ URL or an http(s) URL", image))
  }

  @Test func `images beside messages are refused, since they would go nowhere`() throws {
    let refused = try refusal(#"{"messages":[{"role":"user","content":"x"}],"images":["http://a/b"]}"#)
    #expect(
      refused == Refused("images", "go with 'prompt'; in 'messages' they are parts of a message's content", "an array"))
  }

  // MARK: - The canonical body

  @Test func `a prompt becomes one message, with its escapes as they came`() throws {
    #expect(try body(#"{"prompt":"a\n\u00e9"}"#) == #"{"messages":[{"role":"user","content":"a\n\u00e9"}]}"#)
  }

  @Test func `everything that was asked for is in the body`() throws {
    let text = try body(
      #"{"prompt":"p","system":"s","temperature":0.5,"max_tokens":9,"thinking_mode":"HIGH","use_websearch":true,"#
        + #""images":["data:image/png;base64,AA=="],"tools":[{"type":"function"}],"tool_choice":"auto","stream":true,"#
        + #""model":"m","timeout":5}"#)
    #expect(
      text
        == #"{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"p"},"#
        + #"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}],"temperature":0.5,"max_tokens":9,"#
        + #""tools":[{"type":"function"}],"tool_choice":"auto","patchbay":{"thinking":"high","web_search":true}}"#)
  }

  @Test func `messages go through as they came, behind the system message`() throws {
    let messages = #" {"role":"user", "content":"x"} , {"role":"assistant","content":null}"#
    #expect(try body(#"{"messages":[\#(messages)]}"#) == #"{"messages":[\#(messages)]}"#)
    #expect(
      try body(#"{"messages":[\#(messages)],"system":"s"}"#)
        == #"{"messages":[{"role":"system","content":"s"},\#(messages)]}"#)
  }

  @Test(
    arguments: [
      #"{"prompt":"p","thinking_mode":"low"}"#, #"{"prompt":"p","use_websearch":true}"#,
      #"{"prompt":"p","use_websearch":false}"#, #"{"prompt":"p","images":[]}"#, #"{"prompt":"p","max_tokens":1}"#,
    ])
  func `every body is one JSON object`(arguments: String) throws {
    let value = try JSONValue(parsing: try body(arguments))
    #expect(value["messages"]?[0]?["role"]?.string == "user")
  }

  // MARK: - What the model can do

  @Test(arguments: [
    (1.0, "1", true), (1.0, "1.001", false), (1.0, "0.999", true), (2.0, "2", true), (2.0, "2.5", false),
  ])
  func `temperature ends at the provider's maximum`(maximum: Double, number: String, isTaken: Bool) throws {
    let expected = Refused("temperature", "must be at most \(maximum), got \(number)", number)
    let refused = try check(#"{"prompt":"x","temperature":\#(number)}"#, temperatureMax: maximum)
    #expect(refused == (isTaken ? nil : expected))
  }

  @Test(
    arguments: [
      ("images", #"["http://a/b"]"#, "images"), ("use_websearch", "true", "web_search"),
      ("thinking_mode", #""low""#, "thinking"), ("tools", "[]", "tools"),
    ])
  func `what a model cannot do is refused with what it can`(field: String, value: String, capability: String) throws {
    let json = #"{"prompt":"x","\#(field)":\#(value)}"#
    #expect(
      try check(json, capabilities: ["stream", "chat"])
        == Refused(field, "model m cannot do this; it can: stream, chat", field))
    #expect(try check(json, capabilities: [capability]) == nil)
    #expect(try check(json) == nil, "a model that lists nothing may be able to")
  }
}
