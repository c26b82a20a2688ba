import Bytes
import CLinux
import Glibc
import Host
import JSON
import Wire

/// Where the connections of a run go, and how they say hello.
struct LoadTarget {
  var authority: String
  var path: String
  var token: String?
  /// The socket address that the first connection found.
  var peer: [UInt8]
}

/// What a connection tells its owner. A frame is borrowed for the call.
protocol LoadConnectionOwner: AnyObject {
  func connectionOpened()
  func connectionReceived(_ frame: JSONView)
  /// It is closed; `code` is one of the tool's own error codes.
  func connectionLost(code: String, message: String)
}

/// A WebSocket client that never blocks: connects, upgrades, says hello, then carries messages.
///
/// One thread. It can be opened again after it was lost or closed.
final class LoadConnection {
  private enum State {
    case closed
    case connecting
    case upgrading(key: String)
    case greeting
    case open
  }

  private static let messageBytesLimit = 64 << 20
  private static let readBytes = 64 << 10

  let number: UInt32
  private let target: LoadTarget
  private let poller: Poller
  weak var owner: (any LoadConnectionOwner)?

  private var state = State.closed
  private var descriptor: Int32 = -1
  private var generation: UInt32 = 0
  private var watchesWrites = false
  private var input = ByteBuffer()
  private var output = ByteBuffer()
  private var parser = HTTPResponseParser()
  private var decoder = WebSocketDecoder(role: .client, messageBytesLimit: messageBytesLimit, acceptsBinary: false)

  /// - Parameter number: names it among the poller's events.
  init(number: UInt32, target: LoadTarget, poller: Poller) {
    self.number = number
    self.target = target
    self.poller = poller
  }

  deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

  var isOpen: Bool { if case .open = state { true } else { false } }

  // MARK: - Life

  /// Connects. What comes of it, the owner is told later.
  func open() {
    let family = target.peer.withUnsafeBytes { $0.loadUnaligned(as: sa_family_t.self) }
    let fresh = socket(
      Int32(family), Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard fresh >= 0 else { return lose("connect_failed", "socket: \(Self.reason(errno))") }
    let status = target.peer.withUnsafeBytes { bytes in
      connect(fresh, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
    }
    guard status == 0 || errno == EINPROGRESS else {
      let code = errno
      Glibc.close(fresh)
      return lose("connect_failed", Self.reason(code))
    }
    begin(fresh, .connecting)
  }

  /// Goes on with a socket that is connected.
  func open(with connected: Int32) {
    _ = clinux_fcntl_int(connected, F_SETFL, clinux_fcntl_int(connected, F_GETFL, 0) | O_NONBLOCK)
    begin(connected, .connecting)
  }

  /// Says goodbye, as far as the socket takes it at once, and closes.
  func close() {
    guard descriptor >= 0 else { return }
    if isOpen {
      var code = UInt16(1000).bigEndian
      withUnsafeBytes(of: &code) { WebSocketEncoder.appendMasked(.close, $0, key: Self.key(), to: &output) }
      _ = flush()
    }
    reset()
  }

  private func begin(_ fresh: Int32, _ next: State) {
    var yes: Int32 = 1
    setsockopt(fresh, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    generation &+= 1
    descriptor = fresh
    watchesWrites = true
    state = next
    do {
      try poller.add(fresh, number: number, generation: generation, writes: true)
    } catch {
      lose("connect_failed", "\(error)")
    }
  }

  private func reset() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
    state = .closed
    input.removeAll(keeping: Self.readBytes)
    output.removeAll(keeping: Self.readBytes)
    parser = HTTPResponseParser()
    decoder = WebSocketDecoder(role: .client, messageBytesLimit: Self.messageBytesLimit, acceptsBinary: false)
  }

  private func lose(_ code: String, _ message: String) {
    reset()
    owner?.connectionLost(code: code, message: message)
  }

  /// The code of a loss now: before the hello was answered nothing was lost yet.
  private var lossCode: String { isOpen ? "lost_connection" : "connect_failed" }

  // MARK: - Writing

  func send(_ message: UnsafeRawBufferPointer) {
    guard descriptor >= 0 else { return }
    WebSocketEncoder.appendMasked(.text, message, key: Self.key(), to: &output)
    flushOrLose()
  }

  private func flushOrLose() {
    if let failure = flush() { lose(lossCode, failure) }
  }

  /// nil: all went well, though some may have to wait for room.
  private func flush() -> String? {
    while !output.isEmpty {
      let bytes = output.readable
      let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN { break }
      guard count >= 0 else { return Self.reason(errno) }
      output.consume(count)
    }
    let needsRoom = !output.isEmpty
    if needsRoom != watchesWrites {
      watchesWrites = needsRoom
      poller.modify(descriptor, number: number, generation: generation, writes: needsRoom)
    }
    return nil
  }

  // MARK: - Events

  func ready(_ event: Poller.Event) {
    guard event.generation == generation, descriptor >= 0 else { return }
    if case .connecting = state { return finishConnecting() }
    if event.bits & EPOLLOUT.rawValue != 0 { flushOrLose() }
    if descriptor >= 0, event.bits & ~EPOLLOUT.rawValue != 0 { readAll() }
  }

  private func finishConnecting() {
    var failure: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size)
    guard failure == 0 else { return lose("connect_failed", Self.reason(failure)) }
    var nonce = [UInt8](repeating: 0, count: 16)
    _ = nonce.withUnsafeMutableBytes { getrandom($0.baseAddress, $0.count, 0) }
    let key = nonce.withUnsafeBytes { Base64.encode($0) }
    WebSocketHandshake.appendRequest(host: target.authority, path: target.path, key: key, to: &output)
    state = .upgrading(key: key)
    flushOrLose()
  }

  private func readAll() {
    let room = input.writable(Self.readBytes)
    let count = recv(descriptor, room.baseAddress, room.count, 0)
    if count < 0 && (errno == EINTR || errno == EAGAIN) { return }
    guard count > 0 else {
      return lose(lossCode, count == 0 ? "the host closed the connection without a reason" : Self.reason(errno))
    }
    input.commit(count)
    do {
      if case .upgrading(let key) = state { try upgrade(key) }
      try takeMessages()
    } catch let error as WebSocketError {
      lose("protocol_broken", error.reason)
    } catch let error as HTTPError {
      lose("connect_failed", "no HTTP server: \(error.reason)")
    } catch let error as JSONError {
      lose("protocol_broken", "not JSON: \(error.reason)")
    } catch {
      lose("connect_failed", "\(error)")
    }
  }

  private func upgrade(_ key: String) throws {
    guard let head = try parser.nextHead(&input) else { return }
    guard head.status == 101 else {
      throw ClientError(description: "HTTP \(head.status) instead of a WebSocket upgrade")
    }
    if let fault = WebSocketHandshake.verify(head, key: key) {
      throw ClientError(description: "the upgrade was answered wrongly: \(fault)")
    }
    state = .greeting
    var hello = ByteBuffer()
    ClientConnection.appendHello(token: target.token, to: &hello)
    send(hello.readable)
  }

  private func takeMessages() throws {
    while descriptor >= 0 {
      switch state {
      case .closed, .connecting, .upgrading: return
      case .greeting, .open: break
      }
      guard let event = try decoder.next(&input) else { return }
      switch event {
      case .text(let text): take(try JSONView(parsing: text, checksUTF8: false))
      case .ping(let payload):
        WebSocketEncoder.appendMasked(.pong, payload, key: Self.key(), to: &output)
        flushOrLose()
      case .close(let code, let reason):
        let text = String(decoding: reason, as: UTF8.self)
        lose(lossCode, "the host closed the connection: \(code.map { "\($0) " } ?? "")\(text)")
      case .binary, .pong: break
      }
    }
  }

  private func take(_ frame: JSONView) {
    if isOpen {
      owner?.connectionReceived(frame)
    } else if frame["ok"]?.bool() == true {
      state = .open
      owner?.connectionOpened()
    } else {
      lose("hello_refused", "the hello was refused: \(frame["error"]?.string() ?? "without a reason")")
    }
  }

  private static func key() -> UInt32 { .random(in: .min ... .max) }
  private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
