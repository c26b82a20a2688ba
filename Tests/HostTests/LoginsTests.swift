import Decisions
import Testing

@testable import Host

private let viewer = (name: "v", role: Principals.Role.viewer, token: "viewer-token-0001")
private let admin = (name: "a", role: Principals.Role.admin, token: "admin-token-00001")
private let start = Instant(nanoseconds: 1_000_000_000)

struct LoginsTests {
  private let principals = Principals([viewer, admin])

  private func principal(_ token: String) throws -> Principals.Principal {
    try #require(principals.principal(withToken: token))
  }

  @Test func `a cookie stands for its principal until twelve hours are over`() throws {
    let logins = Logins()
    let cookie = logins.begin(try principal(viewer.token), token: viewer.token, from: nil, now: start)
    #expect(cookie.utf8.count == 43)
    let login = try #require(logins.find(cookie, now: start))
    #expect(login.principal.name == "v" && principals.accepts(login))
    let end = start.advanced(milliseconds: Logins.lifeMilliseconds)
    let last = Instant(nanoseconds: end.nanoseconds - 1)
    #expect(logins.find(cookie, now: last) != nil && logins.holds(login, now: last))
    #expect(logins.find(cookie, now: end) == nil && !logins.holds(login, now: end))
    #expect(logins.find(cookie + "x", now: start) == nil && logins.find("", now: start) == nil)
  }

  @Test func `a login ends with its logout, and no other does`() throws {
    let logins = Logins()
    let cookies = try (0..<2).map { _ in
      logins.begin(try principal(viewer.token), token: viewer.token, from: nil, now: start)
    }
    logins.end(cookies[0])
    #expect(logins.find(cookies[0], now: start) == nil)
    #expect(logins.find(cookies[1], now: start) != nil)
  }

  @Test func `nobody keeps more than 16, nor all together more than 256; the oldest goes`() throws {
    let logins = Logins()
    let first = try (0..<17).map { _ in
      logins.begin(try principal(admin.token), token: admin.token, from: nil, now: start)
    }
    #expect(first.map { logins.find($0, now: start) != nil } == [false] + Array(repeating: true, count: 16))
    let many = Principals((0..<250).map { ("p\($0)", .viewer, "viewer-token-\($0)-long") })
    let cookies = try (0..<250).map { number in
      let token = "viewer-token-\(number)-long"
      return logins.begin(try #require(many.principal(withToken: token)), token: token, from: nil, now: start)
    }
    #expect(first.count { logins.find($0, now: start) != nil } == 6)
    #expect(cookies.allSatisfy { logins.find($0, now: start) != nil })
  }

  @Test func `a rotated, replaced or removed token ends the logins that were got with it`() throws {
    let logins = Logins()
    let cookie = logins.begin(try principal(admin.token), token: admin.token, from: nil, now: start)
    let login = try #require(logins.find(cookie, now: start))
    #expect(principals.rotate(login.principal, from: admin.token, to: "admin-token-00002") == .rotated)
    #expect(!principals.accepts(login))
    let other = Principals([viewer, admin])
    #expect(other.accepts(login))
    other.replace([viewer, (admin.name, .viewer, admin.token)])
    #expect(!other.accepts(login), "its role has changed")
    other.replace([viewer])
    #expect(!other.accepts(login))
  }

  @Test func `five attempts are let through in a minute, and a login forgets them`() throws {
    let logins = Logins()
    for _ in 0..<5 { #expect(logins.mayTry(nil, now: start) == nil) }
    #expect(logins.mayTry(nil, now: start) == 60_000_000_000)
    #expect(logins.mayTry(Census.Address(high: 0, low: 1), now: start) == nil)
    _ = logins.begin(try principal(admin.token), token: admin.token, from: nil, now: start)
    #expect(logins.mayTry(nil, now: start) == nil)
  }

  @Test func `a form token is one identity's own, and another in each run`() {
    let logins = Logins()
    #expect(logins.formToken(of: "open") == logins.formToken(of: "open"))
    #expect(logins.formToken(of: "open") != logins.formToken(of: "token a"))
    #expect(Logins().formToken(of: "open") != logins.formToken(of: "open"))
  }
}

struct ActionQueueTests {
  private final class Noted: @unchecked Sendable {  // Used on the test's thread only.
    var wakes = 0
    var replies: [String] = []
  }

  @Test func `what is put is taken once, in its order, and no more than eight wait`() {
    let queue = ActionQueue()
    let noted = Noted()
    func put(_ provider: String) -> Bool {
      queue.put(.init(action: .unquarantine(provider: provider)) { noted.replies.append($0.lines.joined()) })
    }
    #expect(!put("early"), "nobody serves it yet")
    queue.open { noted.wakes += 1 }
    #expect((1...8).allSatisfy { put("\($0)") } && !put("9"))
    #expect(noted.wakes == 8)
    #expect(queue.takeAll().map(\.action) == (1...8).map { .unquarantine(provider: "\($0)") })
    #expect(queue.takeAll().isEmpty)
    #expect(put("10"))
    queue.close()
    #expect(noted.replies == ["the host is shutting down"])
    #expect(!put("11") && queue.takeAll().isEmpty)
  }
}
