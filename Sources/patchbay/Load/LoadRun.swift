import Bytes
import Decisions
import Glibc
import Host
import LoadTest

/// Performs a run: connections, clock and signals. What it all means is decided in LoadTest.
///
/// One thread, one loop. The phases follow each other: the host's figures before; calls for the duration; a moment for
/// those that still run; all connections but one close, and over that one the host is asked until it is as before.
final class LoadRun: CallerOwner {
  private enum Phase {
    case starting(until: Instant)
    case running(until: Instant)
    case finishing(until: Instant)
    case settling(until: Instant)
    case done
  }

  private static let startSeconds = 10.0
  /// What the calls in flight get at the end of the duration.
  private static let finishSeconds = 0.5
  /// Between two looks at the host while it settles.
  private static let settleStepMilliseconds: UInt64 = 20

  private let settings: LoadSettings
  private let url: String
  private let progress: ProgressLine
  private let signals: StopSignals
  private let poller: Poller
  private let target: LoadTarget
  private let runID: String

  private var callers: [Caller] = []
  private var phase: Phase
  private var now = Instant.now()
  private var startedAt = Instant.never
  private var endedAt = Instant.never
  private var nextSample = Instant.never
  private var pace = Pace(perSecond: nil, now: 0)
  private var callNumber = 0

  private var watch: HostWatch
  private var tally = Tally()
  private var latencies = LatencyHistogram()
  private var unfinished = 0
  private var ending = LoadReport.Ending.complete
  private var startFailure: String?

  /// Connects once, blocking, so that a host that is not there is known before anything begins.
  init(settings: LoadSettings, url: String, token: String?, progress: ProgressLine) throws {
    self.settings = settings
    self.url = url
    self.progress = progress
    let address = try WebSocketAddress(url)
    guard !address.isSecure else {
      throw UsageError(message: "--url must begin with ws://: load is measured without TLS, got '\(url)'")
    }
    let first = try address.connect(silenceSeconds: Int(Self.startSeconds))
    target = LoadTarget(
      authority: address.authority, path: address.path, token: token, peer: WebSocketAddress.peer(of: first))
    poller = try Poller()
    signals = try StopSignals(poller: poller)
    var random: UInt64 = .random(in: .min ... .max)
    runID = withUnsafeBytes(of: &random) { Hex.encode($0) }
    watch = HostWatch(now: now.nanoseconds)
    phase = .starting(until: now.advanced(seconds: Self.startSeconds))
    addCaller()
    callers[0].open(with: first, now: now)
  }

  /// Runs to the end; throws when the host does not answer at the start.
  func run() throws -> LoadReport {
    while true {
      for event in poller.wait(milliseconds: milliseconds(until: nextDeadline)) { dispatch(event) }
      now = .now()
      try advance()
      if case .done = phase { break }
    }
    progress.finish()
    guard let before = watch.before, let most = watch.most, endedAt != .never else {
      throw ClientError(description: "interrupted before the first call")
    }
    return LoadReport(
      settings: settings, url: url, seconds: Double(endedAt.nanoseconds(since: startedAt)) / 1e9, ending: ending,
      observation: Criteria.Observation(
        tally: tally, latencies: latencies, before: before, after: watch.after, memory: watch.memory),
      most: most, unfinished: unfinished)
  }

  private func addCaller() {
    let number = callers.count
    callers.append(
      Caller(
        number: number, connection: LoadConnection(number: UInt32(number), target: target, poller: poller),
        settings: settings, owner: self))
  }

  // MARK: - Turns

  private func dispatch(_ event: Poller.Event) {
    if event.number == StopSignals.number { stop() } else { callers[Int(event.number)].ready(event) }
  }

  private func stop() {
    signals.take()
    switch phase {
    case .starting: phase = .done
    case .running:
      ending = .interrupted
      finish()
    case .finishing, .settling, .done: break
    }
  }

  private var nextDeadline: Instant {
    switch phase {
    case .starting(let until), .finishing(let until): return until
    case .running(let until):
      var deadline = min(until, nextSample, progress.next)
      for caller in callers {
        deadline = min(deadline, caller.nextDeadline)
        if caller.isIdle { deadline = min(deadline, Instant(nanoseconds: pace.nextNanoseconds)) }
      }
      return deadline
    case .settling(let until): return min(until, now.advanced(milliseconds: Self.settleStepMilliseconds))
    case .done: return now
    }
  }

  private func milliseconds(until deadline: Instant) -> Int32 {
    let nanoseconds = min(deadline.nanoseconds(since: .now()), 60_000_000_000)
    return Int32((nanoseconds + 999_999) / 1_000_000)
  }

  private func advance() throws {
    if callers.contains(where: \.isOpen) { watch.sawOpen(now: now.nanoseconds) }
    switch phase {
    case .starting(let until): try advanceStart(until: until)
    case .running(let until):
      if let trouble = watch.trouble(now: now.nanoseconds) { return loseHost(trouble) }
      if now >= until { finish() } else { advanceRun() }
    case .finishing(let until):
      if now >= until || callers.allSatisfy({ $0.callingSince == nil }) { settle() }
    case .settling(let until):
      if now >= until || watch.isAsBefore {
        phase = .done
      } else {
        for caller in callers { caller.advance(now: now) }
        askHealth()
      }
    case .done: break
    }
  }

  // MARK: - Phases

  private func advanceStart(until: Instant) throws {
    if let startFailure { throw ClientError(description: "\(url): \(startFailure)") }
    if let trouble = watch.trouble(now: now.nanoseconds), callers[0].isOpen {
      throw ClientError(description: "\(url): \(trouble)")
    }
    if watch.before != nil { return begin() }
    guard now < until else {
      throw ClientError(description: "\(url) did not answer hello and health within \(Int(Self.startSeconds)) s")
    }
    askHealth()
  }

  private func begin() {
    phase = .running(until: now.advanced(seconds: settings.durationSeconds))
    startedAt = now
    nextSample = now
    pace = Pace(perSecond: settings.perSecond, now: now.nanoseconds)
    progress.begin(now: now, seconds: settings.durationSeconds)
    watch.runBegan(now: now.nanoseconds)
    for _ in 1..<settings.connections { addCaller() }
    let echoProviders = watch.before?.echoProviders ?? []
    for caller in callers {
      caller.expectEcho(of: echoProviders)
      if !caller.isOpen { caller.open(now: now) }
    }
    advanceRun()
  }

  private func advanceRun() {
    // A pace leaves most connections idle: each has its turn to be the first asked.
    let first = callNumber
    for offset in callers.indices {
      let caller = callers[(first + offset) % callers.count]
      caller.advance(now: now)
      if caller.isIdle, pace.take(now: now.nanoseconds) { startCall(caller) }
    }
    if now >= nextSample {
      askHealth()
      nextSample = now.advanced(seconds: settings.sampleSeconds)
    }
    if now >= progress.next {
      progress.show(tally: tally, p95Microseconds: latencies.percentile(95), figures: watch.latest, now: now)
    }
  }

  /// Asks over the first connection that is open, unless an answer is still to come.
  private func askHealth() {
    guard !watch.isAsking, let caller = callers.first(where: \.isOpen) else { return }
    watch.asked(over: caller.number, now: now.nanoseconds)
    caller.askHealth()
  }

  private func startCall(_ caller: Caller) {
    callNumber += 1
    // New each time, so that nothing but the provider can know the answer.
    let prompt = "Answer with one word. patchbay \(settings.tool.rawValue) \(runID) \(callNumber)"
    let requestID = "r\(callNumber)"
    var request = ByteBuffer()
    request.append("{\"op\":\"call_tool\",\"name\":\"chat\",\"request_id\":\"")
    request.append(requestID)
    request.append("\",\"arguments\":{\"stream\":true,\"prompt\":")
    request.appendJSON(string: prompt)
    if let model = settings.model {
      request.append(",\"model\":")
      request.appendJSON(string: model)
    }
    request.append("}}")
    caller.call(request, requestID: requestID, prompt: prompt, now: .now())
  }

  private func finish() {
    phase = .finishing(until: now.advanced(seconds: Self.finishSeconds))
    if callers.allSatisfy({ $0.callingSince == nil }) { settle() }
  }

  private func settle() {
    endCalls()
    let kept = callers.first { $0.isOpen && $0.callingSince == nil }
    for caller in callers where caller !== kept { caller.close() }
    watch.runEnded()
    phase = .settling(until: now.advanced(seconds: settings.settleSeconds))
    if kept == nil { callers[0].open(now: now) } else { askHealth() }
  }

  private func loseHost(_ why: String) {
    ending = .hostLost(why)
    endCalls()
    for caller in callers { caller.close() }
    phase = .done
  }

  /// Gives up what still runs. One that has waited longer than any percentile may is an error, not merely cut off.
  private func endCalls() {
    endedAt = now
    for since in callers.compactMap(\.callingSince) {
      let seconds = Double(now.nanoseconds(since: since)) / 1e9
      guard seconds >= settings.criteria.p99Seconds else {
        unfinished += 1
        continue
      }
      let message = "no end after \(seconds.text(decimals: 1)) s, when the run ended"
      tally.add(.error(code: "no_answer", message: message, retryAfterSeconds: nil))
    }
  }

  // MARK: - What callers tell

  func callEnded(_ end: CallEnd, microseconds: UInt64) {
    switch phase {
    case .starting:
      if case .error(_, let message, _) = end { startFailure = startFailure ?? message }
    case .running, .finishing:
      tally.add(end)
      if end == .success { latencies.record(microseconds: microseconds) }
    case .settling, .done: break
    }
  }

  func connectionLost(of caller: Caller, message: String) { watch.connectionLost(caller.number, message: message) }

  func healthAnswered(_ figures: HostFigures?) {
    if let figures {
      watch.take(figures, now: Instant.now().nanoseconds)
    } else if case .starting = phase {
      startFailure = "its health lacks global_in_flight and sessions; is a Patchbay host listening there?"
    }
  }
}
