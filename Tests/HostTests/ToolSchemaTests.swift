import Bytes
import JSON
import Testing

@testable import Host

@Suite struct ToolSchemaTests {
  private func schema(_ text: String) throws -> ToolSchema { try ToolSchema(ToolSchema.json(text)) }

  /// A schema with one property `x` of this kind.
  private func schema(ofX property: String, _ more: String = "") throws -> ToolSchema {
    try schema(#"{"type":"object","properties":{"x":\#(property)}\#(more)}"#)
  }

  /// The rule that `json` breaks, with its field; nil: it is taken.
  private func refusal(_ json: String, by schema: ToolSchema) throws -> String? {
    var buffer = ByteBuffer()
    buffer.append(json)
    do {
      try schema.check(try JSONView(parsing: buffer.readable), "")
      return nil
    } catch let error as CallError {
      #expect(error.code == .validationError)
      return error.message.replacing("Validation failed for ", with: "")
    }
  }

  @Test(arguments: [
    (#"{"type":"integer"}"#, ["1", "-3"], ["1.5", "\"1\"", "null", "true", "[]"], "must be of type integer"),
    (#"{"type":"number"}"#, ["1", "1.5"], ["\"1\"", "{}"], "must be of type number"),
    (#"{"type":"string"}"#, ["\"\""], ["1", "null"], "must be of type string"),
    (#"{"type":"boolean"}"#, ["true", "false"], ["1", "\"true\""], "must be of type boolean"),
    (#"{"type":"array"}"#, ["[]", "[1,\"a\"]"], ["{}", "1"], "must be of type array"),
    (#"{"type":"object"}"#, ["{}", "{\"a\":1}"], ["[]", "1"], "must be of type object"),
    (#"{"type":["string","null"]}"#, ["\"a\"", "null"], ["1"], "must be of type string or null"),
    (#"{"enum":["a",1,null]}"#, ["\"a\"", "1", "null"], ["\"b\"", "2"], "must be one of \"a\", 1, null"),
    (#"{"minimum":1,"maximum":3}"#, ["1", "2", "3"], ["0"], "must be at least 1, got 0"),
    (#"{"minimum":1,"maximum":3}"#, ["1.0"], ["4"], "must be at most 3, got 4"),
    (#"{"maximum":0.5}"#, ["0.5", "-1"], ["0.6"], "must be at most 0.5, got 0.6"),
    (
      #"{"minLength":2,"maxLength":3}"#, ["\"ab\"", "\"äöü\"", "5"], ["\"a\"", "\"abcd\""],
      "must have 2 to 3 characters"
    ),
    (#"{"minItems":1}"#, ["[1]", "[1,2]"], ["[]"], "must have at least 1 entries, got 0"),
    (#"{"maxItems":1}"#, ["[]", "[1]"], ["[1,2]"], "must have at most 1 entries, got 2"),
    (#"{"format":"email","pattern":"^a$"}"#, ["\"anything\""], [], ""),
    ("{}", ["1", "\"a\"", "null", "[]", "{}"], [], ""),
  ])
  func `each keyword refuses what it is there to refuse`(
    property: String, taken: [String], refused: [String], rule: String
  ) throws {
    let schema = try schema(ofX: property)
    for value in taken { #expect(try refusal("{\"x\":\(value)}", by: schema) == nil, "\(value)") }
    for value in refused {
      let found = try refusal("{\"x\":\(value)}", by: schema)
      #expect(found?.hasPrefix("'x': \(rule)") ?? false, "\(value): \(found ?? "taken")")
    }
  }

  @Test func `what is required must be there, and what is not known must not, where the schema says so`() throws {
    let strict = try schema(ofX: "{}", #","required":["x"],"additionalProperties":false"#)
    #expect(try refusal("{}", by: strict) == "'x': is required")
    #expect(try refusal(#"{"x":1}"#, by: strict) == nil)
    #expect(try refusal(#"{"x":1,"y":2}"#, by: strict) == "'y': is not known here; known: x")
    #expect(try refusal(#"{"y":2}"#, by: try schema(ofX: "{}")) == nil)
  }

  @Test func `a fault inside is named by its place`() throws {
    let schema = try schema(
      ofX: #"{"type":"array","items":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}}"#)
    #expect(try refusal(#"{"x":[{"n":1},{"n":2}]}"#, by: schema) == nil)
    #expect(try refusal(#"{"x":[{"n":1},{"n":"2"}]}"#, by: schema) == "'x[1].n': must be of type integer, got a string")
    #expect(try refusal(#"{"x":[{}]}"#, by: schema) == "'x[0].n': is required")
  }

  @Test(arguments: [
    ("", "is not JSON"), ("[]", "it must be an object"), (#"{"type":"string"}"#, "must have \"type\": \"object\""),
    ("{}", "must have \"type\": \"object\""),
    (#"{"type":"object","properties":{"a":{"properties":{"b":{"type":"color"}}}}}"#, "a.b has the type \"color\""),
    (#"{"type":"object","properties":{"a":{"items":3}}}"#, "a[] must be an object, got 3"),
  ])
  func `a schema that cannot be used says where`(text: String, reason: String) {
    let fault = #expect(throws: ToolSchema.Fault.self) { try schema(text) }
    #expect(fault?.reason.contains(reason) ?? false, "\(fault?.reason ?? "")")
  }
}
