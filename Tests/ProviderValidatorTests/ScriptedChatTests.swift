import ProviderTesting
import Testing

@testable import ProviderValidator

@Suite struct ScriptedChatTests {
  @Test func `a recording says its chat, its other answers and what a client must be told`() throws {
    let chat = try ScriptedChat(
      recording: """
        #= text one\\ntwo
        #= finish length
        #= tokens 3 4
        #= model parrot
        > GET /models
        < 200
        | []
        > POST /speak
        < 200
        | 12345
        """)
    #expect(chat.text == "one\ntwo" && chat.finish == "length" && chat.tokens == [3, 4] && chat.model == "parrot")
    #expect(chat.answer.body == Array("12345\n".utf8))
    #expect(chat.endOffset == 3 && chat.stalled.body == Array("123".utf8))
    #expect(chat.routes.map(\.method) == ["GET"])
    #expect(chat.isRecorded)
  }

  @Test(arguments: ["#= text a\n> GET /a\n< 200", "> POST /a\n< 200", "#= text a\n#= tokens 1\n> POST /a\n< 200"])
  func `what a recording lacks is told`(text: String) {
    #expect(throws: RecordingError.self) { try ScriptedChat(recording: text) }
  }

  @Test func `the built-in chat is cut before its end only`() {
    let chat = ScriptedChat.openAI
    let before = String(decoding: chat.answer.cut(at: chat.endOffset).body, as: UTF8.self)
    #expect(!before.contains("\"stop\""))
    #expect(before.hasSuffix("\n\n"))
    let text = String(decoding: chat.answer.body, as: UTF8.self)
    #expect(text.hasPrefix(before) && text.contains("\"stop\""))
  }
}
