internal import JSON
internal import ProviderTesting

/// What the scripted upstream says, and what a client must be told of it.
///
/// Plain ASCII, but for `accented`: a provider that splits characters is told so by one check.
enum ChatScript {
  static let request = #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#
  static let text = "Hello, world. This is fine."
  static let pieces = ["Hello, ", "world. ", "This is ", "fine."]
  static let inputTokens: UInt64 = 11
  static let outputTokens: UInt64 = 7

  /// One chunk of a stream. `delta` and `more` are JSON.
  static func chunk(_ delta: String, finish: String? = nil, more: String = "") -> String {
    let reason = finish.map { "\"\($0)\"" } ?? "null"
    return
      #"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"mock-model","choices":"#
      + #"[{"index":0,"delta":\#(delta),"finish_reason":\#(reason)}]\#(more)}"#
  }

  static func content(_ text: String) -> String { chunk(#"{"content":\#(JSONValue.string(text).text)}"#) }

  static let usage =
    #","usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}"#

  /// The events of a stream that says `pieces`.
  static func events(_ pieces: [String] = pieces, finish: String = "stop") -> [String] {
    [chunk(#"{"role":"assistant","content":""}"#)] + pieces.map(content) + [chunk("{}", finish: finish, more: usage)]
  }

  static let answer = UpstreamAnswer(events: events())

  static let accentedPieces = ["Grüße: ", "naïve ", "€uro ", "日本 ", "😀."]
  static let accented = UpstreamAnswer(events: events(accentedPieces))

  /// The same, not streamed.
  static let whole = UpstreamAnswer(
    body: #"{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"mock-model","choices":"#
      + #"[{"index":0,"message":{"role":"assistant","content":"\#(text)"},"finish_reason":"stop"}]\#(usage)}"#)

  /// Before its end marker: where an answer may break off and must not be taken for whole.
  static var endOffset: Int {
    UpstreamAnswer(events: events().dropLast(), isCut: true).body.count
  }

  /// A stream that stops in the middle, and stays open.
  static let stalled = UpstreamAnswer(
    headers: answer.headers, steps: Array(answer.steps.prefix(3)) + [.stall])

  static let tools = UpstreamAnswer(events: [
    chunk(#"{"role":"assistant","content":null}"#),
    chunk(#"{"reasoning_content":"I need two tools."}"#),
    chunk(
      #"{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"weather","arguments":"{\"pl"}}]}"#
    ),
    chunk(#"{"tool_calls":[{"index":0,"function":{"arguments":"ace\":\"Bern\"}"}}]}"#),
    chunk(
      #"{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"clock","arguments":"{\"zone\""}}]}"#
    ),
    chunk(#"{"tool_calls":[{"index":1,"function":{"arguments":":\"UTC\"}"}}]}"#),
    chunk("{}", finish: "tool_calls", more: usage),
  ])

  static let unknown = UpstreamAnswer(
    headers: answer.headers,
    steps: [": a comment\n\n", "retry: 1000\n\n"].map { .bytes(Array($0.utf8)) }
      + events().map { event in
        .bytes(
          Array(
            "data: \(event.dropLast()),\"x_unknown\":{\"a\":[1,null,{\"b\":\"}\"}]},\"service_tier\":null}\n\n".utf8))
      } + [.bytes(Array("data: [DONE]\n\n".utf8))])

  static let models = UpstreamAnswer(
    body: #"{"object":"list","data":[{"id":"mock-model","object":"model","created":1767225600,"owned_by":"mock"},"#
      + #"{"id":"mock-mini","object":"model","created":1767225600,"owned_by":"mock"}]}"#)

  static let modelRoutes = [MockUpstream.Route(method: "GET", path: "", answer: models)]

  static func error(
    _ status: UInt32, _ message: String, code: String = "", type: String = "error", retryAfter: Int? = nil
  )
    -> UpstreamAnswer
  {
    let code = code.isEmpty ? "null" : "\"\(code)\""
    var answer = UpstreamAnswer(
      status: status, body: #"{"error":{"message":"\#(message)","type":"\#(type)","param":null,"code":\#(code)}}"#)
    if let retryAfter { answer.headers.append(("Retry-After", String(retryAfter))) }
    return answer
  }
}
