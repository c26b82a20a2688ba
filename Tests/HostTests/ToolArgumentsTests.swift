import Bytes
import JSON
import Testing

@testable import Host

@Suite struct ToolArgumentsTests {
  private static let one = FilesOffer(argument: "file", countLimit: 1, bytesLimit: 0)
  private static let three = FilesOffer(argument: "files", countLimit: 3, bytesLimit: 4)

  private func tool(_ files: FilesOffer?) throws -> ProviderTool {
    try ProviderTool(
      ToolOffer(
        name: "parrot_say",
        inputSchemaJSON: """
          {"type":"object","additionalProperties":false,"required":["words"],
           "properties":{"words":{"type":"string"},"files":{"type":"array"},"file":{"type":"object"}}}
          """, files: files), provider: 0, providerID: "parrot")
  }

  private struct Read {
    var body: String
    var files: [String]
    var wantsStream: Bool
    var timeout: UInt64?
  }

  private func read(_ json: String, _ files: FilesOffer? = nil, fileBytes: Int = 10) throws -> Read {
    var buffer = ByteBuffer()
    buffer.append(json)
    let arguments = try ToolArguments(try JSONView(parsing: buffer.readable), of: tool(files), fileBytes: fileBytes)
    var body = ByteBuffer()
    arguments.writeBody(to: &body)
    return Read(
      body: body.string(),
      files: arguments.files.map { file in
        [file.name, file.mediaType, file.content].map { String(decoding: $0, as: UTF8.self) }.joined(separator: "|")
      }, wantsStream: arguments.wantsStream, timeout: arguments.timeoutNanoseconds)
  }

  /// The refusal's words after "Validation failed for ".
  private func refusal(_ json: String, _ files: FilesOffer? = nil, fileBytes: Int = 10) -> String? {
    do {
      _ = try read(json, files, fileBytes: fileBytes)
      return nil
    } catch {
      return (error as? CallError)?.message.replacing("Validation failed for ", with: "") ?? "\(error)"
    }
  }

  @Test func `the body has the tool's name and its arguments, without the host's own`() throws {
    let read = try read(#"{"words":"gr\u00fc\u00df","stream":"yes","timeout":1.5}"#)
    #expect(read.body == #"{"name":"parrot_say","arguments":{"words":"gr\u00fc\u00df"}}"#)
    #expect(read.wantsStream)
    #expect(read.timeout == 1_500_000_000)
    #expect(try self.read(#"{"words":""}"#).timeout == nil)
  }

  @Test(arguments: [
    ("{}", "'words': is required"), (#"{"words":1}"#, "'words': must be of type string, got 1"),
    (#"{"words":"a","wordz":1}"#, "'wordz': is not known here; known: words, files, file"),
    (#"{"words":"a","timeout":0.05}"#, "'timeout': must be between 0.1 and 3600 seconds, got 0.05"),
    (#"{"words":"a","stream":"perhaps"}"#, "'stream': must be true or false, got a string"),
  ])
  func `arguments are held against the schema`(json: String, rule: String) {
    #expect(refusal(json) == rule)
  }

  @Test func `a call without arguments is one with none`() throws {
    let free = try ProviderTool(
      ToolOffer(name: "parrot_rest", inputSchemaJSON: #"{"type":"object"}"#), provider: 0, providerID: "parrot")
    var body = ByteBuffer()
    try ToolArguments(nil, of: free, fileBytes: 1).writeBody(to: &body)
    #expect(body.string() == #"{"name":"parrot_rest","arguments":{}}"#)
  }

  // MARK: - Files

  @Test func `files come decoded, and are no part of the body`() throws {
    let read = try read(
      #"{"files":[{"name":"a.txt","text":"gr\u00fc"},{"base64":"\/\/4=","name":"b","media_type":"x/y"}],"words":"a"}"#,
      Self.three)
    #expect(read.body == #"{"name":"parrot_say","arguments":{"words":"a"}}"#)
    #expect(read.files.count == 2)
    #expect(read.files[0] == "a.txt||grü")
    #expect(read.files[1].hasPrefix("b|x/y|"))
    #expect(try self.read(#"{"words":"a","file":{"name":"c","text":""}}"#, Self.one).files == ["c||"])
  }

  @Test func `a file has at most the bytes that the tool and the host take`() {
    func file(_ content: String) -> String { #"{"words":"a","files":[{"name":"f",\#(content)}]}"# }
    let base64 = ["YWI=", "YWJj", "YWJjZA==", "YWJjZGU="]  // 2 to 5 bytes
    for (bytes, isTaken) in [(3, true), (4, true), (5, false)] {
      #expect((refusal(file("\"text\":\"\(String(repeating: "x", count: bytes))\""), Self.three) == nil) == isTaken)
      #expect((refusal(file("\"base64\":\"\(base64[bytes - 2])\""), Self.three) == nil) == isTaken)
    }
    // The smaller of the two bounds counts.
    for (bytes, isTaken) in [(1, true), (2, true), (3, false)] {
      let rule = refusal(file("\"text\":\"\(String(repeating: "x", count: bytes))\""), Self.three, fileBytes: 2)
      #expect((rule == nil) == isTaken)
      if !isTaken { #expect(rule == "'files[0].text': must have at most 2 bytes, got 3") }
    }
  }

  @Test func `a call brings at most as many files as the tool takes`() {
    for (count, isTaken) in [(0, true), (2, true), (3, true), (4, false)] {
      let files = Array(repeating: #"{"name":"f","text":"x"}"#, count: count).joined(separator: ",")
      #expect((refusal(#"{"words":"a","files":[\#(files)]}"#, Self.three) == nil) == isTaken, "\(count)")
    }
  }

  @Test(arguments: [
    (#""/etc/passwd""#, "'files[0]': is a text, perhaps a path, and this host reads no file of its own machine"),
    (#"{"path":"/etc/passwd","name":"p"}"#, "'files[0].path': is not known here"),
    (#"{"text":"a"}"#, "'files[0].name': is required"),
    (#"{"name":"f"}"#, "'files[0].base64': is required (or text)"),
    (#"{"name":"f","text":"a","base64":"YQ=="}"#, "'files[0].base64': goes alone"),
    (#"{"name":"f","text":"a","text":"b"}"#, "'files[0].text': goes alone"),
    (#"{"name":1,"text":"a"}"#, "'files[0].name': must be a string, got a number"),
    (#"{"name":"","text":"a"}"#, "'files[0].name': must have 1 to 255 bytes, got 0"),
    (#"{"name":"../a","text":"a"}"#, "'files[0].name': must be a plain file name"),
    (#"{"name":"..","text":"a"}"#, "'files[0].name': must be a plain file name"),
    (#"{"name":".","text":"a"}"#, "'files[0].name': must be a plain file name"),
    (#"{"name":"a\nb","text":"a"}"#, "'files[0].name': must be a plain file name"),
    (#"{"name":"a\u0000b","text":"a"}"#, "'files[0].name': must be a plain file name"),
    (#"{"name":"f","text":"a","media_type":"x/y\r\nX: 1"}"#, "'files[0].media_type': must be a media type"),
    (#"{"name":"f","base64":"YQ"}"#, "'files[0].base64': must be base64 with its padding"),
    (#"{"name":"f","base64":"Y Q="}"#, "'files[0].base64': must be base64 with its padding"),
    ("3", "'files[0]': must be an object, got a number"),
  ])
  func `what is no file is refused`(file: String, rule: String) {
    let found = refusal(#"{"words":"a","files":[\#(file)]}"#, Self.three)
    #expect(found?.hasPrefix(rule) ?? false, "\(found ?? "taken")")
  }

  @Test func `a file's name and type have their bounds`() {
    func call(name: Int, type: Int) -> String {
      let (name, type) = (String(repeating: "n", count: name), String(repeating: "t", count: type))
      return #"{"words":"a","files":[{"name":"\#(name)","media_type":"\#(type)","text":"a"}]}"#
    }
    for (name, isTaken) in [(254, true), (255, true), (256, false)] {
      #expect((refusal(call(name: name, type: 3), Self.three) == nil) == isTaken)
    }
    for (type, isTaken) in [(99, true), (100, true), (101, false)] {
      #expect((refusal(call(name: 3, type: type), Self.three) == nil) == isTaken)
    }
  }

  @Test func `the argument for files must be in the schema, as what it is`() {
    for files in [Self.one, Self.three] {
      for json in [#"{"type":"object"}"#, #"{"type":"object","properties":{"file":{"type":"array"},"files":{}}}"#] {
        #expect(throws: ToolSchema.Fault.self) {
          try ProviderTool(ToolOffer(name: "x_y", inputSchemaJSON: json, files: files), provider: 0, providerID: "x")
        }
      }
    }
  }
}
