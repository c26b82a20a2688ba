internal import CProviderABI
internal import ProviderContract
internal import ProviderTesting

/// Slow clients, many calls, changing threads, the end of an instance.
enum ChatFlowChecks {
  static let all = [backpressure, concurrent, threadHopping, noBlocking, stopOpen]

  /// Events that may follow a PRV_PAUSE: what one piece of the upstream becomes.
  private static let eventsPerPause = 8

  static let backpressure = ChatCheck.make(
    "backpressure-slow-consumer", rule: .serialEvents, category: .flow, needs: [.upstream, .format],
    proves: "A provider that is told to pause does, and goes on where it stopped."
  ) { subject throws(CheckStop) in
    let piece = "forty bytes of an answer that goes on.. "
    let pieces = Array(repeating: piece, count: 24)
    let host = subject.host(UpstreamAnswer(events: ChatScript.events(pieces)))
    let instance = try subject.instance(on: host)
    let call = try subject.open(PRV_CALL_CHAT, on: instance)
    call.pausesEvery = 1
    for _ in 0..<400 where !call.isClosed {
      let before = call.eventsWhilePaused
      host.run { call.isPaused || call.isClosed }
      host.advance(nanoseconds: 100_000_000)
      let more = call.eventsWhilePaused - before
      guard more <= eventsPerPause else {
        return .fail(expected: "at most \(eventsPerPause) events after PRV_PAUSE", found: "\(more)")
      }
      if call.isPaused, !call.isClosed { instance.resume(call) }
    }
    try subject.finish(call, on: host)
    instance.destroy()
    return ChatOutcome(host: host, call: call).differs(from: pieces.joined(), when: "with a slow client") ?? .pass()
  }

  static let concurrent = ChatCheck.make(
    "concurrent-streams-64", rule: .borrowedMemory, category: .flow, needs: .format,
    proves: "64 calls at once get each their own answer."
  ) { subject throws(CheckStop) in
    let limit = Int(subject.provider.maxConcurrency)
    let count = limit > 0 ? min(64, limit) : 64
    let host = subject.host(upstream: MockUpstream())
    host.upstream?.respond = { exchange in
      guard let mark = exchange.body.split(separator: "stream-").dropFirst().first?.prefix(while: \.isNumber) else {
        return nil
      }
      return UpstreamAnswer(events: ChatScript.events(["this is ", "stream-\(mark)", "."]))
    }
    let instance = try subject.instance(on: host)
    var calls: [MockCall] = []
    for number in 0..<count {
      let body = #"{"messages":[{"role":"user","content":"stream-\#(number)"}]}"#
      calls.append(try subject.open(PRV_CALL_CHAT, on: instance, body: body))
    }
    for (number, call) in calls.enumerated() {
      try subject.finish(call, on: host)
      guard subject.speaksHTTP else { continue }
      let outcome = ChatOutcome(host: host, call: call)
      if let verdict = outcome.differs(from: "this is stream-\(number).", when: "of \(count) at once") {
        return verdict
      }
    }
    instance.destroy()
    return .pass("\(count) calls")
  }

  private static let hoppingSeeds: UInt64 = 16

  static let threadHopping = ChatCheck.make(
    "thread-hopping", rule: .threadsAndBlocking, category: .flow, needs: [],
    proves: "The answer does not depend on the threads that the host calls from."
  ) { subject throws(CheckStop) in
    for number in 0..<hoppingSeeds {
      let seed = subject.context.seed &+ number
      let outcome = try subject.chat(subject.script.answer, seed: seed)
      if let verdict = outcome.breach(of: [.serialEvents]) { return verdict }
      guard subject.speaksHTTP else { continue }
      if let verdict = outcome.differs(from: subject.script, when: "on changing threads (seed \(seed))") {
        return verdict
      }
    }
    return .pass("\(hoppingSeeds) seeds")
  }

  private static let warnNanoseconds: UInt64 = 20_000_000
  private static let failNanoseconds: UInt64 = 100_000_000

  /// The slowest function of a round of calls. A machine that is busy is slow once, a function that blocks each time.
  private static func slowest(_ subject: ChatSubject) throws(CheckStop) -> (function: ABIFunction, nanoseconds: UInt64)
  {
    let cancelled = subject.host(subject.script.stalled)
    let instance = try subject.instance(on: cancelled)
    let call = try subject.open(PRV_CALL_CHAT, on: instance)
    cancelled.run()
    instance.cancel(call)
    cancelled.run()
    var hosts = [try subject.chat(subject.script.answer).host, cancelled]
    if subject.can(PRV_CAN_LIST_MODELS) { hosts.append(try subject.ask(PRV_CALL_MODELS, ChatScript.models).host) }
    if subject.can(PRV_CAN_CHECK_HEALTH) { hosts.append(try subject.ask(PRV_CALL_HEALTH, ChatScript.models).host) }
    var result = (function: ABIFunction.callOpen, nanoseconds: UInt64(0))
    for host in hosts {
      for (function, nanoseconds) in host.slowest where nanoseconds > result.nanoseconds {
        // Those may take their time, by the header.
        if [.create, .destroy].contains(function) { continue }
        result = (function, nanoseconds)
      }
    }
    return result
  }

  static let noBlocking = ChatCheck.make(
    "no-blocking", rule: .threadsAndBlocking, category: .flow, needs: .swiftness,
    proves: "No function that the host calls on a loop takes long."
  ) { subject throws(CheckStop) in
    var best = try slowest(subject)
    for _ in 0..<2 where best.nanoseconds > warnNanoseconds {
      let next = try slowest(subject)
      if next.nanoseconds < best.nanoseconds { best = next }
    }
    let found = "\(best.function) took \(best.nanoseconds / 1_000_000) ms"
    if best.nanoseconds > failNanoseconds { return .fail(expected: "at most 100 ms in each function", found: found) }
    if best.nanoseconds > warnNanoseconds { return .warn(expected: "at most 20 ms in each function", found: found) }
    return .pass("\(best.function) took \(best.nanoseconds / 1000) µs")
  }

  static let stopOpen = ChatCheck.make(
    "stop-with-open-streams", rule: .doneAfterCancel, category: .flow, needs: .upstream,
    proves: "When the instance stops, open calls end within the grace, and then it can be destroyed."
  ) { subject throws(CheckStop) in
    let host = subject.host(subject.script.stalled)
    let instance = try subject.instance(on: host)
    var calls: [MockCall] = []
    for _ in 0..<3 { calls.append(try subject.open(PRV_CALL_CHAT, on: instance)) }
    host.run()
    instance.stop()
    host.run(nanoseconds: 3_000_000_000) { calls.allSatisfy(\.isClosed) }
    if let verdict = ChatOutcome(host: host, call: calls[0]).breach(of: [.doneAfterCancel]) { return verdict }
    let open = calls.count { !$0.isClosed }
    guard open == 0 else { return .fail(expected: "every call closed", found: "\(open) of \(calls.count) open") }
    instance.destroy()
    return .pass()
  }
}
