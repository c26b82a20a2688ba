import CProviderABI
import ProviderAPI
import ProviderTesting
import Testing

@testable import OpenAICompatible

@Suite struct `The OpenAI-compatible provider` {
  private static let stream = [
    #"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"model":"tiny"}"#,
    #"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":" yomo"}}],"model":"tiny"}"#,
    #"{"choices":[{"finish_reason":"length","index":0,"delta":{}}],"model":"tiny"}"#,
    #"{"choices":[],"model":"tiny","usage":{"completion_tokens":2,"prompt_tokens":25,"total_tokens":27}}"#,
  ]

  @Test func `answers a chat as it was recorded`() throws {
    let server = try MockChat.openAICompatible()
    let call = try server.open()
    #expect(server.host.exchanges[0].url == "http://127.0.0.1:8080/v1/chat/completions")
    server.stream(Self.stream)
    #expect(
      call.events.map(\.kind) == [PRV_EVENT_MODEL_USED, PRV_EVENT_TEXT, PRV_EVENT_USAGE, PRV_EVENT_FINISH])
    #expect(call.text == " yomo")
    #expect(call.events[2].usage == [25, 2, 0, 0])
    #expect(call.finishReason == "length")
    #expect(server.host.violations == [])
  }

  @Test func `always asks the upstream for a stream`() throws {
    let server = try MockChat.openAICompatible()
    let asked = try server.instance.open(PRV_CALL_CHAT, body: #"{"messages":[]}"#, model: "m", streams: false)
    defer { server.cancel(asked) }
    #expect(server.host.exchanges[0].body.contains(#""stream":true"#))
  }

  @Test func `reads an answer that was not streamed after all`() throws {
    let server = try MockChat.openAICompatible()
    let call = try server.open()
    server.answer(
      200,
      #"{"model":"m","choices":[{"index":0,"message":{"content":"Hi","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#
    )
    #expect(call.text == "Hi")
    #expect(call.events.contains { $0.kind == PRV_EVENT_TOOL_CALL && $0.name == "f" && $0.id == "c" })
    #expect(call.finishReason == "tool_calls")
  }

  @Test(arguments: [
    (#"{"choices":[{"message":{"content":"Hi"},"finish_reason":null}]}"#, PRV_E_NETWORK),
    (#"{"choices":[{"message":{"content":"Hi"#, PRV_E_BAD_RESPONSE), ("data: {}", PRV_E_BAD_RESPONSE),
    ("", PRV_E_BAD_RESPONSE), (#"{"error":{"message":"m","code":"model_not_found"}}"#, PRV_E_MODEL_NOT_FOUND),
  ])
  func `does not finish a whole answer without its end`(body: String, status: Int32) throws {
    let server = try MockChat.openAICompatible()
    let call = try server.open()
    server.answer(200, body)
    #expect(call.finishReason == nil)
    #expect(call.dones.map(\.status) == [status])
  }

  // MARK: - Broken connections

  @Test(arguments: [(0, false), (1, false), (2, false), (3, true), (4, true)])
  func `forgives a connection that breaks only behind the end`(count: Int, isFinished: Bool) throws {
    let server = try MockChat.openAICompatible()
    let call = try server.open()
    let exchange = server.host.exchanges[0]
    exchange.answer()
    for piece in Self.stream[..<count] { exchange.send(event: piece) }
    server.host.run()
    exchange.complete(status: PRV_E_NETWORK, message: "connection reset by 127.0.0.1:8080")
    server.host.run()
    #expect(call.finishReason == (isFinished ? "length" : nil))
    #expect(call.dones.map(\.status) == [isFinished ? PRV_OK : PRV_E_NETWORK])
  }

  @Test func `waits for [DONE] when it is told to`() throws {
    for isCut in [true, false] {
      let server = try MockChat.openAICompatible(#"{"base_url":"http://h","require_done":true}"#)
      let call = try server.open()
      server.stream(Self.stream, isCut: isCut)
      #expect((call.finishReason == nil) == isCut)
      // What was spent is known, also of an answer that broke.
      #expect(call.events.contains { $0.kind == PRV_EVENT_USAGE })
    }
  }

  @Test func `aborts its exchange when the client leaves`() throws {
    let server = try MockChat.openAICompatible()
    let call = try server.open()
    server.host.exchanges[0].answer()
    server.host.exchanges[0].send(event: Self.stream[1])
    server.host.run()
    server.instance.cancel(call)
    server.host.run()
    #expect(server.host.exchanges[0].isAborted)
    #expect(call.finishReason == nil)
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
  }

  @Test func `reads no further while the client is slow`() throws {
    let server = try MockChat.openAICompatible()
    let call = try server.instance.open(
      PRV_CALL_CHAT, body: #"{"messages":[]}"#, model: "m", answering: [PRV_OK, PRV_PAUSE])
    server.stream(Self.stream)
    #expect(call.events.map(\.kind) == [PRV_EVENT_MODEL_USED, PRV_EVENT_TEXT])
    server.instance.resume(call)
    server.host.run()
    #expect(call.finishReason == "length")
  }

  @Test func `reads an event named error`() throws {
    let server = try MockChat.openAICompatible()
    let call = try server.open()
    let exchange = server.host.exchanges[0]
    exchange.answer()
    exchange.send(event: #"{"message":"busy","code":503}"#, named: "error")
    server.host.run()
    #expect(call.dones.map(\.status) == [PRV_E_OVERLOADED])
    #expect(call.dones[0].message == "busy")
  }

  // MARK: - Errors

  @Test(
    arguments: [
      (401, #"{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}"#, PRV_E_AUTH),
      (
        400, #"{"error":{"code":400,"message":"'messages' is required","type":"invalid_request_error"}}"#,
        PRV_E_BAD_REQUEST
      ),
      (
        400,
        #"{"error":{"code":400,"message":"request (20020 tokens) exceeds the available context size (8192 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":20020,"n_ctx":8192}}"#,
        PRV_E_CONTEXT_LENGTH
      ),
      (404, #"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#, PRV_E_NOT_FOUND),
      (413, "", PRV_E_BAD_REQUEST), (500, "", PRV_E_UPSTREAM), (302, "", PRV_E_BAD_RESPONSE),
    ] as [(UInt32, String, Int32)])
  func `reads errors`(http: UInt32, body: String, status: Int32) throws {
    let server = try MockChat.openAICompatible()
    let call = try server.open()
    server.answer(http, body)
    #expect(call.dones.map(\.status) == [status])
    #expect(call.dones[0].httpStatus == http)
    #expect(call.events == [])
  }

  @Test func `says what the status says when the error's body breaks off or is too long`() throws {
    for endsWell in [true, false] {
      let server = try MockChat.openAICompatible()
      let call = try server.open()
      let exchange = server.host.exchanges[0]
      exchange.answer(status: 503, headers: [])
      exchange.send(body: String(repeating: "x", count: endsWell ? 300_000 : 3))
      exchange.complete(status: endsWell ? PRV_OK : PRV_E_NETWORK, httpStatus: 503)
      server.host.run()
      #expect(call.dones.map(\.status) == [PRV_E_OVERLOADED])
    }
  }

  // MARK: - Settings

  @Test func `makes no instance on a host without HTTP`() {
    let answer = { (handshake: UnsafePointer<prv_handshake>?, reply: UnsafeMutablePointer<prv_reply>?) in
      PluginEntry.answer(
        handshake, reply,
        plugin: PluginDescriptor(id: "test.poor", name: "t", version: "1", providers: [OpenAICompatible.self]))
    }
    #expect(
      throws: MockFailure(
        status: PRV_E_INCOMPATIBLE, message: "the host offers no service prv.http/1, which this provider requires")
    ) {
      try MockHost(missing: ["prv.http/1"]).makeInstance(
        answer, provider: "openai-compatible", settings: #"{"base_url":"http://h"}"#)
    }
  }

  @Test func `needs a base URL`() {
    #expect(
      throws: MockFailure(
        status: PRV_E_INVALID_ARGUMENT, message: "base_url is missing: where does the provider answer?")
    ) { try MockChat.openAICompatible("{}") }
  }

  @Test(arguments: [
    #"{"base_url":"http://h","max_tokens_member":"n"}"#, #"{"base_url":"http://h","ask_for_usage":1}"#,
    #"{"base_url":"http://h","require_done":"yes"}"#, #"{"base_url":"http://h","return_reasoning":null}"#,
    #"{"base_url":"http://h","key_header":3}"#, #"{"base_url":"http://h","models":[{}]}"#,
  ])
  func `refuses settings that cannot be`(settings: String) {
    let failure = #expect(throws: MockFailure.self) { try MockChat.openAICompatible(settings) }
    #expect(failure?.status == PRV_E_INVALID_ARGUMENT)
  }

  @Test func `follows its settings`() throws {
    let server = try MockChat.openAICompatible(
      #"{"base_url":"http://h/openai?v=1","has_key":true,"key_header":"api-key","ask_for_usage":false,"return_reasoning":false,"max_tokens_member":"max_completion_tokens"}"#
    )
    let asked = try server.open(
      #"{"messages":[{"role":"assistant","reasoning_content":"r","content":"c"}],"max_tokens":4,"patchbay":{"thinking":"max"}}"#
    )
    defer { server.cancel(asked) }
    let exchange = server.host.exchanges[0]
    #expect(exchange.url == "http://h/openai/chat/completions?v=1")
    #expect(exchange.authScheme == "header:api-key")
    #expect(
      exchange.body
        == #"{"model":"m","stream":true,"messages":[{"role":"assistant","content":"c"}],"max_completion_tokens":4,"reasoning_effort":"high"}"#
    )
  }

  @Test func `asks without a key when there is none`() throws {
    let server = try MockChat.openAICompatible(#"{"base_url":"http://h","has_key":false}"#)
    let asked = try server.open()
    defer { server.cancel(asked) }
    #expect(server.host.exchanges[0].authReference == "")
  }

  @Test func `says that it has no web search`() throws {
    let server = try MockChat.openAICompatible()
    let call = try server.open(#"{"messages":[],"patchbay":{"web_search":true}}"#)
    server.host.run()
    #expect(server.host.exchanges.isEmpty)
    #expect(call.dones.map(\.status) == [PRV_E_UNSUPPORTED])
  }

  // MARK: - Models and health

  @Test func `lists what was configured without asking`() throws {
    let server = try MockChat.openAICompatible(
      #"{"base_url":"http://h","models":["llama3.2",{"id":"b","aliases":["c"]}]}"#)
    let call = try server.instance.open(PRV_CALL_MODELS)
    server.host.run()
    #expect(server.host.exchanges.isEmpty)
    #expect(call.events.map(\.text) == [#"{"id":"llama3.2"}"#, #"{"id":"b","aliases":["c"]}"#, ""])
  }

  @Test func `lists what the upstream lists`() throws {
    let server = try MockChat.openAICompatible()
    let call = try server.instance.open(PRV_CALL_MODELS)
    server.answer(200, #"{"object":"list","data":[{"id":"tiny","meta":{"n_ctx_train":8192}}]}"#)
    #expect(call.events.map(\.text) == [#"{"id":"tiny","context_tokens":8192}"#, ""])
  }

  @Test(
    arguments: [
      (200, #"{"data":[]}"#, PRV_OK), (404, "", PRV_OK), (405, "", PRV_OK), (401, "", PRV_E_AUTH),
      (500, "", PRV_E_UPSTREAM), (200, "<html>", PRV_E_BAD_RESPONSE),
    ] as [(UInt32, String, Int32)])
  func `is healthy when the upstream answers, whatever was configured`(http: UInt32, body: String, status: Int32)
    throws
  {
    let server = try MockChat.openAICompatible(#"{"base_url":"http://h","models":["m"]}"#)
    let call = try server.instance.open(PRV_CALL_HEALTH)
    #expect(server.host.exchanges[0].url == "http://h/v1/models")
    server.answer(http, body)
    #expect(call.dones.map(\.status) == [status])
  }
}
