import CProviderABI
import ProviderTesting
import Testing

@testable import GLM

@Suite struct `GLM's tools` {
  private let glm: MockChat

  init() throws { glm = try MockChat.glm() }

  private var newest: MockExchange { glm.host.exchanges[glm.host.exchanges.count - 1] }

  @Test func `a search asks what its arguments say, and answers what was found`() throws {
    let call = try glm.instance.callTool("glm_web_search", #"{"search_query":"swift \"abi\""}"#)
    #expect(newest.method == "POST")
    #expect(newest.url == "https://api.z.ai/api/paas/v4/web_search")
    #expect(newest.authReference == "api_key")
    #expect(newest.headers.contains { $0 == ("Accept-Language", "en-US,en") })
    #expect(newest.body == #"{"search_query":"swift \"abi\"","count":10,"search_engine":"search-prime"}"#)
    glm.answer(200, #"{"search_result": [ {"title":"ABI","link":"https://x"} ]}"#)
    #expect(call.text == #"{"search_result":[{"title":"ABI","link":"https://x"}]}"#)
    #expect(call.finishReason == "stop")
    #expect(glm.host.violations.isEmpty)
  }

  @Test func `a search hands every filter on`() throws {
    let call = try glm.instance.callTool(
      "glm_web_search",
      #"{"search_query":"x","count":50,"search_engine":"search_pro","search_domain_filter":"x.org","search_recency_filter":"oneWeek","request_id":"r","user_id":"user-1"}"#
    )
    defer { glm.cancel(call) }
    #expect(
      newest.body
        == #"{"search_query":"x","count":50,"search_engine":"search_pro","search_domain_filter":"x.org","search_recency_filter":"oneWeek","request_id":"r","user_id":"user-1"}"#
    )
  }

  @Test func `a search that the upstream refuses fails with its words`() throws {
    let call = try glm.instance.callTool("glm_web_search", #"{"search_query":"x"}"#)
    glm.answer(429, #"{"error":{"code":"1302","message":"too many"}}"#)
    #expect(call.dones.map(\.status) == [PRV_E_CONCURRENCY])
    #expect(call.dones.first?.message == "too many")
    #expect(call.finishReason == nil)
  }

  @Test func `an answer that is no JSON is a broken one`() throws {
    let call = try glm.instance.callTool("glm_web_search", #"{"search_query":"x"}"#)
    glm.answer(200, "<html>")
    #expect(call.dones.map(\.status) == [PRV_E_BAD_RESPONSE])
  }

  @Test func `a file is uploaded for agents, or as asked`() throws {
    let call = try glm.instance.callTool("glm_upload_file", "{}", files: [MockFile("a.txt", content: [104, 105])])
    #expect(newest.url == "https://api.z.ai/api/paas/v4/files")
    #expect(newest.body.contains("name=\"purpose\"\r\n\r\nagent\r\n"))
    #expect(newest.body.contains("filename=\"a.txt\"\r\nContent-Type: application/octet-stream\r\n\r\nhi\r\n--"))
    glm.answer(200, #"{"id":"f1","filename":"a.txt"}"#)
    #expect(call.text == #"{"file_id":"f1","name":"a.txt","purpose":"agent"}"#)
    #expect(call.finishReason == "stop")
  }
}
