internal import CProviderABI
internal import ProviderContract
internal import ProviderTesting

/// How the stream of an answer may arrive, and how it may break.
enum ChatStreamChecks {
  static let all = [chunking, order, truncated, unknownFields]

  static let chunking = ChatCheck.make(
    "stream-chunking-prime", rule: .wholeUTF8, category: .chat, needs: .upstream,
    proves: "The answer does not depend on where the upstream's bytes are cut, characters included."
  ) { subject throws(CheckStop) in
    let script = subject.script
    for bytes in [1, 3, 7] {
      let outcome = try subject.chat(script.accented.split(every: bytes))
      if let verdict = outcome.breach(of: [.wholeUTF8]) { return verdict }
      if let verdict = outcome.differs(
        from: script.accentedText, reason: script.finish, when: "in pieces of \(bytes) bytes")
      {
        return verdict
      }
    }
    let body = script.accented.body
    let inside = body.indices.filter { body[$0] & 0xC0 == 0x80 }
    for offset in inside {
      let outcome = try subject.chat(script.accented.split(at: offset))
      if let verdict = outcome.breach(of: [.wholeUTF8]) { return verdict }
      if let verdict = outcome.differs(
        from: script.accentedText, reason: script.finish, when: "cut at byte \(offset), within a character")
      {
        return verdict
      }
    }
    return .pass("\(3 + inside.count) ways to cut")
  }

  static let order = ChatCheck.make(
    "stream-order", rule: .trueFinish, category: .chat, needs: [],
    proves: "Tool calls begin before their arguments, in turn, and nothing of the answer follows FINISH."
  ) { subject throws(CheckStop) in
    let withTools = subject.can(PRV_CAN_TOOLS) && !subject.script.isRecorded
    for answer in [subject.script.answer] + (withTools ? [ChatScript.tools] : []) {
      var order = EventOrder()
      for event in try subject.chat(answer).call.events {
        if let fault = order.take(kind: event.kind, index: event.index) {
          return .fail(expected: fault.expected, found: fault.found)
        }
      }
    }
    return .pass()
  }

  static let truncated = ChatCheck.make(
    "stream-truncated-upstream", rule: .trueFinish, category: .chat, needs: .upstream,
    proves: "An answer that stops before its end fails, and is never told as complete."
  ) { subject throws(CheckStop) in
    let end = subject.script.endOffset
    for offset in stride(from: 0, through: end, by: max(1, end / 16)) {
      for (name, answer) in [
        ("ends", subject.script.answer.cut(at: offset)), ("breaks", subject.script.answer.reset(at: offset)),
      ] {
        let call = try subject.chat(answer).call
        let found = "status \(call.status ?? 0)\(call.finishReason == nil ? "" : " after FINISH")"
        guard call.finishReason == nil, let status = call.status, status < 0 else {
          return .fail(expected: "an error and no FINISH when the stream \(name) at byte \(offset)", found: found)
        }
        guard [PRV_E_NETWORK, PRV_E_BAD_RESPONSE, PRV_E_UPSTREAM].contains(status) else {
          return .fail(
            expected: "PRV_E_NETWORK or PRV_E_BAD_RESPONSE when the stream \(name) at byte \(offset)", found: found)
        }
      }
    }
    return .pass()
  }

  static let unknownFields = ChatCheck.make(
    "stream-unknown-upstream-fields", rule: .structHead, category: .chat, needs: [.upstream, .format],
    proves: "Members, comments and lines that a provider does not know do no harm."
  ) { subject throws(CheckStop) in
    try subject.chat(ChatScript.unknown).differs(from: ChatScript.text, when: "with unknown members") ?? .pass()
  }
}
