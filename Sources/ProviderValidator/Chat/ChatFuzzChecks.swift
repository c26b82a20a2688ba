internal import CProviderABI
internal import JSON
internal import ProviderContract
internal import ProviderTesting

/// Upstreams that send anything, clients that ask anything, and a long day.
enum ChatFuzzChecks {
  static let all = [upstreamBytes, requestJSON, soak]

  private static let upstreamSeeds = 300

  static let upstreamBytes = ChatCheck.make(
    "fuzz-upstream-bytes", rule: .wholeUTF8, category: .robustness, needs: .upstream,
    proves: "Whatever bytes an upstream sends, the call ends, with text that is UTF-8."
  ) { subject throws(CheckStop) in
    let rounds = ChatEffort.rounds(upstreamSeeds)
    let bases = [subject.script.answer] + (subject.script.isRecorded ? [] : [ChatScript.tools, ChatScript.whole])
    for number in 0..<rounds {
      let seed = subject.context.seed &+ UInt64(number)
      var generator = SeededGenerator(seed: seed)
      let base = bases[generator.below(bases.count)]
      var stop: CheckStop?
      do throws(CheckStop) {
        let outcome = try subject.chat(base.garbled(&generator))
        if let verdict = outcome.breach(of: [.wholeUTF8]) { stop = CheckStop(verdict) }
      } catch {
        stop = error
      }
      if var verdict = stop?.verdict {
        verdict.found += " (seed \(seed))"
        return verdict
      }
    }
    return .pass("\(rounds) seeds")
  }

  private static let requestSeeds = 100

  static let requestJSON = ChatCheck.make(
    "fuzz-request-json", rule: .text, category: .robustness, needs: .format,
    proves: "Every request that the contract allows is answered, and reaches the upstream as JSON with its words."
  ) { subject throws(CheckStop) in
    let rounds = ChatEffort.rounds(requestSeeds)
    for number in 0..<rounds {
      let seed = subject.context.seed &+ UInt64(number)
      var request = RequestGenerator(seed: seed)
      let body = request.body(tools: subject.can(PRV_CAN_TOOLS))
      let host = subject.host(subject.script.answer)
      let instance = try subject.instance(on: host)
      do throws(MockFailure) {
        let call = try instance.open(PRV_CALL_CHAT, body: body, model: subject.model)
        try? subject.finish(call, on: host)
        guard call.isClosed else { return .fail(expected: "the call ends", found: "it does not (seed \(seed))") }
        guard call.status == PRV_OK else {
          return .fail(
            expected: "PRV_OK", found: "\(call.status ?? 0): \(call.dones.first?.message ?? "") (seed \(seed))")
        }
      } catch {
        return .fail(expected: "PRV_OK from call_open", found: "\(error.status): \(error.message) (seed \(seed))")
      }
      instance.destroy()
      for exchange in host.exchanges {
        guard let sent = try? JSONValue(parsing: exchange.body) else {
          return .fail(
            expected: "a request body that is JSON",
            found: "\(exchange.body.utf8.count) bytes that are not (seed \(seed))")
        }
        guard sent.holds(text: request.lastWords) else {
          return .fail(
            expected: "the words of the last message in the request", found: "not all of them (seed \(seed))")
        }
      }
    }
    return .pass("\(rounds) requests")
  }

  private static let soakCalls = 2_000
  private static let memoryBytesLimit = 16 << 20

  static let soak = ChatCheck.make(
    "soak", rule: .silentAfterDestroy, category: .robustness, needs: [],
    proves: "Two thousand chats leave no descriptor and no thread behind, and little memory."
  ) { subject throws(CheckStop) in
    let host = subject.host(subject.script.answer)
    let instance = try subject.instance(on: host)
    defer { instance.destroy() }
    func run(_ count: Int) throws(CheckStop) {
      for _ in 0..<count { try subject.finish(try subject.open(PRV_CALL_CHAT, on: instance), on: host) }
    }
    // The first calls fill caches; what is counted comes after them.
    let calls = ChatEffort.rounds(soakCalls)
    try run(calls / 5)
    let descriptors = ProcessState.descriptorCount
    let threads = ProcessState.threads
    let bytes = ProcessState.residentBytes
    try run(calls)
    let more = (ProcessState.descriptorCount - descriptors, ProcessState.threadsLeft(beyond: threads))
    guard more.0 <= 0, more.1 <= 0 else {
      return .fail(
        expected: "as many descriptors and threads after \(calls) chats",
        found: "\(more.0) more descriptors, \(more.1) more threads")
    }
    let grown = max(0, ProcessState.residentBytes - bytes)
    let found = "\(grown >> 10) KiB more after \(calls) chats"
    return grown > memoryBytesLimit
      ? .warn(expected: "at most \(memoryBytesLimit >> 10) KiB", found: found) : .pass(found)
  }
}

extension JSONValue {
  /// Whether a string somewhere in it has `text` in it.
  fileprivate func holds(text: String) -> Bool {
    if let string { return string.contains(text) }
    if let array { return array.contains { $0.holds(text: text) } }
    return members?.contains { $0.value.holds(text: text) } ?? false
  }
}
