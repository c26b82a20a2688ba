import Testing
import Wire

@testable import Host

private let here = SocketAddress(family: .ipv4, port: 9, high: 0, low: 0x0A00_0001)
private let all: Configuration.Services = [.websocket, .health, .monitor]

private func request(_ path: String, _ headers: String = "", method: String = "GET") -> String {
  "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n"
}

/// The answer to the first request of a connection, and whether the connection goes on.
private func ask(
  _ bench: HostBench, _ text: String, peer: SocketAddress = .unix, serves: Configuration.Services = all
) throws -> (HTTPResponseHead, body: String, staysOpen: Bool) {
  let client = try BenchClient(bench, peer: peer, serves: serves, request: text)
  let head = try #require(try client.head())
  let rest = client.rest()
  return (head, rest.text, !rest.hasEnded)
}

/// Who answers what, and what is asked of every request before.
struct HTTPRouterTests {
  @Test func `over a limit probes are answered, the rest is told which, and neither keeps the connection`() throws {
    for limit in ["connections", "connections_per_address"] {
      let bench = try HostBench {
        if limit == "connections" { $0.limits.connections = 1 } else { $0.limits.connectionsPerAddress = 1 }
      }
      let first = try BenchClient(bench, peer: here, serves: all)
      for (path, status) in [("/livez", 200), ("/readyz", 200), ("/health", nil), ("/", nil)] as [(String, Int?)] {
        let (head, body, staysOpen) = try ask(bench, request(path), peer: here)
        #expect(head.status == status ?? (limit == "connections" ? 503 : 429), "\(path)")
        #expect(!staysOpen && head.headers["connection"] == "close", "\(path)")
        if status == nil { #expect(body.contains("limits.\(limit) reached: 1")) }
      }
      first.disconnect()
      #expect(try ask(bench, request("/"), peer: here).staysOpen)
    }
  }

  @Test(
    arguments: [
      ("/", all, 200), ("/", .websocket, 426), ("/", .health, 404), ("/ws", all, 426), ("/ws", .health, 404),
      ("/livez", all, 200), ("/livez", .monitor, 404), ("/health/semaphores", .health, 200), ("/metrics", all, 404),
    ] as [(String, Configuration.Services, Int)])
  func `a listener answers what it serves`(path: String, serves: Configuration.Services, status: Int) throws {
    let bench = try HostBench()
    let (head, _, staysOpen) = try ask(bench, request(path), serves: serves)
    #expect(head.status == status && staysOpen)
  }

  @Test func `an upgrade at a health path is none, whatever its page`() throws {
    let bench = try HostBench()
    let upgrade = BenchClient.upgrade(path: "/livez", headers: "Origin: https://evil.example\r\n")
    #expect(try ask(bench, upgrade).0.status == 404)
  }

  @Test(arguments: [
    ("POST", 405), ("PUT", 405), ("DELETE", 405), ("PATCH", 405), ("TRACE", 405), ("CONNECT", 405), ("BREW", 501),
    ("Get", 501), ("OPTIONS", 204), ("HEAD", 200),
  ])
  func `a method that is not served says which are`(method: String, status: Int) throws {
    let (head, body, staysOpen) = try ask(try HostBench(), request("/livez", method: method))
    #expect(head.status == status && staysOpen)
    #expect((head.headers["allow"] == "GET, HEAD, OPTIONS") == (status != 200))
    #expect(body.isEmpty == (status < 300))
  }
}
