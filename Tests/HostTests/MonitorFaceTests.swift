import Bytes
import Decisions
import JSON
import Testing
import Wire

@testable import Host

private let principals: [(name: String, role: Principals.Role, token: String)] = [
  ("c", .client, "client-token-0001"), ("v", .viewer, "viewer-token-0001"), ("a", .admin, "admin-token-00001"),
]
private let here = "localhost:8079"

private struct Answer {
  var status: Int
  var headers: HTTPHeaders
  var body: String

  var json: JSONValue? { try? JSONValue(parsing: body) }
  /// What a browser would send back.
  var cookie: String? { headers["set-cookie"]?.split(separator: ";").first.map(String.init) }
}

extension HostBench {
  fileprivate func ask(
    _ path: String, method: String = "POST", _ headers: [String] = [], body: String = "", peer: SocketAddress = .unix
  ) throws -> Answer {
    let lines = ["\(method) \(path) HTTP/1.1", "Host: \(here)", "Content-Length: \(body.utf8.count)"] + headers
    let client = try BenchClient(
      self, peer: peer, serves: [.monitor, .health], request: lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    let head = try #require(try client.head())
    return Answer(status: head.status, headers: head.headers, body: client.rest().text)
  }

  fileprivate func login(_ token: String, peer: SocketAddress = .unix) throws -> Answer {
    try ask("/login", ["Origin: http://\(here)"], body: "{\"token\":\"\(token)\"}", peer: peer)
  }

  /// What the feed tells who comes with these headers.
  fileprivate func csrf(_ headers: [String]) throws -> String {
    let lines = ["GET /events HTTP/1.1", "Host: \(here)"] + headers
    let client = try BenchClient(
      self, serves: .monitor, request: lines.joined(separator: "\r\n") + "\r\n\r\n")
    let text = client.rest().text
    let line = try #require(text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("data: {\"protocol\"") })
    return try #require(try JSONValue(parsing: String(line.dropFirst(6)))["csrf"]?.string)
  }

  /// Answers what the queue holds, as the control thread does.
  fileprivate func serveActions(_ noted: @escaping (ActionQueue.Action) -> Void) {
    services.monitor.actions.open {}
    let requests = services.monitor.actions.takeAll()
    // Between its runs the bench's loop takes no mail.
    run {
      for request in requests {
        noted(request.action)
        request.reply(ReloadReport(isApplied: true, lines: ["one", "two"]))
      }
    }
  }
}

struct LoginFormTests {
  @Test func `a viewer's or admin's token gets a cookie that only the browser sees, and opens what viewers may`() throws
  {
    for (token, role) in [("viewer-token-0001", "viewer"), ("admin-token-00001", "admin")] {
      let bench = try HostBench(principals: principals)
      let answer = try bench.login(token)
      #expect(answer.status == 200 && answer.json?["role"]?.string == role)
      let header = try #require(answer.headers["set-cookie"])
      #expect(header.hasPrefix("patchbay8079="))
      #expect(header.hasSuffix("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "over plain HTTP without Secure")
      let cookie = "Cookie: other=1; \(try #require(answer.cookie)); more=2"
      #expect(try bench.ask("/health", method: "GET", [cookie]).status != 401)
      #expect(try bench.ask("/requests/none", method: "GET", [cookie]).status == 404)
      #expect(try bench.ask("/health", method: "GET").status == 401)
      #expect(
        try bench.ask("/health", method: "GET", [cookie, "Authorization: Bearer nobodys-token-001"]).status == 401,
        "a wrong token is not made good by a cookie")
    }
  }

  @Test func `over TLS the cookie stays on TLS`() throws {
    let head = try #require(try Self.head("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"))
    let header = LoginCookie.header("x", for: head, isSecure: true)
    #expect(header.1 == "patchbay=x; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure")
  }

  private static func head(_ text: String) throws -> HTTPRequestHead? {
    var parser = HTTPRequestParser()
    var buffer = ByteBuffer()
    buffer.append(text)
    return try parser.next(&buffer)
  }

  @Test func `what is no token of theirs is refused, and after five in a minute nothing is tried`() throws {
    let bench = try HostBench(principals: principals)
    let far = SocketAddress(family: .ipv4, port: 9, high: 0, low: 0x0A00_0001)
    for token in ["client-token-0001", "nobodys-token-001", "", "x", "client-token-0001"] {
      let answer = try bench.login(token, peer: far)
      #expect(answer.status == 401 && answer.cookie == nil)
    }
    let late = try bench.login("admin-token-00001", peer: far)
    #expect(late.status == 429 && late.headers["retry-after"].flatMap { Int($0) }.map { (1...60).contains($0) } == true)
    #expect(try bench.login("admin-token-00001").status == 200, "others may")
  }

  @Test func `a login is an object with a token, and small`() throws {
    let bench = try HostBench(principals: principals)
    for body in ["", "[]", "{", "{\"token\":5}", "\"admin-token-00001\""] {
      #expect(try bench.ask("/login", body: body).status == 400, "\(body)")
    }
    let long = "{\"token\":\"\(String(repeating: "x", count: FormHandler.bodyBytesLimit))\"}"
    #expect(try bench.ask("/login", body: long).status == 413)
    #expect(try bench.ask("/login", method: "GET").status == 405)
  }

  @Test func `another site's page logs nobody in or out`() throws {
    let bench = try HostBench(principals: principals) { $0.auth.origins = ["https://app.example"] }
    for header in ["Origin: https://app.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: none"] {
      for path in ["/login", "/logout"] {
        #expect(try bench.ask(path, [header], body: "{\"token\":\"admin-token-00001\"}").status == 403, "\(header)")
      }
    }
  }

  @Test func `after the logout the cookie opens nothing`() throws {
    let bench = try HostBench(principals: principals)
    let cookie = "Cookie: \(try #require(try bench.login("viewer-token-0001").cookie))"
    let answer = try bench.ask("/logout", [cookie])
    #expect(
      answer.status == 200 && answer.headers["set-cookie"]?.hasPrefix("patchbay8079=; Path=/; Max-Age=0;") == true)
    #expect(try bench.ask("/health", method: "GET", [cookie]).status == 401)
  }

  @Test func `where nobody needs a token, none is asked for`() throws {
    let answer = try HostBench().login("whatever")
    #expect(answer.status == 200 && answer.json?["role"] == .string("open") && answer.cookie == nil)
  }
}

struct ActionFormTests {
  private let own = ["Origin: http://\(here)", "Sec-Fetch-Site: same-origin"]

  @Test func `an admin acts with the feed's token, whichever way it is known`() throws {
    for way in ["open", "token", "cookie"] {
      let bench = try HostBench(principals: way == "open" ? [] : principals)
      bench.services.monitor.actions.open {}
      var who: [String] = []
      if way == "token" { who = ["Authorization: Bearer admin-token-00001"] }
      if way == "cookie" { who = ["Cookie: \(try #require(try bench.login("admin-token-00001").cookie))"] }
      let token = "X-Patchbay-Token: \(try bench.csrf(who))"
      let lines = ["POST /actions/reload HTTP/1.1", "Host: \(here)", "Content-Length: 0", token] + own + who
      let client = try BenchClient(
        bench, serves: .monitor, request: lines.joined(separator: "\r\n") + "\r\n\r\n")
      var asked: [ActionQueue.Action] = []
      bench.run()
      bench.serveActions { asked.append($0) }
      #expect(asked == [.reload], "\(way)")
      #expect(try client.head()?.status == 200)
      #expect(client.rest().text == "{\"done\":true,\"lines\":[\"one\",\"two\"]}\n")
    }
  }

  @Test func `what another page could send is refused, and nothing is asked for`() throws {
    let bench = try HostBench(principals: principals) { $0.auth.origins = ["https://app.example"] }
    bench.services.monitor.actions.open {}
    let cookie = "Cookie: \(try #require(try bench.login("admin-token-00001").cookie))"
    let token = "X-Patchbay-Token: \(try bench.csrf([cookie]))"
    let other = "X-Patchbay-Token: \(try bench.csrf(["Authorization: Bearer admin-token-00001"]))"
    let requests: [(String, [String], Int)] = [
      ("no token", own + [cookie], 403), ("a wrong token", own + [cookie, token + "x"], 403),
      ("another login's token", own + [cookie, other], 403), ("two tokens", own + [cookie, token, token], 403),
      ("a foreign origin", ["Origin: https://evil.example", cookie, token], 403),
      ("another port", ["Origin: http://localhost:8080", cookie, token], 403),
      ("another scheme", ["Origin: https://\(here)", cookie, token], 403),
      ("an origin that may call", ["Origin: https://app.example", cookie, token], 403),
      ("no origin at all", ["Origin: null", cookie, token], 403),
      ("cross-site", ["Sec-Fetch-Site: cross-site", cookie, token], 403),
      ("same-site", ["Sec-Fetch-Site: same-site", cookie, token], 403),
      ("an address bar", ["Sec-Fetch-Site: none", cookie, token], 403),
      ("nobody", own + [token], 401), ("a client", own + [token, "Authorization: Bearer client-token-0001"], 401),
      ("a viewer", own + [token, "Authorization: Bearer viewer-token-0001"], 403),
    ]
    for (name, headers, status) in requests {
      for path in ["/actions/drain", "/actions/reload", "/actions/unquarantine"] {
        #expect(try bench.ask(path, headers, body: "{\"provider\":\"p\"}").status == status, "\(name)")
      }
    }
    for method in ["GET", "HEAD", "PUT"] {
      #expect(try bench.ask("/actions/drain", method: method, [cookie, token]).status == 405)
    }
    #expect(bench.services.monitor.actions.takeAll().isEmpty)
  }

  @Test func `a proxy that speaks TLS for the host makes an origin foreign, which the browser's own word outweighs`()
    throws
  {
    let bench = try HostBench { $0.auth.origins = ["https://\(here)"] }
    bench.services.monitor.actions.open {}
    let token = "X-Patchbay-Token: \(try bench.csrf([]))"
    let origin = "Origin: https://\(here)"
    #expect(try bench.ask("/actions/reload", [origin, token]).status == 403)
    let lines = ["POST /actions/reload HTTP/1.1", "Host: \(here)", "Content-Length: 0", origin, token]
    let client = try BenchClient(
      bench, serves: .monitor,
      request: (lines + ["Sec-Fetch-Site: same-origin"]).joined(separator: "\r\n") + "\r\n\r\n")
    bench.run()
    #expect(bench.services.monitor.actions.takeAll().map(\.action) == [.reload])
    _ = client.rest()
  }

  @Test func `which provider is let go must be said`() throws {
    let bench = try HostBench()
    bench.services.monitor.actions.open {}
    let token = "X-Patchbay-Token: \(try bench.csrf([]))"
    for body in ["", "{}", "[]", "{\"provider\":1}"] {
      #expect(try bench.ask("/actions/unquarantine", [token], body: body).status == 400)
    }
  }

  @Test func `thirty actions are let through in a minute, and eight wait at once`() throws {
    let bench = try HostBench()
    let monitor = bench.services.monitor
    let token = "X-Patchbay-Token: \(try bench.csrf([]))"
    #expect(try bench.ask("/actions/reload", [token]).status == 503, "the host does not take actions yet")
    monitor.actions.open {}
    for _ in 0..<ActionQueue.limit { #expect(monitor.actions.put(.init(action: .reload) { _ in })) }
    #expect(try bench.ask("/actions/reload", [token]).status == 503)
    for _ in 0..<28 { #expect(monitor.mayAct(now: .now()) == nil) }
    let late = try bench.ask("/actions/reload", [token])
    #expect(late.status == 429 && late.headers["retry-after"] != nil)
  }
}

struct TimelinePathTests {
  @Test func `a call is found by its key and by its client's id, however that is spelled`() throws {
    let bench = try HostBench()
    let client = try BenchClient.connected(to: bench)
    for id in [#"a b\u002fc"#, #"0-99"#, "dé"] {
      client.send("{\"op\":\"call_tool\",\"request_id\":\"\(id)\",\"name\":\"chat\",\"arguments\":{\"prompt\":\"p\"}}")
    }
    bench.run { bench.provider.answer(2, "x") }
    for (path, id) in [
      ("a%20b%2fc", "a b/c"), ("a%20b/c", "a b/c"), ("0-1", "a b/c"), ("0-99", "0-99"), ("d%C3%A9", "dé"),
    ] {
      let answer = try bench.ask("/requests/\(path)", method: "GET")
      #expect(answer.status == 200 && answer.json?["id"]?.string == id, "\(path): \(answer.body)")
    }
    let ended = try #require(try bench.ask("/requests/0-2", method: "GET").json)
    #expect(ended["outcome"] == .string("complete") && ended["gaps"]?.array?.isEmpty == true)
    #expect(
      ended["events"]?.array?.map { $0["what"]?.string } == [
        "received", "admitted", "opened", "first_token", "complete",
      ])
    let live = try #require(try bench.ask("/requests/0-1", method: "GET").json)
    #expect(live["phase"] == .string("waiting") && live["outcome"] == nil)
    bench.run { for call in bench.provider.running { bench.provider.answer(call, "x") } }
  }

  @Test(arguments: [("", 400), ("%", 400), ("%4", 400), ("%zz", 400), ("%ff", 400), ("nothing", 404), ("0-1", 404)])
  func `what names no call is told so`(path: String, status: Int) throws {
    let answer = try HostBench().ask("/requests/\(path)", method: "GET")
    #expect(answer.status == status && answer.json?["error"]?["message"]?.string?.isEmpty == false)
  }
}

struct WallClockTests {
  @Test func `the same instant is shown as the same time again, until the clock was set`() {
    func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
    let first = WallClock(now: at(1_000), wallNanoseconds: 50_000_000_000)
    #expect(first.present == 50_000 && first.milliseconds(of: at(900)) == 49_900)
    #expect(first.milliseconds(of: at(2_000)) == 50_000, "what lies ahead is now")
    #expect(first.age(of: at(400)) == 600 && first.age(of: at(1_001)) == 0)
    let next = WallClock(now: at(2_000), wallNanoseconds: 51_004_999_999, after: first)
    #expect(next.milliseconds(of: at(900)) == 49_900 && next.present == 51_000)
    let set = WallClock(now: at(2_000), wallNanoseconds: 51_005_000_000, after: first)
    #expect(set.milliseconds(of: at(900)) == 49_905)
    #expect(WallClock(now: at(2_000), wallNanoseconds: 0, after: first).milliseconds(of: at(900)) == -1_100)
  }
}
