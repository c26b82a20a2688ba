import Decisions
import Glibc
import Testing
import Wire

@testable import Host

/// A provider whose calls the test plays. Thread: the one that drives the loop.
final class ScriptedProvider: ProviderInstance, @unchecked Sendable {  // Confined to the thread that drives the loop.
  let information: ProviderInformation
  /// "open 1 m-1", "release 1 client", "resume 1".
  private(set) var words: [String] = []
  private(set) var bodies: [String] = []
  private(set) var deadlines: [Instant] = []
  private(set) var kinds: [ProviderCallKind] = []
  private(set) var traces: [TraceContext?] = []
  /// Runs inside `open`; what it throws is what `open` throws.
  var onOpen: ((UInt64) throws(ProviderFailure) -> Void)?
  /// Its plugin is in quarantine.
  var isSpent = false
  private var sinks: [UInt64: any ProviderCallSink] = [:]
  private var opened: UInt64 = 0

  init(id: String = "fake", models: String = #"[{"id":"m-1"}]"#) {
    information = ProviderInformation(
      id: id, pluginID: "fake", pluginPath: "/fake.so", pluginVersion: "1", displayName: "Fake", capabilities: 0,
      temperatureMax: 1, defaultLimit: 0, modelsJSON: models, baseURL: "")
  }

  /// Whose calls the provider still holds.
  var running: [UInt64] { sinks.keys.sorted() }

  func open(_ request: ProviderRequest, sink: any ProviderCallSink, on loop: EventLoop) throws(ProviderFailure)
    -> ProviderCallID
  {
    opened += 1
    let call = opened
    words.append("open \(call) \(String(decoding: request.model, as: UTF8.self))")
    bodies.append(String(decoding: request.body, as: UTF8.self))
    deadlines.append(request.deadline)
    kinds.append(request.kind)
    traces.append(request.trace)
    sinks[call] = sink
    do {
      try onOpen?(call)
    } catch {
      sinks[call] = nil
      throw error
    }
    return ProviderCallID(rawValue: call)
  }

  func cancel(_ call: ProviderCallID, reason: ProviderCancelReason, on loop: EventLoop) {
    words.append("cancel \(call.rawValue) \(reason)")
  }

  func resume(_ call: ProviderCallID, on loop: EventLoop) { words.append("resume \(call.rawValue)") }

  func release(_ call: ProviderCallID, reason: ProviderCancelReason, on loop: EventLoop) {
    words.append("release \(call.rawValue) \(reason)")
    sinks[call.rawValue] = nil
  }

  // MARK: - What the test plays

  /// nil: nobody listens any more.
  @discardableResult
  func emit(
    _ call: UInt64, _ kind: ProviderEvent.Kind, _ text: String = "", index: UInt32 = 0, id: String = "",
    name: String = "", usage: TokenUsage? = nil
  ) -> ProviderFlow? {
    let (text, id, name) = (Array(text.utf8), Array(id.utf8), Array(name.utf8))
    return text.withUnsafeBytes { text in
      id.withUnsafeBytes { id in
        name.withUnsafeBytes { name in
          sinks[call]?.providerEvent(
            ProviderEvent(kind: kind, index: index, text: text, id: id, name: name, usage: usage))
        }
      }
    }
  }

  func phase(_ call: UInt64, _ phase: ProviderPhase) { sinks[call]?.providerPhase(phase) }

  func done(_ call: UInt64, _ end: ProviderEnd = .succeeded) { sinks.removeValue(forKey: call)?.providerDone(end) }

  /// A whole answer: text, usage, the finish reason, the end.
  func answer(_ call: UInt64, _ text: String) {
    emit(call, .text, text)
    emit(call, .usage, usage: TokenUsage(inputTokens: 7, outputTokens: 3))
    emit(call, .finish, name: "stop")
    done(call)
  }
}

/// A host of one loop and one provider that does nothing until `run`: the test's thread is the loop's.
///
/// The event loop is a real one that was asked to stop before it began, so that each `run` does what there is to do,
/// fires the timers that are due, and returns.
final class HostBench {
  let eventLoop: EventLoop
  let loop: HostLoop
  let core: Core
  let provider: ScriptedProvider
  let services: HostServices
  let peers = LoopDirectory()

  /// - Parameters:
  ///   - others: providers after the first, numbered from 1.
  ///   - isReady: false: the registry does not stand yet.
  init(
    provider: ScriptedProvider = ScriptedProvider(), others: [ScriptedProvider] = [], providerLimit: Int = 100,
    queued: Int = 0,
    principals: [(name: String, role: Principals.Role, token: String)] = [], isReady: Bool = true,
    log: Log = Log(level: .error),
    _ change: (inout Configuration) -> Void = { _ in }
  ) throws {
    let providers = [provider] + others
    var configuration = Configuration()
    configuration.limits.connectionsPerAddress = 100
    configuration.retry.attempts = 1
    change(&configuration)
    let known = Principals(principals)
    core = Core(configuration.coreSettings(known))
    _ = core.configure(
      configuration.coreSettings(known),
      providers: providers.map { _ in Admission.ProviderLimit(inFlight: providerLimit, queued: queued) }, now: .now())
    services = HostServices(
      configuration: configuration, log: log, core: core, principals: known,
      version: "9.9.9")
    eventLoop = try EventLoop(index: 0)
    loop = HostLoop(eventLoop: eventLoop, services: services, peers: peers)
    peers.fill([loop])
    self.provider = provider
    if isReady {
      let models = ModelDirectory(
        providers: providers.map(\.information), configured: providers.map { _ in true },
        defaultName: configuration.defaultModel)
      loop.adopt(
        Routing(providers: providers, catalogue: models.catalogue, fallback: configuration.fallback))
    }
    eventLoop.stop()
  }

  deinit { run { [loop] in loop.abortConnections() } }

  /// Runs `body` on the loop, and all that follows from it at once.
  func run(_ body: @escaping () -> Void = {}) {
    eventLoop.enqueue(.work(body))
    eventLoop.run()
  }

  /// Runs `body` on the loop and gives its result.
  func value<Result>(_ body: @escaping () -> Result) throws -> Result {
    var result: Result?
    run { result = body() }
    return try #require(result)
  }

  /// Runs the loop until `condition` holds, for what comes with time.
  func wait(until condition: () -> Bool) throws {
    let deadline = Instant.now().advanced(milliseconds: 20_000)
    while !condition() {
      try #require(Instant.now() < deadline, "it did not come")
      run()
    }
  }

  /// Every permit, queue place and session is given back, as soon as the kernel has told the loop what happened, and
  /// the provider holds no call.
  func expectNothingHeld(sessions: Int = 0, sourceLocation: SourceLocation = #_sourceLocation) {
    let deadline = Instant.now().advanced(milliseconds: 5_000)
    while core.read(now: .now()).sessions != sessions, Instant.now() < deadline { run() }
    let reading = core.read(now: .now())
    #expect(reading.inFlight == 0, sourceLocation: sourceLocation)
    #expect(reading.queued == 0, sourceLocation: sourceLocation)
    #expect(reading.sessions == sessions, sourceLocation: sourceLocation)
    #expect(reading.counters.admitted == reading.counters.released, sourceLocation: sourceLocation)
    #expect(reading.counters.droppedPermits == 0, sourceLocation: sourceLocation)
    #expect(provider.running == [], sourceLocation: sourceLocation)
  }
}
