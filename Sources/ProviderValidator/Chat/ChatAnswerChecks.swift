internal import CProviderABI
internal import ProviderContract
internal import ProviderTesting

/// What an answer says, streamed or not, good or refused.
enum ChatAnswerChecks {
  static let all = [basic, nonstream, doneOnce, toolCalls, errorMapping]

  static let basic = ChatCheck.make(
    "chat-basic", rule: .trueFinish, category: .chat, needs: [],
    proves: "A recorded chat gives its text, finish reason and usage."
  ) { subject throws(CheckStop) in
    let outcome = try subject.chat(subject.script.answer)
    guard subject.speaksHTTP else {
      let ended = outcome.call.status == PRV_OK && outcome.call.finishReason != nil
      return ended ? .pass() : .fail(expected: "FINISH and PRV_OK", found: "\(outcome.call.status ?? 0)")
    }
    if let verdict = outcome.differs(from: subject.script) { return verdict }
    guard let tokens = subject.script.tokens else { return .pass("the recording says no usage") }
    let usage = outcome.call.events.last { $0.kind == PRV_EVENT_USAGE }?.usage ?? []
    guard usage.prefix(2) == tokens[...] else {
      return .fail(
        expected: "usage of \(tokens[0]) input and \(tokens[1]) output tokens",
        found: usage.isEmpty ? "none" : "\(usage)")
    }
    return .pass()
  }

  static let nonstream = ChatCheck.make(
    "chat-nonstream", rule: .trueFinish, category: .chat, needs: .format,
    proves: "A client that wants no stream gets the same answer, also from an upstream that does not stream."
  ) { subject throws(CheckStop) in
    let host = subject.host(upstream: MockUpstream())
    host.upstream?.respond = { exchange in
      exchange.method == "GET"
        ? ChatScript.models : exchange.body.contains(#""stream":true"#) ? ChatScript.answer : ChatScript.whole
    }
    let instance = try subject.instance(on: host)
    let call = try subject.open(PRV_CALL_CHAT, on: instance, streams: false)
    try subject.finish(call, on: host)
    instance.destroy()
    guard subject.speaksHTTP else {
      return call.finishReason == nil ? .fail(expected: "FINISH", found: "none") : .pass()
    }
    let asked = ChatOutcome(host: host, call: call)
    if let verdict = asked.differs(from: ChatScript.text, when: "without a stream") { return verdict }
    let whole = try subject.chat(ChatScript.whole)
    return whole.differs(from: ChatScript.text, when: "from an upstream that does not stream") ?? .pass()
  }

  static let doneOnce = ChatCheck.make(
    "stream-done-exactly-once", rule: .oneDone, category: .chat, needs: [],
    proves: "However an answer ends, done comes once and nothing after it; a refused call has none."
  ) { subject throws(CheckStop) in
    let rules: Set<Rule> = [.oneDone, .nothingAfterDone, .handles]
    let answers = [
      subject.script.answer, ChatScript.whole, subject.script.answer.cut(at: 300),
      subject.script.answer.reset(at: 300),
      ChatScript.error(500, "oops"), UpstreamAnswer(body: "nonsense"),
    ]
    for answer in subject.speaksHTTP ? answers : [subject.script.answer] {
      if let verdict = try subject.chat(answer).breach(of: rules) { return verdict }
    }
    let host = subject.host(subject.script.answer)
    let instance = try subject.instance(on: host)
    var accepted: MockCall?
    var refusal: MockFailure?
    do throws(MockFailure) { accepted = try instance.open(4242) } catch { refusal = error }
    if let accepted { try subject.finish(accepted, on: host) }
    if let refusal, refusal.message.isEmpty {
      return .fail(expected: "a sentence with the refusal of a call of unknown kind", found: "none")
    }
    instance.destroy()
    guard let breach = host.breaches.first(where: { rules.contains($0.rule) }) else { return .pass() }
    return .fail(expected: breach.breach.expected, found: breach.breach.found, rule: breach.rule.rawValue)
  }

  static let toolCalls = ChatCheck.make(
    "stream-tool-calls", rule: .borrowedMemory, category: .chat, needs: [.upstream, .tools, .format],
    proves: "Tool calls keep their ids and names, and their arguments join to what the upstream sent."
  ) { subject throws(CheckStop) in
    let outcome = try subject.chat(ChatScript.tools, body: Self.toolRequest)
    let wanted = [("call_a", "weather", #"{"place":"Bern"}"#), ("call_b", "clock", #"{"zone":"UTC"}"#)]
    for (index, tool) in wanted.enumerated() {
      let events = outcome.call.events.filter { $0.index == UInt32(index) }
      guard let begin = events.first(where: { $0.kind == PRV_EVENT_TOOL_CALL }) else {
        return .fail(expected: "tool call \(index) to begin", found: "no event of it")
      }
      let arguments = events.filter { $0.kind == PRV_EVENT_TOOL_ARGUMENTS }.map(\.text).joined()
      guard (begin.id, begin.name, arguments) == tool else {
        return .fail(
          expected: "\(tool.0) \(tool.1) \(tool.2)", found: "\(begin.id) \(begin.name) \(arguments)")
      }
    }
    guard outcome.call.finishReason == "tool_calls" else {
      return .fail(expected: "FINISH with \"tool_calls\"", found: outcome.call.finishReason ?? "none")
    }
    return .pass()
  }

  private static let toolRequest =
    #"{"messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"weather","#
    + #""parameters":{"type":"object"}}},{"type":"function","function":{"name":"clock"}}]}"#

  static let errorMapping = ChatCheck.make(
    "stream-error-mapping", rule: .trueFinish, category: .chat, needs: [.upstream, .format],
    proves: "Each way an upstream refuses has the code that says why, and how long to wait."
  ) { subject throws(CheckStop) in
    for row in UpstreamErrorTable.chat {
      if let verdict = row.verdict(on: try subject.chat(row.answer).call) { return verdict }
    }
    return .pass("\(UpstreamErrorTable.chat.count) refusals")
  }
}
