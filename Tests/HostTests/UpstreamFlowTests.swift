import CProviderABI
import CLinux
import Decisions
import Glibc
import Synchronization
import Testing

@testable import Host

/// Cancelling, pausing and the clocks of an exchange, against a server that holds still where it is told.
struct UpstreamFlowTests {
  /// Where in an answer a server stops and waits for the client to close.
  enum Stop: CaseIterable { case beforeHead, afterHead, withinBody }

  /// A server that says when it saw each connection's end.
  private func holdingServer(_ stop: Stop, _ bench: UpstreamBench) throws -> UpstreamServer {
    try UpstreamServer { connection in
      guard connection.readRequest() != nil else { return }
      let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
      switch stop {
      case .beforeHead: break
      case .afterHead: connection.send(head)
      case .withinBody: connection.send(head + "part")
      }
      #expect(connection.waitForEnd())
      bench.releaseFromAnyThread()
    }
  }

  @Test(arguments: Stop.allCases)
  func `a cancelled exchange closes its connection at once and completes as cancelled`(stop: Stop) throws {
    let bench = try UpstreamBench()
    bench.hold()
    let server = try holdingServer(stop, bench)
    let recorder = ExchangeRecorder()
    let cancel = { [unowned recorder] in
      bench.client.cancel(recorder.id!)
      #expect(recorder.results.isEmpty)
      bench.client.cancel(recorder.id!)
    }
    switch stop {
    case .beforeHead: recorder.onConnected = cancel
    case .afterHead: recorder.onHead = cancel
    case .withinBody: recorder.onBody = cancel
    }
    try bench.start(UpstreamRequest(method: "GET", url: server.url), recorder)
    bench.run()
    server.stop()
    #expect(recorder.results.count == 1)
    #expect(recorder.result?.isCancelled == true && recorder.result?.failure == nil)
    #expect(recorder.text == (stop == .withinBody ? "part" : ""))
  }

  @Test func `an exchange cancelled before it began never reaches the network`() throws {
    let server = try UpstreamServer.answering { _ in httpAnswer("ok") }
    let bench = try UpstreamBench()
    let recorder = try bench.start(UpstreamRequest(method: "GET", url: server.url))
    bench.client.cancel(try #require(recorder.id))
    #expect(recorder.results.isEmpty)
    bench.run()
    server.stop()
    #expect(recorder.result?.isCancelled == true && server.connectionCount == 0)
    bench.client.cancel(try #require(recorder.id))
    #expect(recorder.results.count == 1)
  }

  @Test func `after a cancel no event of the same piece arrives`() throws {
    let server = try UpstreamServer.answering { _ in
      httpAnswer("data: 1\n\ndata: 2\n\ndata: 3\n\n", type: "text/event-stream")
    }
    let bench = try UpstreamBench()
    let recorder = ExchangeRecorder()
    recorder.onEvent = { [unowned recorder] in
      if recorder.events.count == 2 { bench.client.cancel(recorder.id!) }
    }
    try bench.start(UpstreamRequest(method: "GET", url: server.url, mode: .serverSentEvents), recorder)
    bench.run()
    server.stop()
    #expect(recorder.events.map(\.data) == ["1", "2"] && recorder.result?.isCancelled == true)
  }

  @Test func `what still runs when the client closes completes as cancelled`() throws {
    let bench = try UpstreamBench()
    let server = try UpstreamServer { connection in
      guard connection.readRequest() != nil else { return }
      _ = connection.waitForEnd()
    }
    let recorder = ExchangeRecorder()
    recorder.onConnected = { bench.loop.stop() }
    try bench.start(UpstreamRequest(method: "GET", url: server.url, totalTimeout: 60_000_000_000), recorder)
    bench.run()
    server.stop()
    #expect(recorder.results.count == 1 && recorder.result?.isCancelled == true)
    #expect(bench.client.exchangeCount == 0)
    let failure = #expect(throws: ProviderFailure.self) {
      try bench.client.start(UpstreamRequest(method: "GET", url: server.url), delegate: recorder)
    }
    #expect(failure?.status == PRV_E_STATE)
  }

  @Test func `a paused exchange is not read, its neighbour goes on, and after resume all of it arrives`() throws {
    let size = 32 << 20
    let bench = try UpstreamBench()
    let paused = ExchangeRecorder()
    let neighbour = ExchangeRecorder()
    paused.keepsBody = false
    let pausedAt = Mutex(0)
    let server = try UpstreamServer { connection in
      while let request = connection.readRequest() {
        guard request.contains("/large") else {
          connection.send(httpAnswer("neighbour"))
          continue
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
        // As soon as nothing was taken for a moment: the neighbour has its turn, then the rest may go.
        connection.setSendTimeout(milliseconds: 200)
        let block = [UInt8](repeating: 0x61, count: 65_536)
        var left = size
        var wasStuck = false
        while left > 0 {
          let sent = connection.sendSome(block, limit: left)
          if sent > 0 {
            left -= sent
          } else {
            guard !wasStuck else { return }
            wasStuck = true
            _ = bench.loop.submit(
              .work {
                #expect(paused.bodyBytes == pausedAt.withLock { $0 })
                _ = try? bench.start(UpstreamRequest(method: "GET", url: "\(connection.url)small"), neighbour)
              })
            connection.setSendTimeout(milliseconds: 20_000)
          }
        }
        #expect(wasStuck)
      }
    }
    paused.onBody = { [unowned paused] in
      guard pausedAt.withLock({ $0 }) == 0, paused.bodyBytes > 100_000 else { return }
      bench.client.pause(paused.id!)
      pausedAt.withLock { $0 = paused.bodyBytes }
    }
    neighbour.onComplete = { [unowned paused] in
      #expect(paused.bodyBytes == pausedAt.withLock { $0 } && paused.results.isEmpty)
      let before = paused.bodyBytes
      bench.client.resume(paused.id!)
      #expect(paused.bodyBytes == before)
    }
    try bench.start(UpstreamRequest(method: "GET", url: server.url + "large"), paused)
    bench.run()
    server.stop()
    #expect(neighbour.text == "neighbour")
    #expect(paused.bodyBytes == size && paused.result?.failure == nil)
  }

  @Test func `an exchange paused before its head keeps its body until resume`() throws {
    let server = try UpstreamServer.answering { _ in httpAnswer("body") }
    let bench = try UpstreamBench()
    let first = try bench.start(UpstreamRequest(method: "GET", url: server.url))
    bench.client.pause(try #require(first.id))
    let second = ExchangeRecorder()
    second.onComplete = { [unowned first] in
      #expect(first.body.isEmpty)
      bench.client.resume(first.id!)
      bench.client.pause(first.id!)
      bench.client.resume(first.id!)
    }
    first.onHead = { [unowned first] in
      #expect(first.body.isEmpty)
      _ = try? bench.start(UpstreamRequest(method: "GET", url: server.url), second)
    }
    bench.run()
    server.stop()
    #expect(first.text == "body" && second.text == "body" && first.results.count == 1)
  }

  @Test(arguments: [
    (Stop.beforeHead, ProviderFailure.Clock.firstByte), (.beforeHead, .total), (.afterHead, .idle),
    (.withinBody, .idle), (.withinBody, .total),
  ])
  func `each clock ends an exchange that stands still`(stop: Stop, clock: ProviderFailure.Clock) throws {
    let bench = try UpstreamBench()
    bench.hold()
    let server = try holdingServer(stop, bench)
    let limit: UInt64 = 40_000_000
    let recorder = try bench.start(
      UpstreamRequest(
        method: "GET", url: server.url, connectTimeout: 20_000_000_000,
        firstByteTimeout: clock == .firstByte ? limit : 20_000_000_000,
        idleTimeout: clock == .idle ? limit : 20_000_000_000, totalTimeout: clock == .total ? limit : 20_000_000_000))
    bench.run()
    server.stop()
    let result = try #require(recorder.result)
    let failure = try #require(result.failure)
    #expect(failure.status == PRV_E_TIMEOUT && failure.clock == clock)
    #expect(failure.message.hasPrefix("127.0.0.1:\(server.port): ") && failure.message.hasSuffix(" 40 ms"))
    #expect(result.totalNanoseconds >= limit && result.httpStatus == (stop == .beforeHead ? 0 : 200))
  }

  @Test func `the clocks of an exchange begin when it does, however long the loop's turn has taken`() throws {
    let full = try FullListener()
    defer { full.close() }
    let bench = try UpstreamBench()
    let limit: UInt64 = 40_000_000
    let turnBegan = bench.loop.now
    while Instant.now().nanoseconds(since: turnBegan) < 2 * limit {}
    let recorder = ExchangeRecorder()
    let began = Instant.now()
    var took: UInt64 = 0
    recorder.onComplete = { took = Instant.now().nanoseconds(since: began) }
    try bench.start(
      UpstreamRequest(method: "GET", url: "http://127.0.0.1:\(full.port)/", totalTimeout: limit), recorder)
    bench.run()
    #expect(recorder.result?.failure?.clock == .total)
    #expect(took >= limit)
  }

  @Test func `the connect clock ends a connection that nobody answers`() throws {
    // A listener whose queue is full answers no more: the kernel drops what arrives.
    let full = try FullListener()
    defer { full.close() }
    let bench = try UpstreamBench()
    let recorder = try bench.start(
      UpstreamRequest(method: "GET", url: "http://127.0.0.1:\(full.port)/", connectTimeout: 60_000_000))
    bench.run()
    let failure = try #require(recorder.result?.failure)
    #expect(failure.status == PRV_E_TIMEOUT && failure.clock == .connect)
    #expect(failure.message == "127.0.0.1:\(full.port): no connection within 60 ms")
    #expect(recorder.connections == 0)
  }

  @Test func `while an exchange is paused the idle clock stands still and the total clock does not`() throws {
    let bench = try UpstreamBench()
    bench.hold()
    let server = try holdingServer(.withinBody, bench)
    let recorder = ExchangeRecorder()
    recorder.onBody = { [unowned recorder] in bench.client.pause(recorder.id!) }
    try bench.start(
      UpstreamRequest(method: "GET", url: server.url, idleTimeout: 30_000_000, totalTimeout: 150_000_000), recorder)
    bench.run()
    server.stop()
    #expect(recorder.result?.failure?.clock == .total)
  }

  @Test func `every descriptor is closed when the client is`() async {
    // In a process of its own: descriptors are everyone's.
    await #expect(processExitsWith: .success) {
      func exchangeOfEachKind() throws {
        let bench = try UpstreamBench()
        let server = try UpstreamServer { connection in
          while let request = connection.readRequest() {
            if request.contains("/hold") { return _ = connection.waitForEnd() }
            connection.send(httpAnswer("ok"))
          }
        }
        let held = ExchangeRecorder()
        held.onConnected = { [unowned held] in bench.client.cancel(held.id!) }
        for _ in 0..<4 { try bench.start(UpstreamRequest(method: "GET", url: server.url)) }
        try bench.start(UpstreamRequest(method: "GET", url: server.url + "hold"), held)
        try bench.start(UpstreamRequest(method: "GET", url: server.url + "hold", totalTimeout: 50_000_000))
        bench.run()
        server.stop()
      }
      // The first round opens what libraries keep.
      try exchangeOfEachKind()
      let before = openDescriptors()
      for _ in 0..<3 { try exchangeOfEachKind() }
      let after = openDescriptors()
      if before != after { print("open before: \(before), after: \(after)") }
      exit(before == after && before > 0 ? 0 : 1)
    }
  }
}

private func openDescriptors() -> Int {
  guard let directory = opendir("/proc/self/fd") else { return -1 }
  defer { closedir(directory) }
  var count = 0
  while readdir(directory) != nil { count += 1 }
  return count
}

/// A loopback port where connecting never ends.
private struct FullListener {
  let port: UInt16
  private let descriptors: [Int32]

  init() throws {
    let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let any = try #require(SocketAddress(literal: "127.0.0.1", port: 0))
    try #require(any.withSocketAddress { bind(listening, $0, $1) } == 0 && listen(listening, 0) == 0)
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let status = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listening, $0, &length) }
    }
    try #require(status == 0)
    let address = SocketAddress(storage)
    port = address.port
    descriptors =
      [listening]
      + (0..<4).map { _ in
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let filler = socket(AF_INET, kind, 0)
        _ = address.withSocketAddress { connect(filler, $0, $1) }
        return filler
      }
  }

  func close() { for descriptor in descriptors { Glibc.close(descriptor) } }
}
