import JSON
import Testing

@testable import ProviderValidator

struct SettingsSchemaTests {
  private static let text = """
    {"type": "object", "required": ["mode", "limit", "tags"], "properties": {
      "limit": {"type": "integer", "minimum": 1, "maximum": 10, "default": 5},
      "mode": {"type": "string", "enum": ["fast", "slow"]},
      "tags": {"type": "array", "items": {"type": "string"}},
      "note": {"type": ["string", "null"], "maxLength": 3}}}
    """

  @Test func `what it allows are its defaults, choices and bounds`() throws {
    let schema = try #require(SettingsSchema(Self.text))
    #expect(schema.faults == [])
    #expect(
      schema.allowed.map { "\($0.setting) \($0.value.text)" }
        == ["limit 5", "limit 1", "limit 10", "mode \"fast\"", "mode \"slow\""])
    #expect(
      JSONValue.object(schema.required).text == #"{"mode":"fast","limit":5,"tags":[]}"#)
  }

  @Test func `what it forbids is of another type, no choice, or one beyond a bound`() throws {
    let schema = try #require(SettingsSchema(Self.text))
    let forbidden = schema.forbidden.map { "\($0.setting) \($0.value.text)" }
    #expect(forbidden.contains("limit 0") && forbidden.contains("limit 11") && forbidden.contains("limit \"x\""))
    #expect(forbidden.contains("mode \"x\"") && forbidden.contains("mode true"))
    #expect(!forbidden.contains("note \"x\"") && forbidden.contains("note -7"))
    #expect(!forbidden.contains("tags [\"a\"]") && forbidden.contains("tags \"x\""))
  }

  @Test(arguments: [
    (#"{"type":"integer","minimum":1}"#, "0", false), (#"{"type":"integer","minimum":1}"#, "1", true),
    (#"{"type":"integer","maximum":1}"#, "1", true), (#"{"type":"integer","maximum":1}"#, "2", false),
    (#"{"type":"integer"}"#, "1.5", false), (#"{"type":"integer"}"#, "2.0", true), (#"{"type":"number"}"#, "1.5", true),
    (#"{"type":"string","minLength":2}"#, #""a""#, false), (#"{"type":"string","minLength":2}"#, #""ab""#, true),
    (#"{"type":"string","maxLength":1}"#, #""é""#, true), (#"{"type":"string","maxLength":1}"#, #""ab""#, false),
    (#"{"const":3}"#, "3", true), (#"{"const":3}"#, "4", false), (#"{"type":"null"}"#, "null", true),
    (#"{"type":"array","items":{"type":"string"}}"#, #"["a",1]"#, false),
    (#"{"properties":{"a":{"type":"boolean"}}}"#, #"{"a":1}"#, false), ("{}", "17", true),
  ])
  func `a value is held against its schema`(schema: String, value: String, allowed: Bool) throws {
    let fault = SettingsSchema.fault(of: try JSONValue(parsing: value), by: try JSONValue(parsing: schema))
    #expect((fault == nil) == allowed)
  }

  @Test(arguments: [
    (#"{"type":"object","properties":[]}"#, "properties that are no object"),
    (#"{"properties":{}}"#, "type is not \"object\""),
    (#"{"type":"object","required":["a"]}"#, "required names \"a\""),
    (#"{"type":"object","properties":{"a":{"type":"int"}}}"#, "unknown type \"int\""),
    (#"{"type":"object","properties":{"a":{"type":7}}}"#, "a type that is not a text"),
    (#"{"type":"object","properties":{"a":{"enum":[]}}}"#, "no choices"),
    (#"{"type":"object","properties":{"a":{"minimum":2,"maximum":1}}}"#, "a minimum above its maximum"),
    (#"{"type":"object","properties":{"a":{"type":"integer","maximum":1,"default":2}}}"#, "breaks it"),
    (#"{"type":"object","properties":{"a":3}}"#, "is not an object"),
  ])
  func `a schema that makes no sense is told`(text: String, fault: String) throws {
    let faults = try #require(SettingsSchema(text)).faults
    #expect(faults.contains { $0.contains(fault) }, "\(faults)")
  }

  @Test(arguments: ["", "[]", "{", "7"])
  func `what is no object is no schema`(text: String) { #expect(SettingsSchema(text) == nil) }

  @Test(arguments: [
    ("1.0.0", true), ("0.0.1", true), ("10.20.30-rc.1+build", true), ("1.0", false), ("1.0.0.0", false),
    ("01.0.0", false), ("1.0.0-", false), ("v1.0.0", false), ("1.0.x", false), ("1..0", false), ("", false),
  ])
  func `a version has three numbers`(version: String, isGood: Bool) {
    #expect(DescriptorChecks.isSemantic(version) == isGood)
  }

  @Test(arguments: [
    ("prv.http/1", true), ("prv.thread-check/12", true), ("prv.http", false), ("prv.http/", false),
    ("prv.http/0", false), ("/1", false), ("prv.HTTP/1", false), ("prv.http/1/2", false), ("prv.http/+1", false),
  ])
  func `an id of a service has a name and a revision`(id: String, isGood: Bool) {
    #expect(DescriptorChecks.isExtensionID(id) == isGood)
  }

  @Test(arguments: [
    ("", []), ("[]", []), (#"[{"id":"a"},{"id":"b","aliases":["c"],"context_tokens":1}]"#, []),
    ("{}", ["it is not a JSON array"]), ("[{}]", ["entry 0 has no id"]),
    (#"[{"id":"a"},{"id":"a"}]"#, ["the name a is there twice"]),
    (#"[{"id":"a","aliases":["a"]}]"#, ["the name a is there twice"]),
    (#"[{"id":"a","context_tokens":0}]"#, ["context_tokens of a is 0"]),
    (#"[{"id":"a","capabilities":[1]}]"#, ["a has the capability 1, which is no name"]),
  ])
  func `a catalogue's faults are told`(text: String, faults: [String]) {
    #expect(ModelCatalogueFaults.of(text) == faults)
  }
}
