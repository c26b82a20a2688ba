internal import CProviderABI
internal import ProviderContract
internal import ProviderTesting

/// A call that nobody waits for any more.
enum ChatCancelChecks {
  static let all = [beforeFirstByte, midStream, race, releasesUpstream, deadline]

  /// Opens a chat against `answer`, lets it come as far as it gets, and cancels it.
  private static func cancelled(_ subject: ChatSubject, _ answer: UpstreamAnswer) throws(CheckStop) -> ChatOutcome {
    let host = subject.host(answer)
    let instance = try subject.instance(on: host)
    let call = try subject.open(PRV_CALL_CHAT, on: instance)
    host.run()
    instance.cancel(call)
    host.run(nanoseconds: 3_000_000_000) { call.isClosed }
    return ChatOutcome(host: host, call: call)
  }

  /// nil: the call was ended in time.
  private static func late(_ outcome: ChatOutcome) -> Verdict? {
    if let verdict = outcome.breach(of: [.doneAfterCancel]) { return verdict }
    return outcome.call.dones.isEmpty ? .fail(expected: "done within the grace of 2 s", found: "none") : nil
  }

  static let beforeFirstByte = ChatCheck.make(
    "cancel-before-first-byte", rule: .doneAfterCancel, category: .cancel, needs: [],
    proves: "A call that is cancelled before the upstream answered ends in time, as cancelled."
  ) { subject throws(CheckStop) in
    let outcome = try cancelled(subject, .silent)
    if let verdict = late(outcome) { return verdict }
    // One without an upstream may have been faster.
    let statuses = subject.speaksHTTP ? [PRV_CANCELLED] : [PRV_CANCELLED, PRV_OK]
    guard let status = outcome.call.status, statuses.contains(status) else {
      return .fail(expected: "PRV_CANCELLED in done", found: "\(outcome.call.status ?? 0)")
    }
    return .pass()
  }

  static let midStream = ChatCheck.make(
    "cancel-mid-stream", rule: .doneAfterCancel, category: .cancel, needs: .upstream,
    proves: "A call that is cancelled while its answer comes stops, and ends in time as cancelled."
  ) { subject throws(CheckStop) in
    let outcome = try cancelled(subject, subject.script.stalled)
    if let verdict = late(outcome) { return verdict }
    guard outcome.call.status == PRV_CANCELLED else {
      return .fail(expected: "PRV_CANCELLED in done", found: "\(outcome.call.status ?? 0)")
    }
    guard outcome.call.eventsAfterCancel <= 1 else {
      return .fail(
        expected: "no events once emit answered PRV_CANCELLED", found: "\(outcome.call.eventsAfterCancel) of them")
    }
    return .pass()
  }

  private static let raceSeeds = 1000

  static let race = ChatCheck.make(
    "cancel-race-with-done", rule: .oneDone, category: .cancel, needs: [],
    proves: "Whenever the cancel comes, on whatever thread, the call ends once."
  ) { subject throws(CheckStop) in
    let seeds = ChatEffort.rounds(raceSeeds)
    for number in 0..<seeds {
      let seed = subject.context.seed &+ UInt64(number)
      let host = subject.host(subject.script.answer, seed: seed)
      let instance = try subject.instance(on: host)
      let call = try subject.open(PRV_CALL_CHAT, on: instance)
      var generator = SeededGenerator(seed: seed)
      for _ in 0..<generator.below(40) where !host.step() { break }
      instance.cancel(call)
      host.run(nanoseconds: 3_000_000_000) { call.isClosed }
      let outcome = ChatOutcome(host: host, call: call)
      if call.isCancelled, var verdict = outcome.breach(of: [.oneDone, .nothingAfterDone, .handles]) {
        verdict.found += " (seed \(seed))"
        return verdict
      }
      instance.destroy()
    }
    return .pass("\(seeds) seeds")
  }

  static let releasesUpstream = ChatCheck.make(
    "cancel-releases-upstream", rule: .doneAfterCancel, category: .cancel, needs: .upstream,
    proves: "After a cancel no exchange is open, and none is begun."
  ) { subject throws(CheckStop) in
    let head = UpstreamAnswer(headers: subject.script.answer.headers, steps: [.stall])
    for answer in [head, subject.script.answer.stalled(at: 400)] {
      let host = subject.host(answer)
      let instance = try subject.instance(on: host)
      let call = try subject.open(PRV_CALL_CHAT, on: instance)
      host.run()
      let begun = host.exchanges.count
      instance.cancel(call)
      host.run(nanoseconds: 3_000_000_000) { call.isClosed }
      if let verdict = late(ChatOutcome(host: host, call: call)) { return verdict }
      let open = host.exchanges.count { !$0.isComplete }
      guard open == 0, host.exchanges.count == begun else {
        return .fail(
          expected: "no exchange after the cancel", found: "\(open) open, \(host.exchanges.count - begun) begun")
      }
      instance.destroy()
    }
    return .pass()
  }

  static let deadline = ChatCheck.make(
    "deadline-honoured", rule: .doneAfterCancel, category: .cancel, needs: .upstream,
    proves:
      "A call whose deadline passes ends within the grace, also when its upstream only keeps the connection alive."
  ) { subject throws(CheckStop) in
    for answer in [subject.script.stalled, .heartbeats(20)] {
      let host = subject.host(answer)
      let instance = try subject.instance(on: host)
      let call = try subject.open(PRV_CALL_CHAT, on: instance, seconds: 5)
      host.run(nanoseconds: 9_000_000_000) { call.isClosed }
      if let verdict = late(ChatOutcome(host: host, call: call)) { return verdict }
      guard call.status != PRV_OK else { return .fail(expected: "PRV_CANCELLED or PRV_E_TIMEOUT", found: "PRV_OK") }
    }
    return .pass()
  }
}
