import Bytes
import CLinux
import CProviderABI
import Decisions
import Glibc
import Synchronization
import Testing
import Wire

@testable import Host

/// The host's side of one loop's socket to a worker, with a worker that the test plays, well or badly.
@Suite struct WorkerChannelTests {
  /// What a channel asks of its owner, as words.
  final class Owner: WorkerChannelOwner, Sendable {
    private let said = Mutex<[String]>([])
    var words: [String] { said.withLock { $0 } }
    private func say(_ word: String) { said.withLock { $0.append(word) } }

    var providerID: String { "bench" }
    func redacted(_ text: String) -> String { text == "secret" ? "[redacted]" : text }
    func crash(_ reason: String) -> ProviderFailure {
      var failure = ProviderFailure(status: PRV_E_INTERNAL, message: reason)
      failure.isCrash = true
      return failure
    }
    func callOutlivedGrace() { say("outlived") }
    func channelEnded(_ why: String, isBroken: Bool) { say(isBroken ? "broken: \(why)" : "closed") }
  }

  /// A loop that the test turns by hand, a channel, and the worker's end of its socket.
  final class Bench {
    let loop: EventLoop
    let owner = Owner()
    let upstream = ScriptedUpstream()
    let channel: WorkerChannel
    let sink = RecordingSink()
    private var worker: Int32 = -1

    init(isUp: Bool = true) throws {
      loop = try EventLoop(index: 0)
      var settings = ProviderSettings(id: "bench", plugin: "calls")
      settings.apiKey = Secret(value: "sk-0123456789")
      settings.baseURL = "https://api.example.org"
      let found = FoundPlugin(path: "", copyPath: "", sha256: "", description: PluginDescription())
      channel = WorkerChannel(
        owner: owner, place: LoopPlace(loop: loop, upstream: upstream),
        plan: try InstancePlan((found, ProviderDescription()), settings), graceMilliseconds: 10)
      loop.start()
      if isUp { try connect() }
    }

    deinit {
      onLoop { [channel] in channel.refuse(ProviderFailure(status: PRV_E_STATE, message: "over")) }
      loop.stop()
      loop.join()
      if worker >= 0 { close(worker) }
    }

    func connect() throws {
      let pair = try WorkerSockets.pair()
      worker = pair.child
      onLoop { [channel] in channel.connect(pair.own) }
    }

    func closeWorker() {
      close(worker)
      worker = -1
    }

    @discardableResult
    func onLoop<Result>(_ body: @escaping () -> Result) -> Result {
      let latch = Latch<Box<Result>>()
      // Let go before the waiter goes on: what `body` holds, a bench perhaps, must not end on the loop.
      let held = Box<() -> Result>()
      held.value = body
      loop.submitPastBound(
        .work {
          let box = Box<Result>()
          box.value = held.take()()
          latch.put(box)
        })
      return latch.wait(milliseconds: 20_000)!.value!
    }

    func open(trace: TraceContext? = nil) throws -> ProviderCallID {
      let opened = onLoop { [channel, sink] in
        Result { () throws(ProviderFailure) in
          let empty = UnsafeRawBufferPointer(start: nil, count: 0)
          return try channel.open(
            ProviderRequest(
              kind: .chat, wantsStream: true, attempt: 1, deadline: .never, connectTimeoutNanoseconds: 5,
              requestID: empty, model: empty, bodySchema: "prv.chat/1", body: empty, trace: trace), sink)
        }
      }
      return try opened.get()
    }

    /// What the worker says.
    func say(_ kind: WorkerFrame.Kind, _ call: UInt64 = 1, _ write: (inout ByteBuffer) -> Void = { _ in }) {
      var out = ByteBuffer()
      out.appendMessage(kind, call: call, write)
      while !out.isEmpty {
        let count = send(worker, out.readable.baseAddress, out.count, Int32(MSG_NOSIGNAL))
        guard count > 0 else { return }
        out.consume(count)
      }
    }

    func say(text: String, call: UInt64 = 1) {
      say(.event, call) { out in
        var text = text
        text.withUTF8 { ProviderEvent(kind: .text, text: UnsafeRawBufferPointer($0)).write(to: &out) }
      }
    }

    func request(_ number: UInt32, url: String = "https://api.example.org/v1") {
      say(.exchangeRequest) {
        WorkerExchangeRequest.write(
          UpstreamRequest(method: "GET", url: url), number: number, authScheme: "bearer", to: &$0)
      }
    }

    /// The next message that the worker gets.
    func next() throws -> (kind: WorkerFrame.Kind, payload: [UInt8]) {
      while pending.isEmpty {
        var ready = pollfd(fd: worker, events: Int16(POLLIN), revents: 0)
        try #require(poll(&ready, 1, 20_000) == 1, "the worker was told nothing")
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(worker, &buffer, buffer.count, 0)
        try #require(count > 0)
        try buffer.withUnsafeBytes { bytes in
          try decoder.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { message throws(WorkerFrameFault) in
            pending.append((message.kind, [UInt8](message.payload)))
          }
        }
      }
      return pending.removeFirst()
    }

    private var decoder = WorkerFrameDecoder(accepting: Set(WorkerFrame.Kind.allCases))
    private var pending: [(kind: WorkerFrame.Kind, payload: [UInt8])] = []

    /// Turns until `isTrue`: what is awaited is an event of the loop, so each turn may bring it.
    func until(_ what: String, _ isTrue: () -> Bool) throws {
      for _ in 0..<200_000 {
        if isTrue() { return }
        onLoop {}
      }
      Issue.record("it never came true that \(what)")
    }

    /// What was found wrong with the worker.
    func fault() throws -> String {
      try until("the worker is found out") { !owner.words.isEmpty }
      return owner.words[0]
    }
  }

  @Test func `a call goes to the worker, and its words come back`() throws {
    let bench = try Bench()
    _ = try bench.open()
    #expect(try bench.next().kind == .open)
    bench.say(text: "a")
    bench.say(.done) { ProviderEnd.succeeded.write(to: &$0) }
    guard case .succeeded = try bench.sink.end() else {
      throw WorkerFrameFault(found: "a failure", expected: "success")
    }
    #expect(bench.sink.words == ["text:a"])
    try bench.until("nothing of it is left") { bench.channel.openCalls.load(ordering: .relaxed) == 0 }
    #expect(bench.owner.words.isEmpty)
  }

  @Test func `a failure is told without what is secret`() throws {
    let bench = try Bench()
    _ = try bench.open()
    bench.say(.refused) { ProviderEnd.failed(ProviderFailure(status: PRV_E_AUTH, message: "secret")).write(to: &$0) }
    let failure = try bench.sink.failure()
    #expect(failure.status == PRV_E_AUTH && failure.message == "[redacted]")
  }

  @Test func `calls of a worker that ends fail at once, and later ones wait for the next`() throws {
    let bench = try Bench()
    _ = try bench.open()
    bench.closeWorker()
    #expect(try bench.sink.failure().isCrash)
    try bench.until("its owner knows") { bench.owner.words == ["closed"] }
    let later = RecordingSink()
    _ = bench.onLoop { [channel = bench.channel] in
      let empty = UnsafeRawBufferPointer(start: nil, count: 0)
      return try? channel.open(
        ProviderRequest(
          kind: .chat, wantsStream: true, attempt: 1, deadline: .never, connectTimeoutNanoseconds: 5, requestID: empty,
          model: empty, bodySchema: "prv.chat/1", body: empty), later)
    }
    #expect(later.ends.isEmpty)
    try bench.connect()
    #expect(try bench.next().kind == .open)
    bench.say(.done, 2) { ProviderEnd.succeeded.write(to: &$0) }
    _ = try later.end()
  }

  @Test func `calls that wait end when no worker will come`() throws {
    let bench = try Bench(isUp: false)
    _ = try bench.open()
    bench.onLoop { [channel = bench.channel] in
      channel.refuse(ProviderFailure(status: PRV_E_INTERNAL, message: "in quarantine"))
    }
    #expect(try bench.sink.failure().message == "in quarantine")
    #expect(throws: ProviderFailure.self) { try bench.open() }
  }

  // MARK: - A worker that breaks the protocol

  @Test func `words of a call that there is not are refused`() throws {
    for kind in [WorkerFrame.Kind.event, .done, .refused, .exchangeRequest] {
      let bench = try Bench()
      bench.say(kind, 77)
      #expect(try bench.fault().contains("found \(kind) of call 77"))
    }
    // Of one that has ended, words about exchanges may have crossed its end; of one that never was, not.
    for (call, isRefused) in [(1, false), (2, true)] as [(UInt64, Bool)] {
      let bench = try Bench()
      _ = try bench.open()
      bench.say(.done) { ProviderEnd.succeeded.write(to: &$0) }
      bench.say(.exchangeCancel, call) { $0.appendField(UInt32(1)) }
      bench.say(.event, 9)
      #expect(try bench.fault().contains(isRefused ? "exchangeCancel of call 2" : "event of call 9"))
    }
  }

  @Test func `a second end is refused`() throws {
    let bench = try Bench()
    _ = try bench.open()
    bench.request(1)
    bench.say(.done) { ProviderEnd.succeeded.write(to: &$0) }
    bench.say(.done) { ProviderEnd.succeeded.write(to: &$0) }
    #expect(try bench.fault().contains("found a second end of a call"))
    #expect(bench.sink.ends.count == 1)
  }

  @Test func `a worker's exchange tells the upstream the call's trace, of which the worker knows nothing`() throws {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    let bench = try Bench()
    _ = try bench.open(trace: TraceContext(parent: parent, state: "vendor=a"))
    let opened = try bench.next()
    #expect(opened.kind == .open)
    #expect(!String(decoding: opened.payload, as: UTF8.self).contains("4bf92f"))
    bench.request(1)
    try bench.until("the exchange began") { bench.onLoop { bench.upstream.requests.count } == 1 }
    #expect(
      bench.upstream.requests[0].headers.map { "\($0.name): \($0.value)" } == [
        "traceparent: \(parent)", "tracestate: vendor=a",
      ])
  }

  @Test func `every call fails when the worker is found out`() throws {
    let bench = try Bench()
    _ = try bench.open()
    bench.say(.event) { $0.append(0xFF) }
    #expect(try bench.fault().hasPrefix("broken: it broke the protocol: found 1 bytes left in event"))
    #expect(try bench.sink.failure().isCrash)
  }

  @Test func `events come as far as there is credit, and not a byte's worth further`() throws {
    let bench = try Bench()
    bench.sink.answer(.pause)
    _ = try bench.open()
    let cost = Int(WorkerCall.window) / 4
    let quarter = String(repeating: "a", count: cost - 64)
    for _ in 0..<3 { bench.say(text: quarter) }
    // One byte of credit is left, which is enough for an event of any size.
    bench.say(text: quarter.dropLast().description)
    bench.say(text: quarter)
    try bench.until("five events came") { bench.sink.words.count == 5 }
    #expect(bench.owner.words.isEmpty)
    bench.say(text: "one more")
    #expect(try bench.fault().contains("found an event without credit"))
    #expect(bench.sink.words.count == 5)
  }

  @Test func `the sink's pause holds credit back, and resume gives it`() throws {
    let bench = try Bench()
    bench.sink.answer(.pause)
    let call = try bench.open()
    _ = try bench.next()
    bench.say(text: String(repeating: "a", count: 100_000))
    try bench.until("the event came") { bench.sink.words.count == 1 }
    bench.sink.answer(.proceed)
    bench.onLoop { [channel = bench.channel] in channel.call(call)?.resume() }
    let told = try bench.next()
    #expect(told.kind == .credit)
    #expect(told.payload.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } == 100_064)
    // Without a pause it is given in pieces that are worth a message.
    bench.say(text: String(repeating: "a", count: 65_535 - 64))
    bench.say(text: "")
    let next = try bench.next()
    #expect(next.payload.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } == 65_535 + 64)
  }

  // MARK: - Exchanges

  @Test func `an exchange is made by the host, with the key, and told to the worker`() throws {
    let bench = try Bench()
    _ = try bench.open()
    _ = try bench.next()
    bench.request(5)
    try bench.until("the exchange began") { bench.onLoop { bench.upstream.requests.count } == 1 }
    #expect(bench.upstream.requests[0].credential?.value == "Bearer sk-0123456789")
    bench.onLoop { [upstream = bench.upstream] in
      let (delegate, id) = (upstream.delegates[0], UpstreamExchangeID(rawValue: 1))
      delegate.upstreamConnected(id)
      delegate.upstreamHead(id, status: 200, headers: [("a", "b")])
      [UInt8]("body".utf8).withUnsafeBytes { delegate.upstreamBody(id, $0) }
      delegate.upstreamComplete(id, UpstreamResult(failure: nil, httpStatus: 200))
    }
    #expect(
      try (0..<4).map { _ in try bench.next().kind }
        == [.exchangeConnected, .exchangeHead, .exchangeBody, .exchangeComplete])
    #expect(bench.sink.words == ["connected", "headers"])
  }

  @Test func `an exchange elsewhere is refused, and the worker lives`() throws {
    let bench = try Bench()
    _ = try bench.open()
    _ = try bench.next()
    bench.request(1, url: "https://evil.example.org/")
    let told = try bench.next()
    #expect(told.kind == .exchangeComplete)
    let (number, result) = try told.payload.withUnsafeBytes {
      try UpstreamResult.read(.init(kind: .exchangeComplete, call: 1, payload: $0))
    }
    #expect(number == 1 && result.failure?.status == PRV_E_PERMISSION)
    #expect(bench.upstream.requests.isEmpty && bench.owner.words.isEmpty)
  }

  @Test func `a call has eight exchanges and not nine, each with its own number`() throws {
    let bench = try Bench()
    _ = try bench.open()
    for number in 1...8 as ClosedRange<UInt32> { bench.request(number) }
    try bench.until("eight began") { bench.onLoop { bench.upstream.requests.count } == 8 }
    bench.request(9)
    #expect(try bench.fault().contains("found 9 exchanges of a call"))
    let other = try Bench()
    _ = try other.open()
    other.request(1)
    other.request(1)
    #expect(try other.fault().contains("found exchange 1 a second time"))
  }

  @Test func `an answer is read as far as the worker takes it`() throws {
    let bench = try Bench()
    _ = try bench.open()
    bench.request(1)
    try bench.until("the exchange began") { bench.onLoop { bench.upstream.requests.count } == 1 }
    func pass(_ count: Int) {
      bench.onLoop { [upstream = bench.upstream] in
        [UInt8](repeating: 1, count: count).withUnsafeBytes {
          upstream.delegates[0].upstreamBody(UpstreamExchangeID(rawValue: 1), $0)
        }
      }
    }
    pass(Int(WorkerCall.window) - 1)
    #expect(bench.upstream.words.isEmpty)
    pass(1)
    #expect(bench.upstream.words == ["pause 1"])
    let half = UInt64(WorkerCall.window / 2)
    bench.say(.exchangeCredit) { $0.appendField(half - 1) }
    bench.say(.exchangePause) { $0.appendField(UInt32(1)) }
    bench.say(.exchangeCredit) { $0.appendField(UInt64(1)) }
    bench.say(.exchangeResume) { $0.appendField(UInt32(1)) }
    try bench.until("it is read again") { bench.onLoop { bench.upstream.words.count } == 2 }
    #expect(bench.upstream.words == ["pause 1", "resume 1"])
    bench.say(.exchangeCredit) { $0.appendField(half + 1) }
    #expect(try bench.fault().contains("expected at most \(half)"))
  }

  @Test func `cancel stops the exchanges at once, and a worker that does not end the call is reported`() throws {
    let bench = try Bench()
    let call = try bench.open()
    _ = try bench.next()
    bench.request(1)
    try bench.until("the exchange began") { bench.onLoop { bench.upstream.requests.count } == 1 }
    bench.onLoop { [channel = bench.channel] in channel.call(call)?.release(.client) }
    #expect(bench.upstream.words == ["cancel 1"])
    #expect(try bench.next().kind == .cancel)
    try bench.until("the grace is over") { bench.owner.words == ["outlived"] }
    bench.say(.done) { ProviderEnd.cancelled.write(to: &$0) }
    bench.onLoop { [upstream = bench.upstream] in
      upstream.delegates[0].upstreamComplete(
        UpstreamExchangeID(rawValue: 1), UpstreamResult(failure: nil, isCancelled: true))
    }
    try bench.until("nothing of it is left") { bench.channel.openCalls.load(ordering: .relaxed) == 0 }
    #expect(bench.sink.ends.isEmpty)
  }

  @Test func `an exchange of a worker that is gone tells the next one nothing`() throws {
    let bench = try Bench()
    _ = try bench.open()
    bench.request(1)
    try bench.until("the exchange began") { bench.onLoop { bench.upstream.requests.count } == 1 }
    bench.closeWorker()
    _ = try bench.sink.failure()
    #expect(bench.upstream.words == ["cancel 1"])
    try bench.connect()
    bench.onLoop { [upstream = bench.upstream] in
      let id = UpstreamExchangeID(rawValue: 1)
      [UInt8](repeating: 1, count: 10).withUnsafeBytes { upstream.delegates[0].upstreamBody(id, $0) }
      upstream.delegates[0].upstreamComplete(id, UpstreamResult(failure: nil, isCancelled: true))
    }
    _ = try bench.open()
    #expect(try bench.next().kind == .open)
  }
}
