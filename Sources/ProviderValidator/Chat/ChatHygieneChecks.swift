internal import CProviderABI
internal import Glibc
internal import ProviderContract
internal import ProviderTesting

/// What must not get out: borrowed memory, late calls, words on standard streams, keys, requests to strangers.
enum ChatHygieneChecks {
  static let all = [poison, lateCalls, silent, secrets, requests]

  static let poison = ChatCheck.make(
    "borrowed-memory-poison", rule: .borrowedMemory, category: .robustness, needs: [],
    proves: "Nothing is read after the call it was lent for: all borrowed memory is overwritten then."
  ) { subject throws(CheckStop) in
    let outcome = try subject.chat(subject.script.answer)
    if let verdict = outcome.breach(of: [.wholeUTF8]) { return verdict }
    if subject.speaksHTTP, let verdict = outcome.differs(from: subject.script) { return verdict }
    // The poison is no UTF-8, and is read as this.
    let mark = "\u{FFFD}"
    let said =
      outcome.host.logLines + outcome.call.dones.map(\.message) + outcome.call.events.map(\.text)
      + outcome.host.exchanges.flatMap { [$0.url, $0.body] + $0.headers.flatMap { [$0.name, $0.value] } }
    guard let found = said.first(where: { $0.contains(mark) }) else { return .pass() }
    return .fail(expected: "no memory that was given back", found: String(found.prefix(120)))
  }

  static let lateCalls = ChatCheck.make(
    "late-calls-after-destroy", rule: .silentAfterDestroy, category: .robustness, needs: [],
    proves: "After destroy, with a chat behind it, the plugin calls no host function."
  ) { subject throws(CheckStop) in
    let outcome = try subject.chat(subject.script.answer)
    let host = outcome.host
    host.run(seconds: 0.3) { host.breaches.contains { $0.rule == .silentAfterDestroy } }
    return outcome.breach(of: [.silentAfterDestroy]) ?? .pass()
  }

  static let silent = ChatCheck.make(
    "stdout-stderr-silent", rule: .leavesProcessAlone, category: .robustness, needs: [],
    proves: "A chat writes nothing to standard output and standard error."
  ) { subject throws(CheckStop) in
    guard let file = tmpfile() else { return .skip("no temporary file") }
    defer { fclose(file) }
    let kept = [dup(1), dup(2)]
    dup2(fileno(file), 1)
    dup2(fileno(file), 2)
    defer { for descriptor in kept { close(descriptor) } }
    let outcome: Result<ChatOutcome, CheckStop>
    do throws(CheckStop) { outcome = .success(try subject.chat(subject.script.answer)) } catch {
      outcome = .failure(error)
    }
    dup2(kept[0], 1)
    dup2(kept[1], 2)
    _ = try outcome.get()
    var bytes = [UInt8](repeating: 0, count: 120)
    let count = pread(fileno(file), &bytes, bytes.count, 0)
    guard count > 0 else { return .pass() }
    return .fail(expected: "nothing written", found: "\"\(String(decoding: bytes[..<count], as: UTF8.self))\"")
  }

  static let key = "sk-validator-5f1c2b7a9d3e4860"
  private static let prompt = "an unmistakable prompt 48151623"

  static let secrets = ChatCheck.make(
    "log-no-secrets", rule: .leavesProcessAlone, category: .robustness, needs: [],
    proves: "Neither the key, which an upstream may repeat, nor the prompt is in a log line; no key in errors and URLs."
  ) { subject throws(CheckStop) in
    let body = #"{"messages":[{"role":"user","content":"\#(prompt)"}]}"#
    let refusal = ChatScript.error(401, "Incorrect API key provided: \(key)", code: "invalid_api_key")
    for answer in [refusal, subject.script.answer] {
      let outcome = try subject.chat(answer, body: body)
      let host = outcome.host
      if let line = host.logLines.first(where: { $0.contains(key) || $0.contains(prompt) }) {
        let what = line.contains(key) ? "the key" : "the prompt"
        return .fail(expected: "log lines without key and prompt", found: "\(what) in one")
      }
      for done in outcome.call.dones where (done.message + done.providerCode).contains(key) {
        return .fail(expected: "errors without the key", found: "the key in prv_done")
      }
      for exchange in host.exchanges where exchange.url.contains(prompt) {
        return .fail(expected: "URLs without the prompt", found: "it in one")
      }
    }
    return .pass()
  }

  static let requests = ChatCheck.make(
    "headers-and-url-hygiene", rule: .text, category: .robustness, needs: .upstream,
    proves: "Requests go to the base URL only, leave the key to the host, and follow no redirect."
  ) { subject throws(CheckStop) in
    let redirect = UpstreamAnswer(
      status: 302, headers: [("Location", "https://elsewhere.invalid/v1/chat/completions")], steps: [])
    for answer in [subject.script.answer, redirect] {
      let outcome = try subject.chat(answer)
      if let refused = outcome.host.refusedRequests.first {
        return .fail(expected: "requests a host carries out", found: refused)
      }
      for exchange in outcome.host.exchanges {
        let own = exchange.headers.first { ["authorization", "x-api-key", "api-key"].contains($0.name.lowercased()) }
        if let own {
          return .fail(expected: "auth_ref instead of a header of its own", found: "the header \(own.name)")
        }
      }
      let others = outcome.host.exchanges.filter { !$0.url.hasPrefix(ChatSubject.origin + "/") }
      if let other = others.first { return .fail(expected: "requests to \(ChatSubject.origin)", found: other.url) }
      if answer.status == 302, outcome.call.status == PRV_OK {
        return .fail(expected: "an error for a redirect", found: "PRV_OK")
      }
    }
    return .pass()
  }
}
