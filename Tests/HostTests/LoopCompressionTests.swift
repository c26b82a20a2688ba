import Decisions
import SystemLibraries
import Testing
import Wire

@testable import Host

/// What of permessage-deflate a loop grants.
struct LoopCompressionTests {
  private func settings(_ change: (inout Configuration.WebSocket) -> Void = { _ in }) -> Configuration.WebSocket {
    var settings = Configuration.WebSocket()
    settings.compression = true
    change(&settings)
    return settings
  }

  private func header(_ bench: HostBench, _ offer: String = "permessage-deflate") throws -> String? {
    let request = BenchClient.upgrade(headers: "Sec-WebSocket-Extensions: \(offer)\r\n")
    let client = try BenchClient(bench, request: request)
    let head = try #require(try client.head())
    #expect(head.status == 101)
    return head.headers["sec-websocket-extensions"]
  }

  @Test func `it is off unless it was switched on, and a reload holds for connections after it`() throws {
    let bench = try HostBench()
    #expect(try header(bench) == nil)
    var changed = bench.loop.configuration
    changed.websocket.compression = true
    bench.run { [loop = bench.loop] in loop.adopt(changed) }
    #expect(try header(bench) == "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    changed.websocket.compression = false
    bench.run { [loop = bench.loop] in loop.adopt(changed) }
    #expect(try header(bench) == nil)
  }

  @Test func `an offer that cannot be kept leaves the connection as it would be without`() throws {
    let bench = try HostBench { $0.websocket.compression = true }
    #expect(try header(bench, "permessage-deflate; server_max_window_bits=8") == nil)
    #expect(try header(bench, "x-webkit-deflate-frame") == nil)
  }

  @Test func `a header that is no list is answered with 400`() throws {
    let bench = try HostBench { $0.websocket.compression = true }
    let request = BenchClient.upgrade(headers: "Sec-WebSocket-Extensions: permessage-deflate;;\r\n")
    let client = try BenchClient(bench, request: request)
    #expect(try client.head()?.status == 400)
  }

  @Test func `contexts are granted to so many connections at once and no more`() throws {
    let bench = try HostBench { $0.websocket = settings { $0.takeoverConnections = 2 } }
    func open() throws -> (BenchClient, String?) {
      let request = BenchClient.upgrade(headers: "Sec-WebSocket-Extensions: permessage-deflate\r\n")
      let client = try BenchClient(bench, request: request)
      return (client, try client.head()?.headers["sec-websocket-extensions"])
    }
    let frugal = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    let first = try open()
    let second = try open()
    let third = try open()
    #expect([first.1, second.1, third.1] == ["permessage-deflate", "permessage-deflate", frugal])
    first.0.disconnect()
    #expect(try open().1 == "permessage-deflate")
    withExtendedLifetime((second, third)) {}
  }

  @Test(arguments: [(10, 3, [4, 3, 3]), (1, 2, [1, 0]), (0, 2, [0, 0])])
  func `loops share the connections that may keep contexts`(all: Int, loops: Int, shares: [Int]) throws {
    let configuration = Configuration()
    let services = HostServices(
      configuration: configuration, log: Log(level: .error), core: Core(configuration.coreSettings),
      principals: Principals([]), version: "1", loopCount: loops)
    let granted = try (0..<loops).map { index in
      let shared = try #require(
        LoopCompression(settings { $0.takeoverConnections = all }, services, logs: index == 0))
      var held: [MessageDeflate] = []
      while case .agreed(let terms, _) = shared.answer(["permessage-deflate"]), terms.clientKeepsContext {
        held.append(shared.deflate(terms))
      }
      return held.count
    }
    #expect(granted == shares)
  }

  @Test func `without zlib nothing is compressed`() throws {
    let services = try HostBench().services
    func missing() throws(SharedLibrary.LoadError) -> Zlib {
      throw SharedLibrary.LoadError(library: "libz.so.1", reason: .missing("no such file"), remedy: "install zlib1g")
    }
    #expect(LoopCompression(settings(), services, logs: true, load: missing) == nil)
    #expect(LoopCompression(Configuration.WebSocket(), services, logs: true) == nil)
  }
}
