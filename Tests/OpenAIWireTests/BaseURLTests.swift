import ProviderAPI
import Testing

@testable import OpenAIWire

@Suite struct `A base URL` {
  @Test(arguments: [
    ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1/models"),
    ("http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1/models"),
    ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1/models"),
    ("http://127.0.0.1:11434/v1//", "http://127.0.0.1:11434/v1/models"),
    ("https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/paas/v4/models"),
    ("https://h/v1/chat/completions", "https://h/v1/models"), ("https://h/chat/completions", "https://h/v1/models"),
    ("https://h/openai?api-version=2024-06-01", "https://h/openai/models?api-version=2024-06-01"),
    ("https://h?a=b", "https://h/v1/models?a=b"), ("HTTPS://Host/v1", "HTTPS://Host/v1/models"),
    ("http://[::1]:8080", "http://[::1]:8080/v1/models"),
  ])
  func `is joined with the operation`(base: String, url: String) throws {
    #expect(try BaseURL(base, defaultPath: "/v1").url("/models") == url)
  }

  @Test(arguments: [
    "", "localhost:8080/v1", "ftp://h/v1", "http://", "http:///v1", "http://:80/v1", "https://user:pw@h/v1",
    "https://h/a b", "https://h/é", "https://h/#x", "https://h/\r\nX: y",
  ])
  func `is refused when it is none`(base: String) {
    let error = #expect(throws: ProviderError.self) { try BaseURL(base, defaultPath: "/v1") }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("pw") == false)
  }

  @Test func `keeps its origin apart`() throws {
    #expect(try BaseURL("https://h:8/v1?x", defaultPath: "").origin == "https://h:8")
  }
}
