import Bytes
import JSON
import Testing

@testable import Host

/// What a client gets for its arguments: nil when they are taken.
struct Refused: Equatable, CustomStringConvertible {
  var field: String?
  var message: String
  var value: String?

  init(_ field: String, _ rule: String, _ value: String) {
    self.field = field
    self.value = value
    message = "Validation failed for '\(field)': \(rule)"
  }

  init(_ error: CallError) {
    message = error.message
    for detail in error.details {
      guard case .string(let text) = detail.value else { continue }
      if detail.name == "field" { field = text }
      if detail.name == "value" { value = text }
    }
    #expect(error.code == .validationError)
  }

  var description: String { "\(message) (field \(field ?? "-"), value \(value ?? "-"))" }
}

/// Reads `json` as arguments and gives what `body` makes of them.
func withArguments<Result>(_ json: String, _ body: (ChatArguments) throws -> Result) throws -> Result {
  var buffer = ByteBuffer()
  buffer.append(json)
  return try body(try ChatArguments(try JSONView(parsing: buffer.readable)))
}

func refusal(_ json: String) throws -> Refused? {
  do {
    try withArguments(json) { _ in }
    return nil
  } catch let error as CallError {
    return Refused(error)
  }
}

private func letters(_ count: Int) -> String { String(repeating: "x", count: count) }
private func with(_ member: String) -> String { #"{"prompt":"hi",\#(member)}"# }

struct ChatArgumentsTests {
  @Test(arguments: [(0, false), (1, true), (2, true), (99, true), (100, true), (101, false)])
  func `model has 1 to 100 characters`(count: Int, isTaken: Bool) throws {
    for letter in ["x", "é", "\u{1F600}"] {
      let name = String(repeating: letter, count: count)
      let expected = Refused("model", "must be 1 to 100 characters, got \(count)", CallError.shortened(name))
      #expect(try refusal(with(#""model":"\#(name)""#)) == (isTaken ? nil : expected))
    }
  }

  @Test(arguments: [(1, true), (99_999, true), (100_000, true), (100_001, false)])
  func `prompt has 1 to 100000 characters`(count: Int, isTaken: Bool) throws {
    for letter in ["x", "é"] {
      let prompt = String(repeating: letter, count: count)
      let expected = Refused("prompt", "must be at most 100000 characters, got \(count)", CallError.shortened(prompt))
      #expect(try refusal(#"{"prompt":"\#(prompt)"}"#) == (isTaken ? nil : expected))
      #expect(try refusal(#"{"prompt":" \n\t\#(prompt)\u3000 "}"#)?.message == (isTaken ? nil : expected.message))
    }
  }

  @Test(arguments: ["", " ", "\\n\\t ", "\\u3000", "\u{2003}"])
  func `a prompt of nothing but space is empty`(prompt: String) throws {
    let refused = try refusal(#"{"prompt":"\#(prompt)"}"#)
    #expect(refused?.field == "prompt")
    #expect(refused?.message == "Validation failed for 'prompt': cannot be empty")
  }

  @Test func `a call without prompt and messages, or with both, is refused`() throws {
    let missing = Refused("prompt", "is required (or 'messages')", "")
    #expect(try refusal("{}") == missing)
    #expect(try refusal(#"{"prompt":null,"messages":null}"#) == missing)
    #expect(throws: CallError.self) { try ChatArguments.none() }
    #expect(
      try refusal(#"{"prompt":"x","messages":[{"role":"user","content":"y"}]}"#)
        == Refused("messages", "give either 'prompt' or 'messages', not both", ""))
  }

  @Test(arguments: [(0, false), (1, true), (100_000, true), (100_001, false)])
  func `system has 1 to 100000 characters`(count: Int, isTaken: Bool) throws {
    let expected = Refused(
      "system", "must be 1 to 100000 characters, got \(count)", CallError.shortened(letters(count)))
    #expect(try refusal(with(#""system":"\#(letters(count))""#)) == (isTaken ? nil : expected))
  }

  @Test(arguments: [("0", true), ("0.0", true), ("2", true), ("-0.001", false), ("-1", false)])
  func `temperature is at least 0, before the model is known`(number: String, isTaken: Bool) throws {
    let value = "\(try #require(Double(number)))"
    let expected = Refused("temperature", "must be at least 0, got \(value)", value)
    #expect(try refusal(with(#""temperature":\#(number)"#)) == (isTaken ? nil : expected))
  }

  @Test(
    arguments: [
      ("-1", "must be at least 1, got -1"), ("0", "must be at least 1, got 0"), ("1", nil), ("2", nil),
      ("999999", nil), ("1000000", nil), ("1e6", nil), ("1000001", "must be at most 1000000, got 1000001"),
      ("9223372036854775807", "must be at most 1000000, got 9223372036854775807"),
    ])
  func `max_tokens is 1 to 1000000`(number: String, rule: String?) throws {
    #expect(try refusal(with(#""max_tokens":\#(number)"#)) == rule.map { Refused("max_tokens", $0, number) })
  }

  @Test(
    arguments: [
      ("0", false), ("0.099", false), ("0.1", true), ("0.101", true), ("3599.999", true), ("3600", true),
      ("3600.001", false), ("1e300", false), ("-1", false),
    ])
  func `timeout is 0.1 to 3600 seconds`(number: String, isTaken: Bool) throws {
    let value = "\(try #require(Double(number)))"
    let expected = Refused("timeout", "must be between 0.1 and 3600 seconds, got \(value)", value)
    #expect(try refusal(with(#""timeout":\#(number)"#)) == (isTaken ? nil : expected))
  }

  @Test func `a timeout is kept in nanoseconds`() throws {
    #expect(try withArguments(with(#""timeout":0.1"#)) { $0.timeoutNanoseconds } == 100_000_000)
    #expect(try withArguments(with(#""timeout":3600"#)) { $0.timeoutNanoseconds } == 3_600_000_000_000)
    #expect(try withArguments(with(#""stream":true"#)) { $0.timeoutNanoseconds } == nil)
  }

  @Test(arguments: ["minimal", "low", "medium", "high", "max", "MAX", "Minimal"])
  func `thinking_mode is one of five, in any case`(mode: String) throws {
    let taken = try withArguments(with(#""thinking_mode":"\#(mode)""#)) { $0.thinkingMode.map { "\($0)" } }
    #expect(taken == mode.lowercased())
  }

  @Test(arguments: ["", "maximum", "hig", "none"])
  func `another thinking_mode is refused with the five`(mode: String) throws {
    #expect(
      try refusal(with(#""thinking_mode":"\#(mode)""#))
        == Refused(
          "thinking_mode", "must be one of ['minimal', 'low', 'medium', 'high', 'max'], got \(mode)", mode))
  }

  @Test(
    arguments: [
      ("true", true), ("false", false), ("\"true\"", true), ("\"1\"", true), ("\"YES\"", true), ("\"On\"", true),
      ("\"false\"", false), ("\"0\"", false), ("\"no\"", false), ("\"off\"", false),
    ])
  func `switches are booleans or words for them`(text: String, isOn: Bool) throws {
    #expect(try withArguments(with(#""stream":\#(text)"#)) { $0.wantsStream } == isOn)
    #expect(try withArguments(with(#""use_websearch":\#(text)"#)) { $0.webSearch } == isOn)
  }

  @Test(arguments: ["stream", "use_websearch"])
  func `other switches are refused`(field: String) throws {
    #expect(
      try refusal(with(#""\#(field)":"maybe""#)) == Refused(field, "must be true or false, got a string", "\"maybe\""))
    #expect(try refusal(with(#""\#(field)":1"#)) == Refused(field, "must be true or false, got a number", "1"))
  }

  @Test(
    arguments: [
      ("prompt", "a string"), ("model", "a string"), ("system", "a string"), ("temperature", "a number"),
      ("max_tokens", "a whole number"), ("timeout", "a number"), ("thinking_mode", "a string"),
      ("messages", "an array of {role, content}"), ("images", "an array of URLs"), ("tools", "an array"),
    ])
  func `another type is refused with what was found`(field: String, expected: String) throws {
    #expect(try refusal(#"{"\#(field)":{"a":1}}"#) == Refused(field, "must be \(expected), got an object", #"{"a":1}"#))
  }

  @Test func `a number that is none of ours is refused with itself`() throws {
    #expect(
      try refusal(with(#""max_tokens":1.5"#)) == Refused("max_tokens", "must be a whole number, got 1.5", "1.5"))
    #expect(
      try refusal(with(#""max_tokens":1e30"#)) == Refused("max_tokens", "must be a whole number, got 1e30", "1e30"))
    #expect(
      try refusal(with(#""temperature":1e999"#)) == Refused("temperature", "must be a number, got 1e999", "1e999"))
  }

  @Test func `null is as good as nothing`() throws {
    let nulls = ChatArguments.names.filter { $0 != "prompt" }.map { "\"\($0)\":null" }.joined(separator: ",")
    #expect(try refusal(with(nulls)) == nil)
  }

  @Test func `an argument that chat does not have is refused with those it has`() throws {
    let refused = try #require(try refusal(with(#""temprature":1"#)))
    #expect(refused.field == "temprature")
    #expect(refused.message.contains("is not an argument of chat; known: prompt, messages, model"))
    #expect(refused.value == "a number")
  }

  @Test(
    arguments: [
      ("continuation_id", #""abc""#, "conversations are not kept by this host; send 'messages'", "abc"),
      ("files", #"["/etc/passwd"]"#, "files are not taken by this version", "an array"),
    ])
  func `what this version does not do is refused, not left out`(
    field: String, value: String, rule: String, found: String
  ) throws {
    #expect(try refusal(with("\"\(field)\":\(value)")) == Refused(field, rule, found))
  }

  @Test func `arguments that ask for nothing are taken`() throws {
    #expect(try refusal(with(#""dedupe":false"#)) == nil)
    #expect(try refusal(with(#""dedupe":true"#)) == nil)
    #expect(try refusal(with(#""files":[]"#)) == nil)
  }
}
