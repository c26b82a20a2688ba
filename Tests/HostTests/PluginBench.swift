import CProviderABI
import Dispatch
import Glibc
import Synchronization
import Testing
import Wire

@testable import Host

/// A plugin host with one loop, the plugin `Fixtures/calls.c` and one instance of it: what a test of calls begins with.
final class PluginBench: @unchecked Sendable {
  // One compilation for all tests; each bench loads its own copy, with its own globals.
  private static let compiled = Result { () throws -> TemporaryDirectory in
    let directory = try TemporaryDirectory()
    try PluginFixture.compile("calls", to: "calls.so", in: directory)
    return directory
  }

  let state: TemporaryDirectory
  let loop: EventLoop
  let upstream = ScriptedUpstream()
  let host: PluginHost
  let provider: InProcessProvider
  let log: LogReader
  private let library: UnsafeMutableRawPointer

  init(_ change: (inout ProviderSettings) -> Void = { _ in }, graceMilliseconds: UInt64 = 2000) throws {
    let directory = try Self.compiled.get()
    state = try TemporaryDirectory()
    loop = try EventLoop(index: 0)
    log = try LogReader()
    var settings = ProviderSettings(id: "bench", plugin: "calls")
    settings.apiKey = Secret(value: "sk-0123456789")
    change(&settings)
    var hostSettings = PluginHostSettings(
      directories: [directory.path], stateDirectory: state.path, providers: [settings])
    hostSettings.graceMilliseconds = graceMilliseconds
    let upstream = upstream
    host = PluginHost(settings: hostSettings, log: log.log, loops: [loop]) { _ in upstream }
    let registry = host.register()
    provider = try #require(registry.providers.first as? InProcessProvider, "\(registry.refusedProviders)")
    library = try #require(dlopen(provider.plugin.copyPath, RTLD_NOW | RTLD_NOLOAD))
    loop.start()
  }

  deinit {
    loop.stop()
    loop.join()
  }

  /// What the fixture counted under `fixture_<name>`.
  func count(_ name: String) -> Int32 {
    guard let symbol = dlsym(library, "fixture_" + name) else { return -1 }
    return symbol.assumingMemoryBound(to: Atomic<Int32>.self).pointee.load(ordering: .sequentiallyConsistent)
  }

  func beDeaf() {
    dlsym(library, "fixture_is_deaf")?.assumingMemoryBound(to: Atomic<Int32>.self).pointee
      .store(1, ordering: .sequentiallyConsistent)
  }

  /// The host's table, as the plugin has it.
  var table: UnsafePointer<prv_host> {
    dlsym(library, "fixture_host")!.assumingMemoryBound(to: UnsafePointer<prv_host>.self).pointee
  }

  func service<Table>(_ id: String, as type: Table.Type) -> UnsafePointer<Table>? {
    var id = id
    return id.withUTF8 { id in
      table.pointee.get_service(table.pointee.ctx, prv_str(UnsafeRawBufferPointer(id)))?
        .assumingMemoryBound(to: Table.self)
    }
  }

  /// Runs `body` on the loop and waits for it.
  func onLoop<Result>(_ body: @escaping () -> Result) -> Result {
    let answer = Box<Result>()
    // Let go before the waiter goes on: what `body` holds, a bench perhaps, must not end on the loop.
    let held = Box<() -> Result>()
    held.value = body
    let isDone = DispatchSemaphore(value: 0)
    let job = {
      answer.value = held.take()(); isDone.signal(); return ()
    }
    #expect(loop.submit(.work(job)))
    isDone.wait()
    return answer.value!
  }

  /// Waits until the loop has done all that was asked of it so far, and what that led to.
  func settle() {
    for _ in 0..<3 { onLoop {} }
  }

  /// That the calls from now on are in.
  var trace: TraceContext?

  func open(_ model: String, _ sink: RecordingSink) -> Result<ProviderCallID, ProviderFailure> {
    onLoop { [self] in
      Swift.Result { () throws(ProviderFailure) in try openHere(model, sink) }
    }
  }

  /// On the loop already.
  func openHere(_ model: String, _ sink: RecordingSink) throws(ProviderFailure) -> ProviderCallID {
    let model = Array(model.utf8)
    let id = Array("request-1".utf8)
    let body = Array("{}".utf8)
    return try model.withUnsafeBytes { model in
      id.withUnsafeBytes { id in
        body.withUnsafeBytes { body in
          Swift.Result { () throws(ProviderFailure) in
            try provider.open(
              ProviderRequest(
                kind: .chat, wantsStream: true, attempt: 1, deadline: .never, connectTimeoutNanoseconds: 5,
                requestID: id, model: model, bodySchema: "prv.chat/1", body: body, trace: trace), sink: sink, on: loop)
          }
        }
      }
    }.get()
  }

  /// prv_host.emit with a text, on this thread.
  func emit(_ call: ProviderCallID, _ text: String) -> Int32 { emit(call, Array(text.utf8)) }

  func emit(_ call: ProviderCallID, _ text: [UInt8], kind: UInt32 = PRV_EVENT_TEXT) -> Int32 {
    text.withUnsafeBytes { text in
      var event = prv_event()
      event.size = UInt32(MemoryLayout<prv_event>.size)
      event.kind = kind
      event.text = prv_str(text)
      return table.pointee.emit(table.pointee.ctx, call.rawValue, &event)
    }
  }

  /// prv_host.done on this thread.
  func done(_ call: ProviderCallID, _ status: Int32 = PRV_OK) -> Int32 {
    var done = prv_done()
    done.size = UInt32(MemoryLayout<prv_done>.size)
    done.status = status
    return table.pointee.done(table.pointee.ctx, call.rawValue, &done)
  }

  /// Runs `body` on a thread of its own and waits for it.
  static func elsewhere<Result>(_ body: @escaping () -> Result) -> Result { together(1, body)[0] }

  /// Runs `body` on `count` threads at once and waits for all of them.
  static func together<Result>(_ count: Int, _ body: @escaping () -> Result) -> [Result] {
    let answers = (0..<count).map { _ in Box<Result>() }
    let threads = answers.map { answer in
      let work = Box<() -> Void>()
      work.value = { answer.value = body() }
      var thread = pthread_t()
      pthread_create(
        &thread, nil,
        { argument in
          Unmanaged<Box<() -> Void>>.fromOpaque(argument!).takeRetainedValue().value!()
          return nil
        }, Unmanaged.passRetained(work).toOpaque())
      return thread
    }
    for thread in threads { pthread_join(thread, nil) }
    return answers.map { $0.value! }
  }
}

/// A value on its way between threads that wait for each other.
final class Box<Value>: @unchecked Sendable {
  var value: Value?

  /// What is in it, which it holds no longer.
  func take() -> Value {
    defer { value = nil }
    return value!
  }
}

/// Keeps what a call said, and answers as it is told.
final class RecordingSink: ProviderCallSink, @unchecked Sendable {
  private struct State {
    var words: [String] = []
    var ends: [ProviderEnd] = []
    var flow = ProviderFlow.proceed
    var onEvent: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let ended = DispatchSemaphore(value: 0)
  /// Runs inside every event.
  var onEvent: (@Sendable () -> Void)? {
    get { state.withLock { $0.onEvent } }
    set { state.withLock { $0.onEvent = newValue } }
  }

  /// "text:a", "finish:stop", "connected".
  var words: [String] { state.withLock { $0.words } }
  var ends: [ProviderEnd] { state.withLock { $0.ends } }

  /// The end, as soon as it is there.
  func end() throws -> ProviderEnd {
    try #require(ended.wait(timeout: .now() + 20) == .success, "the call did not end")
    return try #require(ends.first)
  }

  /// What went wrong; the test fails when the call ended otherwise.
  func failure() throws -> ProviderFailure {
    guard case .failed(let failure) = try end() else { throw UnexpectedEnd(ends: ends) }
    return failure
  }

  func requireCancelled() throws {
    guard case .cancelled = try end() else { throw UnexpectedEnd(ends: ends) }
  }

  struct UnexpectedEnd: Error { var ends: [ProviderEnd] }

  func answer(_ flow: ProviderFlow) { state.withLock { $0.flow = flow } }

  func providerEvent(_ event: ProviderEvent) -> ProviderFlow {
    let text = String(decoding: event.text, as: UTF8.self) + String(decoding: event.name, as: UTF8.self)
    let (flow, onEvent) = state.withLock { state in
      state.words.append("\(event.kind):\(text)")
      return (state.flow, state.onEvent)
    }
    onEvent?()
    return flow
  }

  func providerPhase(_ phase: ProviderPhase) { state.withLock { $0.words.append("\(phase)") } }

  func providerDone(_ end: ProviderEnd) {
    state.withLock { $0.ends.append(end) }
    ended.signal()
  }
}

/// A log whose lines a test reads.
final class LogReader: @unchecked Sendable {
  let log: Log
  private let reading: Int32
  private let writing: Int32
  private var rest: [UInt8] = []

  init(format: Log.Format = .text) throws {
    var descriptors: [Int32] = [0, 0]
    try #require(pipe(&descriptors) == 0)
    reading = descriptors[0]
    writing = descriptors[1]
    log = Log(descriptor: writing, level: .debug, format: format)
  }

  deinit {
    close(reading)
    close(writing)
  }

  /// The next line without its time; waits for it.
  func line() throws -> String {
    var descriptor = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
    while !rest.contains(0x0A) {
      try #require(poll(&descriptor, 1, 20_000) == 1, "nothing was logged")
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(reading, &buffer, buffer.count)
      rest.append(contentsOf: buffer[..<count])
    }
    let end = try #require(rest.firstIndex(of: 0x0A))
    let line = String(decoding: rest[..<end], as: UTF8.self)
    rest.removeFirst(end + 1)
    return String(line.drop { $0 != " " }.dropFirst())
  }
}

/// An upstream client whose exchanges the test plays.
final class ScriptedUpstream: UpstreamClient, @unchecked Sendable {
  var requests: [UpstreamRequest] = []
  var delegates: [any UpstreamExchangeDelegate] = []
  /// "cancel 1", "pause 1", "resume 1".
  var words: [String] = []
  var refusal: ProviderFailure?

  func start(_ request: UpstreamRequest, delegate: any UpstreamExchangeDelegate) throws(ProviderFailure)
    -> UpstreamExchangeID
  {
    if let refusal { throw refusal }
    requests.append(request)
    delegates.append(delegate)
    return UpstreamExchangeID(rawValue: UInt64(requests.count))
  }

  func cancel(_ exchange: UpstreamExchangeID) { words.append("cancel \(exchange.rawValue)") }
  func pause(_ exchange: UpstreamExchangeID) { words.append("pause \(exchange.rawValue)") }
  func resume(_ exchange: UpstreamExchangeID) { words.append("resume \(exchange.rawValue)") }
}
