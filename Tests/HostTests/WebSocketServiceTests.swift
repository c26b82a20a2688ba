import Bytes
import Testing
import Wire

@testable import Host

/// Links with another service than the native protocol behind them, and what comes at the edges of a link's life.
struct WebSocketServiceTests {
  @Test func `frames that come with the upgrade request are taken, wherever the packets are cut`() throws {
    let bench = try HostBench()
    var frames = ByteBuffer()
    for text in [#"{"op":"hello"}"#, #"{"op":"health","request_id":"1"}"#] {
      Array(text.utf8).withUnsafeBytes { WebSocketEncoder.appendMasked(.text, $0, key: 0xA1B2_C3D4, to: &frames) }
    }
    let all = Array(BenchClient.upgrade().utf8) + frames.copy()
    for cut in 1...all.count {
      let client = try BenchClient(bench)
      client.write(Array(all[..<cut]))
      bench.run()
      client.write(Array(all[cut...]))
      #expect(try client.head()?.status == 101, "cut at \(cut)")
      #expect(try client.messages().map(\.gist) == ["hello_ack", "health_res"], "cut at \(cut)")
      client.disconnect()
    }
    bench.expectNothingHeld()
  }

  @Test func `what comes behind a close frame is not looked at`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    var bytes = ByteBuffer()
    withUnsafeBytes(of: UInt16(1000).bigEndian) { WebSocketEncoder.appendMasked(.close, $0, key: 7, to: &bytes) }
    Array(#"{"op":"health"}"#.utf8).withUnsafeBytes { WebSocketEncoder.appendMasked(.text, $0, key: 7, to: &bytes) }
    client.write(bytes.copy() + [0xFF, 0xFF, 0xFF])
    #expect(try client.events() == [.close(code: 1000, reason: ""), .end])
    client.write([0x81, 0x00])
    #expect(try client.events() == [.end])
    bench.expectNothingHeld()
  }

  @Test func `a client that does not answer our close frame is left when its time is over`() throws {
    let bench = try HostBench()
    let handler = Silent()
    try bench.serve(handler)
    let client = try BenchClient.connected(to: bench, hello: nil)
    bench.run { handler.link?.close(code: 1001, reason: "") }
    #expect(try client.events() == [.close(code: 1001, reason: "")])
    #expect(handler.hasEnded)
    bench.run { handler.link?.timerFired(0) }
    #expect(try client.events() == [.end])
  }

  @Test func `binary messages reach a service that takes them, and are sent as such`() throws {
    let bench = try HostBench()
    let handler = Silent()
    try bench.serve(handler, takesBinary: true)
    let client = try BenchClient.connected(to: bench, hello: nil)
    client.send([0, 1, 2, 255], .binary)
    client.send("text")
    #expect(try client.events() == [])
    #expect(handler.binary == [[0, 1, 2, 255]] && handler.text == ["text"])
    bench.run { Array("{}".utf8).withUnsafeBytes { handler.link?.send(.text, $0) } }
    #expect(try client.events() == [.message(.object([]))])
  }
}

/// A service that answers nothing.
private final class Silent: MessageHandler {
  weak var link: WebSocketLink?
  private(set) var text: [String] = []
  private(set) var binary: [[UInt8]] = []
  private(set) var hasEnded = false

  func received(_ message: UnsafeRawBufferPointer) { text.append(String(decoding: message, as: UTF8.self)) }
  func receivedBinary(_ message: UnsafeRawBufferPointer) { binary.append([UInt8](message)) }
  func backlogCleared() {}
  func drain(isOver: Bool) {}
  func sweep() {}
  func linkClosed() { hasEnded = true }
}

extension HostBench {
  fileprivate func serve(_ handler: Silent, takesBinary: Bool = false) throws {
    run { [loop] in
      loop.messageService = MessageService(takesBinary: takesBinary) {
        handler.link = $0
        return handler
      }
    }
  }
}
