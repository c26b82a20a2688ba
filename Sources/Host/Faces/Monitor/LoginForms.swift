import Bytes
import Decisions
import JSON
import Wire

/// How a browser gets in and out: a token for a cookie, which it keeps for twelve hours at most.
///
/// Thread: the loop's.
enum LoginForms {
  static func login(_ head: HTTPRequestHead, _ loop: HostLoop) -> HTTPDecision {
    FormHandler.decision { form, answer in
      if let fault = SameOrigin.fault(head, isSecure: answer.isSecure) {
        return refuse(answer, .error(403, fault), fault, loop)
      }
      guard let token = form?["token"]?.string else {
        return answer.send(.error(400, "a login is {\"token\":\"…\"}"))
      }
      let services = loop.services
      if services.principals.isOpen { return answer.send(welcome(role: "open", name: nil)) }
      if let wait = services.monitor.logins.mayTry(answer.address, now: .now()) {
        let seconds = "\((wait + 999_999_999) / 1_000_000_000)"
        return answer.send(
          .error(429, "too many logins failed; try again in \(seconds) s", headers: [("Retry-After", seconds)]))
      }
      guard let principal = services.principals.principal(withToken: token), principal.role != .client else {
        let reason = "the token is not one of a viewer or admin"
        return refuse(answer, .error(401, reason), reason, loop)
      }
      let cookie = services.monitor.logins.begin(principal, token: token, from: answer.address, now: .now())
      services.log.info(
        "Logged in", ("principal", principal.name), ("role", "\(principal.role)"), ("peer", "\(answer.peer)"))
      var reply = welcome(role: "\(principal.role)", name: principal.name)
      reply.headers.append(LoginCookie.header(cookie, for: head, isSecure: answer.isSecure))
      answer.send(reply)
    }
  }

  static func logout(_ head: HTTPRequestHead, _ loop: HostLoop) -> HTTPDecision {
    FormHandler.decision { _, answer in
      if let fault = SameOrigin.fault(head, isSecure: answer.isSecure) {
        return refuse(answer, .error(403, fault), fault, loop)
      }
      if let cookie = LoginCookie.value(in: head) { loop.services.monitor.logins.end(cookie) }
      var reply = HTTPReply(status: 200, body: "{\"done\":true}\n")
      reply.headers = [LoginCookie.header(nil, for: head, isSecure: answer.isSecure), ("Cache-Control", "no-store")]
      answer.send(reply)
    }
  }

  private static func welcome(role: String, name: String?) -> HTTPReply {
    let body = JSONValue.object([
      .init("role", .string(role)), .init("principal", name.map(JSONValue.string) ?? .null),
    ])
    return HTTPReply(status: 200, body: body.text + "\n", headers: [("Cache-Control", "no-store")])
  }

  private static func refuse(_ answer: HTTPAnswer, _ reply: HTTPReply, _ reason: String, _ loop: HostLoop) {
    loop.warn("Refused a login", kind: "\(reply.status)", [("reason", reason), ("peer", "\(answer.peer)")])
    answer.send(reply)
  }
}
