import CProviderABI
import ProviderTesting
import Testing

@testable import Kimi

@Suite struct `Kimi's tools` {
  private let kimi: MockChat

  init() throws { kimi = try MockChat.kimi() }

  private func call(_ tool: String, _ arguments: String, files: [MockFile] = []) throws -> MockCall {
    try kimi.instance.callTool(tool, arguments, files: files)
  }

  private var newest: MockExchange { kimi.host.exchanges[kimi.host.exchanges.count - 1] }

  @Test func `files are uploaded one after the other, as forms`() throws {
    let call = try call(
      "kimi_upload_files", "{}",
      files: [
        MockFile("a \"b\".pdf", mediaType: "application/pdf", content: [0, 255, 13]), MockFile("c", content: []),
      ])
    #expect(newest.method == "POST")
    #expect(newest.url == "https://api.moonshot.ai/v1/files")
    #expect(newest.authReference == "api_key")
    let type = try #require(newest.headers.first { $0.name == "Content-Type" }?.value)
    let boundary = type.replacing("multipart/form-data; boundary=", with: "")
    let form = newest.body
    #expect(
      form.hasPrefix("--\(boundary)\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfile-extract\r\n--"))
    #expect(
      form.contains(
        "Content-Disposition: form-data; name=\"file\"; filename=\"a %22b%22.pdf\"\r\nContent-Type: application/pdf"))
    #expect(form.hasSuffix("\r\n--\(boundary)--\r\n"))
    kimi.answer(
      200, #"{"id":"f1","object":"file","bytes":3,"created_at":7,"filename":"a.pdf","purpose":"file-extract"}"#)
    #expect(kimi.host.exchanges.count == 2)
    #expect(newest.body.contains("Content-Type: application/octet-stream"))
    kimi.answer(200, #"{"id":"f2"}"#)
    #expect(
      call.text
        == #"{"files":[{"file_id":"f1","name":"a.pdf","bytes":3,"purpose":"file-extract","created_at":7},{"file_id":"f2","name":"c"}]}"#
    )
    #expect(call.finishReason == "stop")
    #expect(kimi.host.violations.isEmpty)
  }

  @Test func `a failed upload leaves the ids of those before it, and no finish`() throws {
    let call = try call(
      "kimi_upload_files", #"{"purpose":"assistants"}"#,
      files: [MockFile("a", content: [1]), MockFile("b", content: [2])])
    #expect(newest.body.contains("\r\n\r\nassistants\r\n"))
    kimi.answer(200, #"{"id":"f1"}"#)
    kimi.answer(400, #"{"error":{"type":"invalid_request_error","message":"too large"}}"#)
    #expect(call.text == #"{"files":[{"file_id":"f1","name":"a"}"#)
    #expect(call.finishReason == nil)
    #expect(call.dones.map(\.status) == [PRV_E_BAD_REQUEST])
  }

  @Test func `an upload without an id is a broken answer`() throws {
    let call = try call("kimi_upload_files", "{}", files: [MockFile("a", content: [1])])
    kimi.answer(200, #"{"object":"file"}"#)
    #expect(call.dones.map(\.status) == [PRV_E_BAD_RESPONSE])
  }

  @Test func `files are listed up to the limit`() throws {
    let call = try call("kimi_manage_files", #"{"operation":"list","limit":1}"#)
    #expect(newest.method == "GET")
    #expect(newest.url == "https://api.moonshot.ai/v1/files")
    kimi.answer(200, #"{"object":"list","data":[{"id":"f1","filename":"a","status":"ok"},{"id":"f2"}]}"#)
    #expect(call.text == #"{"files":[{"file_id":"f1","name":"a","status":"ok"}]}"#)
  }

  @Test func `a file's content is shown as text`() throws {
    let call = try call("kimi_manage_files", #"{"operation":"content","file_id":"f-1_X"}"#)
    #expect(newest.url == "https://api.moonshot.ai/v1/files/f-1_X/content")
    kimi.answer(200, "grüß dich")
    #expect(call.text == "grüß dich")
    #expect(call.finishReason == "stop")
  }

  @Test func `a file is deleted, or only named where that is asked`() throws {
    let dry = try call("kimi_manage_files", #"{"operation":"delete","file_id":"f1","dry_run":true}"#)
    kimi.host.run()
    #expect(dry.text == #"{"would_delete":"f1"}"#)
    #expect(kimi.host.exchanges.isEmpty)
    let call = try call("kimi_manage_files", #"{"operation":"delete","file_id":"f1"}"#)
    #expect(newest.method == "DELETE")
    #expect(newest.url == "https://api.moonshot.ai/v1/files/f1")
    kimi.answer(200, #"{"deleted":true}"#)
    #expect(call.text == #"{"deleted":"f1"}"#)
  }

  @Test(arguments: ["../models", "a/b", "a b", "a?x", "", "ä", ".."])
  func `an id that leads elsewhere reaches no upstream`(id: String) throws {
    for arguments in [#"{"operation":"delete","file_id":"\#(id)"}"#, #"{"operation":"content","file_id":"\#(id)"}"#] {
      let call = try call("kimi_manage_files", arguments)
      kimi.host.run()
      #expect(call.dones.map(\.status) == [PRV_E_BAD_REQUEST])
    }
    let chat = try call("kimi_chat_with_files", #"{"prompt":"x","file_ids":["good","\#(id)"]}"#)
    kimi.host.run()
    #expect(chat.dones.map(\.status) == [PRV_E_BAD_REQUEST])
    #expect(kimi.host.exchanges.isEmpty)
  }

  @Test func `an operation on one file needs its id`() throws {
    let call = try call("kimi_manage_files", #"{"operation":"content"}"#)
    kimi.host.run()
    #expect(call.dones.map(\.message) == ["file_id is required for this operation"])
  }

  @Test func `a chat has what was read in the files before its prompt`() throws {
    let call = try call(
      "kimi_chat_with_files",
      #"{"prompt":"sum \"up\"","file_ids":["f1","f2"],"model":"moonshot-v1-32k","temperature":0.5}"#)
    kimi.answer(200, "first")
    kimi.answer(200, "second \"text\"")
    #expect(newest.url == "https://api.moonshot.ai/v1/chat/completions")
    #expect(
      newest.body.contains(
        #""messages":[{"role":"system","content":"first"},{"role":"system","content":"second \"text\""},{"role":"user","content":"sum \"up\""}]"#
      ))
    #expect(newest.body.contains(#""model":"moonshot-v1-32k""#) && newest.body.contains(#""temperature":0.5"#))
    kimi.stream([#"{"choices":[{"index":0,"delta":{"content":"both"},"finish_reason":"stop"}]}"#])
    #expect(call.text == "both")
    #expect(call.finishReason == "stop")
    #expect(kimi.host.violations.isEmpty)
  }
}
