import CLinux
import Glibc
import Synchronization
import Testing

@testable import Host

/// A small HTTP server on a loopback port: one blocking thread a connection, and a script that answers.
final class UpstreamServer: Sendable {
  /// One connection, in the hands of its script.
  final class Connection: @unchecked Sendable {  // Used by its own thread.
    let descriptor: Int32
    /// Of the server.
    let url: String
    private var received: [UInt8] = []

    init(_ descriptor: Int32, url: String) {
      self.descriptor = descriptor
      self.url = url
    }

    /// The next request as text, head and body; nil when the client has closed.
    func readRequest() -> String? {
      while true {
        if let length = wholeRequestLength() {
          defer { received.removeFirst(length) }
          return String(decoding: received.prefix(length), as: UTF8.self)
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return nil }
        received.append(contentsOf: buffer.prefix(count))
      }
    }

    private func wholeRequestLength() -> Int? {
      let end = Array("\r\n\r\n".utf8)
      guard received.count >= 4,
        let headEnd = (0...received.count - 4).first(where: { received[$0..<$0 + 4].elementsEqual(end) })
      else { return nil }
      let head = String(decoding: received.prefix(headEnd), as: UTF8.self).lowercased()
      let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        .flatMap { Int($0.dropFirst(15).filter { $0 != " " }) }
      let whole = headEnd + 4 + (length ?? 0)
      return received.count >= whole ? whole : nil
    }

    /// false: the client is gone, or takes nothing for longer than the socket's send timeout.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
      var sent = 0
      while sent < bytes.count {
        let count = bytes.withUnsafeBytes {
          Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return false }
        sent += count
      }
      return true
    }

    /// Bytes taken of `bytes`; 0: none for as long as the send timeout, or the client is gone.
    func sendSome(_ bytes: [UInt8], limit: Int) -> Int {
      bytes.withUnsafeBytes {
        max(0, Glibc.send(descriptor, $0.baseAddress!, min(limit, bytes.count), Int32(MSG_NOSIGNAL)))
      }
    }

    func setSendTimeout(milliseconds: Int) {
      var time = timeval(tv_sec: milliseconds / 1_000, tv_usec: milliseconds % 1_000 * 1_000)
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Waits for the client to close. false: it sent something instead.
    func waitForEnd() -> Bool {
      var byte: UInt8 = 0
      return read(descriptor, &byte, 1) <= 0
    }

    /// Closes with a reset instead of an orderly end.
    func reset() {
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
  }

  let port: UInt16
  var url: String { "http://127.0.0.1:\(port)/" }
  var connectionCount: Int { accepted.load(ordering: .acquiring) }
  private let listening: Int32
  private let accepted = Atomic<Int>(0)
  private let script: @Sendable (Connection) -> Void
  private let threads = Mutex<[pthread_t]>([])

  /// Serves until `stop`; `script` owns each connection while it runs.
  init(_ script: @escaping @Sendable (Connection) -> Void) throws {
    self.script = script
    let made = try Listener.listen(BindAddress(parsing: "127.0.0.1:0"))
    let (descriptor, bound) = (made.descriptor, made.bound)
    listening = descriptor
    guard case .network(let address) = bound.place else { throw EventLoopError(call: "bind", code: EINVAL) }
    port = address.port
    _ = clinux_fcntl_int(listening, F_SETFL, 0)
    run { server in
      while true {
        let descriptor = accept4(server.listening, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
        guard descriptor >= 0 else { return }
        server.accepted.add(1, ordering: .releasing)
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        server.run { server in
          server.script(Connection(descriptor, url: server.url))
          close(descriptor)
        }
      }
    }
  }

  /// Answers each request of each connection with what `answer` makes of it.
  static func answering(_ answer: @escaping @Sendable (String) -> String) throws -> UpstreamServer {
    try UpstreamServer { connection in
      while let request = connection.readRequest() { guard connection.send(answer(request)) else { return } }
    }
  }

  /// Every connection's script must come to an end: close the client first.
  func stop() {
    shutdown(listening, Int32(SHUT_RDWR))
    while let thread = threads.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { pthread_join(thread, nil) }
    close(listening)
  }

  private func run(_ body: @escaping @Sendable (UpstreamServer) -> Void) {
    let box = Unmanaged.passRetained(ThreadBody { body(self) })
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
    threads.withLock { $0.append(thread) }
  }
}

private final class ThreadBody: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// An answer with a length and `body`.
func httpAnswer(_ body: String, type: String = "text/plain", status: String = "200 OK") -> String {
  "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

/// Notes what an exchange tells, and lets a test act on it.
final class ExchangeRecorder: UpstreamExchangeDelegate, @unchecked Sendable {  // Touched on its loop only.
  struct Event: Equatable {
    var name: String
    var id: String
    var data: String
  }

  var id: UpstreamExchangeID?
  var connections = 0
  var status: UInt32?
  var headers: [(name: String, value: String)] = []
  var body: [UInt8] = []
  var bodyBytes = 0
  var keepsBody = true
  var events: [Event] = []
  var results: [UpstreamResult] = []
  var onConnected: () -> Void = {}
  var onHead: () -> Void = {}
  var onBody: () -> Void = {}
  var onEvent: () -> Void = {}
  var onComplete: () -> Void = {}

  var result: UpstreamResult? { results.first }
  var text: String { String(decoding: body, as: UTF8.self) }

  func upstreamConnected(_ exchange: UpstreamExchangeID) {
    connections += 1
    onConnected()
  }

  func upstreamHead(_ exchange: UpstreamExchangeID, status: UInt32, headers: [(name: String, value: String)]) {
    self.status = status
    self.headers = headers
    onHead()
  }

  func upstreamBody(_ exchange: UpstreamExchangeID, _ bytes: UnsafeRawBufferPointer) {
    if keepsBody { body.append(contentsOf: bytes) }
    bodyBytes += bytes.count
    onBody()
  }

  func upstreamEvent(
    _ exchange: UpstreamExchangeID, name: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer,
    data: UnsafeRawBufferPointer
  ) {
    func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
    events.append(Event(name: text(name), id: text(id), data: text(data)))
    onEvent()
  }

  func upstreamComplete(_ exchange: UpstreamExchangeID, _ result: UpstreamResult) {
    #expect(exchange == id)
    results.append(result)
    onComplete()
  }
}

/// A loop with a client on it, run by the test's own thread until every exchange has completed.
final class UpstreamBench: TimerTarget, @unchecked Sendable {  // Other threads only submit to the loop.
  let loop: EventLoop
  let client: CurlUpstreamClient
  private var open = 0
  private var watchdog: TimerID?

  init() throws {
    loop = try EventLoop(index: 0)
    client = CurlUpstreamClient(loop: loop, log: Log(level: .error))
  }

  func timerFired(_ tag: UInt32) {
    watchdog = nil
    Issue.record("the exchanges did not complete within 30 seconds")
    loop.stop()
  }

  /// Starts an exchange; `run` waits for it.
  @discardableResult
  func start(_ request: UpstreamRequest, _ recorder: ExchangeRecorder = ExchangeRecorder()) throws -> ExchangeRecorder {
    recorder.id = try client.start(request, delegate: recorder)
    #expect(recorder.results.isEmpty && recorder.connections == 0)
    expectEnd(of: recorder)
    return recorder
  }

  private func expectEnd(of recorder: ExchangeRecorder) {
    hold()
    let then = recorder.onComplete
    recorder.onComplete = { [unowned self] in
      then()
      release()
    }
  }

  /// `run` goes on until as many `release` came.
  func hold() { open += 1 }

  func release() {
    open -= 1
    if open == 0 { loop.stop() }
  }

  /// As `release`, from another thread.
  func releaseFromAnyThread() { _ = loop.submit(.work { [self] in release() }) }

  /// Runs the loop until everything completed, then closes the client. A bench runs once.
  func run() {
    watchdog = loop.schedule(at: .now().advanced(milliseconds: 30_000), self, tag: 0)
    loop.run()
    if let watchdog { _ = loop.cancel(watchdog) }
    client.close()
  }
}
