import Bytes
import Testing
import Wire

@testable import Host

private let editor = "editor-token-0001"
private let other = "öther token, too, of 2"
private let viewer = "viewer-token-0001"

private func coded(_ token: String) -> String { Array(token.utf8).withUnsafeBytes { Base64.encodeURLSafe($0) } }

private func known() -> [(name: String, role: Principals.Role, token: String)] {
  [("editor", .client, editor), ("other", .admin, other), ("watcher", .viewer, viewer)]
}

/// An upgrade with some headers: its status, the subprotocol that was selected, and the client behind it.
private func upgraded(_ bench: HostBench, _ headers: String) throws -> (Int, String?, BenchClient) {
  let client = try BenchClient(bench, request: BenchClient.upgrade(headers: headers))
  let head = try #require(try client.head())
  return (head.status, head.headers["sec-websocket-protocol"], client)
}

struct PresentedTokensTests {
  @Test(
    arguments: [
      ("Authorization: Bearer \(editor)\r\n", nil), ("authorization: bearer   \(editor)\r\n", nil),
      ("Sec-WebSocket-Protocol: patchbay, bearer.\(coded(editor))\r\n", "patchbay"),
      ("Sec-WebSocket-Protocol: bearer.\(coded(other))\r\nSec-WebSocket-Protocol: x, patchbay\r\n", "patchbay"),
      (
        "Authorization: Bearer \(editor)\r\nSec-WebSocket-Protocol: patchbay, bearer.\(coded(editor))\r\n", "patchbay"
      ),
    ] as [(String, String?)])
  func `a token in a header or a subprotocol is enough, and is not said back`(headers: String, selected: String?) throws
  {
    let bench = try HostBench(principals: known())
    let (status, subprotocol, client) = try upgraded(bench, headers)
    #expect(status == 101 && subprotocol == selected)
    client.send(#"{"op":"hello"}"#)
    #expect(try client.message()["ok"] == .bool(true))
  }

  @Test(
    arguments: [
      ("Authorization: Bearer wrong\r\n", 401), ("Authorization: Bearer \r\n", 401),
      ("Authorization: Bearer \(editor)\r\nAuthorization: Bearer \(editor)\r\n", 401),
      ("Authorization: Bearer \(viewer)\r\n", 401), ("Authorization: Bearer \(coded(editor))\r\n", 401),
      ("Sec-WebSocket-Protocol: patchbay, bearer.\(coded("wrong"))\r\n", 401),
      ("Sec-WebSocket-Protocol: patchbay, bearer.\(editor)\r\n", 401),
      ("Sec-WebSocket-Protocol: patchbay, bearer.\r\n", 401),
      ("Sec-WebSocket-Protocol: patchbay, bearer.\(coded(editor))!\r\n", 401),
      ("Sec-WebSocket-Protocol: patchbay, bearer._w\r\n", 401),
      ("Sec-WebSocket-Protocol: patchbay, bearer.\(coded(editor)), bearer.\(coded(editor))\r\n", 401),
      ("Sec-WebSocket-Protocol: bearer.\(coded(editor))\r\n", 400),
      ("Sec-WebSocket-Protocol: patchbay, bearer.a=b\r\n", 400), ("Sec-WebSocket-Protocol: patchbay,\r\n", 400),
      (
        "Authorization: Bearer \(editor)\r\nSec-WebSocket-Protocol: patchbay, bearer.\(coded(other))\r\n", 401
      ), ("Authorization: Bearer \(editor)\r\nSec-WebSocket-Protocol: patchbay, bearer.\(coded("wrong"))\r\n", 401),
    ])
  func `a wrong token at any place is refused before the upgrade`(headers: String, expected: Int) throws {
    let bench = try HostBench(principals: known())
    let (status, _, client) = try upgraded(bench, headers)
    #expect(status == expected)
    #expect(client.rest().hasEnded)
    bench.expectNothingHeld()
  }

  @Test(
    arguments: [
      ("", "unauthorized"), (#","token":null"#, "ok"), (#","token":"\#(editor)""#, "ok"),
      (#","token":"wrong""#, "unauthorized"), (#","token":5"#, "unauthorized"),
      (#","token":"\#(other)""#, "unauthorized"),
    ])
  func `a hello after a token needs none, and a wrong one refuses`(member: String, outcome: String) throws {
    let bench = try HostBench(principals: known())
    let headers = member.isEmpty ? "Authorization: Basic eDp5\r\n" : "Authorization: Bearer \(editor)\r\n"
    let (status, _, client) = try upgraded(bench, headers)
    #expect(status == 101)
    client.send(#"{"op":"hello"\#(member)}"#)
    let events = try client.events()
    guard case .message(let ack) = events.first else {
      Issue.record("\(events)")
      return
    }
    #expect(ack["error"]?.string ?? "ok" == outcome)
    #expect(events.last.map { if case .close(4003, _) = $0 { true } else { false } } == (outcome != "ok"))
  }

  @Test func `who is gone between upgrade and hello is refused`() throws {
    let bench = try HostBench(principals: known())
    let (_, _, client) = try upgraded(bench, "Authorization: Bearer \(editor)\r\n")
    bench.services.principals.replace([("other", .admin, other)])
    client.send(#"{"op":"hello"}"#)
    #expect(try client.events().last == .close(code: 4003, reason: "unauthorized"))
  }

  @Test func `where nobody needs a token any is as good as none, and patchbay is selected if it is offered`() throws {
    let bench = try HostBench()
    for headers in ["Authorization: Bearer x\r\n", "Sec-WebSocket-Protocol: patchbay, bearer.\(coded("x"))\r\n", ""] {
      let (status, subprotocol, client) = try upgraded(bench, headers)
      #expect(status == 101 && subprotocol == (headers.contains("patchbay") ? "patchbay" : nil))
      client.send(#"{"op":"hello"}"#)
      #expect(try client.message()["ok"] == .bool(true))
      client.disconnect()
    }
  }

  // MARK: - Limits of one principal

  @Test func `a principal's calls are limited over all its sessions, and another's are not`() throws {
    let bench = try HostBench(principals: known()) {
      $0.auth.principals = known().map { .init(name: $0.name, token: Secret(value: $0.token)) }
      $0.auth.principals[0].limits.inFlight = 2
      $0.auth.principals[0].limits.sessions = 2
    }
    let hello = { (token: String) in #"{"op":"hello","token":"\#(token)"}"# }
    let clients = try (0..<2).map { _ in try BenchClient.connected(to: bench, hello: hello(editor)) }
    let late = try BenchClient.connected(to: bench, hello: nil)
    late.send(hello(editor))
    let events = try late.events()
    #expect(events.last == .close(code: 1008, reason: "the principal's limits.sessions reached"))
    let third = try BenchClient.connected(to: bench, hello: hello(other))
    let chat = #"{"op":"call_tool","name":"chat","arguments":{"prompt":"x"}}"#
    for client in clients {
      client.send(chat)
      #expect(try client.message().gist == "call_tool_ack")
    }
    clients[1].send(chat)
    let refusal = try clients[1].message()
    #expect(refusal.gist == "call_tool_res OVER_CAPACITY")
    #expect(refusal["error"]?["details"]?["scope"]?.string == "principal")
    #expect(refusal["error"]?["details"]?["limit"]?.integer == 2)
    third.send(chat)
    #expect(try third.message().gist == "call_tool_ack")
    bench.run { bench.provider.answer(1, "done") }
    #expect(try clients[0].message().gist == "call_tool_res")
    clients[1].send(chat)
    #expect(try clients[1].message().gist == "call_tool_ack")
    clients[0].disconnect()
    _ = try BenchClient.connected(to: bench, hello: hello(editor))
  }
}
