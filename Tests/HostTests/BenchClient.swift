import Bytes
import CLinux
import Glibc
import JSON
import Testing
import Wire

@testable import Host

/// The far end of a connection of `HostBench`: what a client's program would see, frame by frame.
final class BenchClient {
  enum Event: Equatable {
    case message(JSONValue)
    case pong(String)
    case close(code: UInt16?, reason: String)
    /// The socket has ended.
    case end
  }

  private let bench: HostBench
  private var descriptor: Int32
  private var inbound = ByteBuffer()
  private var decoder = WebSocketDecoder(role: .client, messageBytesLimit: 64 << 20)
  private var isUpgraded = false

  /// Opens a connection; `request` is what the client has sent by the time the host sees it.
  init(
    _ bench: HostBench, peer: SocketAddress = .unix, serves: Configuration.Services = .websocket, request: String = "",
    sendBufferBytes: Int32? = nil
  ) throws {
    self.bench = bench
    var pair: [Int32] = [0, 0]
    try #require(
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
    descriptor = pair[1]
    if var bytes = sendBufferBytes {
      setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }
    write(Array(request.utf8))
    let (loop, theirs) = (bench.loop, pair[0])
    bench.run { loop.open(AcceptedSocket(fd: theirs, peer: peer), serves: serves) }
  }

  deinit { disconnect() }

  static func upgrade(path: String = "/", host: String = "127.0.0.1", headers: String = "") -> String {
    "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\(headers)\r\n"
  }

  /// A client after the upgrade and, unless told otherwise, the hello.
  static func connected(
    to bench: HostBench, peer: SocketAddress = .unix, hello: String? = #"{"op":"hello"}"#,
    sendBufferBytes: Int32? = nil
  ) throws -> BenchClient {
    let client = try BenchClient(bench, peer: peer, request: upgrade(), sendBufferBytes: sendBufferBytes)
    try #require(client.head()?.status == 101)
    if let hello {
      client.send(hello)
      try #require(client.message()["ok"] == .bool(true))
    }
    return client
  }

  // MARK: - Sending

  func write(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    #expect(Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
  }

  func send(_ text: String, _ opcode: WebSocketOpcode = .text, isFinal: Bool = true) {
    send(Array(text.utf8), opcode, isFinal: isFinal)
  }

  /// Sends all of it, however little the socket takes at once.
  func send(_ payload: [UInt8], _ opcode: WebSocketOpcode = .text, isFinal: Bool = true) {
    var frame = ByteBuffer()
    payload.withUnsafeBytes { WebSocketEncoder.appendMasked(opcode, $0, key: 0x1234_5678, to: &frame) }
    // In one expression the compiler breaks it under ThreadSanitizer.
    let bytes = frame.readableMutable
    if !isFinal { bytes[0] &= 0x7F }
    stream(&frame)
  }

  /// Sends these bytes, however little the socket takes at once, and lets the host read them.
  func stream(_ bytes: [UInt8]) {
    var buffer = ByteBuffer()
    buffer.append(bytes)
    stream(&buffer)
    bench.run()
  }

  private func stream(_ bytes: inout ByteBuffer) {
    while !bytes.isEmpty {
      let count = Glibc.send(descriptor, bytes.readable.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count > 0 { bytes.consume(count) } else if errno != EAGAIN { return }
      bench.run()
    }
  }

  func disconnect() {
    if descriptor >= 0 {
      // A compiler that another test spawns at this moment may hold a copy of the descriptor until it has begun.
      shutdown(descriptor, Int32(SHUT_RDWR))
      close(descriptor)
    }
    descriptor = -1
    bench.run()
  }

  // MARK: - Receiving

  /// Lets the host work and takes what it sent. false: the socket has ended.
  @discardableResult
  private func pump() -> Bool {
    var isOpen = true
    var idleTurns = 0
    while idleTurns < 3, isOpen {
      bench.run()
      let count = recv(descriptor, inbound.writable(1 << 16).baseAddress, 1 << 16, 0)
      if count > 0 {
        inbound.commit(count)
        idleTurns = 0
      } else {
        isOpen = count < 0 && errno == EAGAIN
        idleTurns += 1
      }
    }
    return isOpen
  }

  /// The answer to an HTTP request; what comes behind it is its body or frames.
  func head() throws -> HTTPResponseHead? {
    pump()
    var parser = HTTPResponseParser()
    return try parser.nextHead(&inbound)
  }

  /// What came and was not read yet, as text, and whether the host closed the connection after it.
  func rest() -> (text: String, hasEnded: Bool) {
    let isOpen = pump()
    defer { inbound.removeAll() }
    return (inbound.string(), !isOpen)
  }

  /// Everything that came by now.
  func events() throws -> [Event] {
    let isOpen = pump()
    var events: [Event] = []
    while let event = try decoder.next(&inbound) {
      switch event {
      case .text(let text): events.append(.message(try JSONValue(parsing: text)))
      case .pong(let payload): events.append(.pong(String(decoding: payload, as: UTF8.self)))
      case .close(let code, let reason):
        events.append(.close(code: code, reason: String(decoding: reason, as: UTF8.self)))
      case .ping, .binary: Issue.record("a frame that no client expects")
      }
    }
    if !isOpen { events.append(.end) }
    return events
  }

  func messages() throws -> [JSONValue] {
    try events().compactMap { if case .message(let message) = $0 { message } else { nil } }
  }

  /// The one message that came.
  func message() throws -> JSONValue {
    let messages = try messages()
    #expect(messages.count == 1, "\(messages.map(\.text))")
    return try #require(messages.first)
  }
}

extension JSONValue {
  /// "call_tool_res", with its error's code when there is one.
  var gist: String {
    let error = self["error"]
    let suffix = (error?["code"]?.string ?? error?.string).map { " \($0)" } ?? ""
    return (self["op"]?.string ?? "?") + suffix
  }
}
