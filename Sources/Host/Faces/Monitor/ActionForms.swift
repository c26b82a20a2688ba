import Bytes
import Decisions
import JSON
import Wire

/// What an admin does through the page: asked here, done by the control thread.
///
/// | what is missing                                | answer                 |
/// |------------------------------------------------|------------------------|
/// | a token or login; the role `admin`             | 401; 403 (`HTTPRouter`) |
/// | the host's own origin                          | 403                    |
/// | the right `X-Patchbay-Token`                   | 403                    |
/// | a body that says what is needed                | 400                    |
/// | fewer than 30 actions in the last minute       | 429                    |
/// | room in the queue, or a host that does not stop | 503                    |
///
/// Thread: the loop's.
enum ActionForms {
  static let header = "x-patchbay-token"

  /// - Parameter make: what the form asks for; nil: it lacks something.
  static func decide(
    _ head: HTTPRequestHead, _ loop: HostLoop, _ make: @escaping (JSONValue) -> ActionQueue.Action?
  ) -> HTTPDecision {
    FormHandler.decision { form, answer in
      guard let caller = Caller(head, loop.services), caller.mayOperate else {
        return refuse(answer, 403, "an admin is needed", loop)
      }
      if let fault = SameOrigin.fault(head, isSecure: answer.isSecure) { return refuse(answer, 403, fault, loop) }
      guard hasToken(head, caller, loop.services) else {
        return refuse(answer, 403, "X-Patchbay-Token is not the one that this login's feed says (csrf)", loop)
      }
      guard let action = form.flatMap(make) else {
        return answer.send(.error(400, "the body must be {} or, to unquarantine, {\"provider\":\"…\"}"))
      }
      if let wait = loop.services.monitor.mayAct(now: .now()) {
        let seconds = "\((wait + 999_999_999) / 1_000_000_000)"
        return answer.send(
          .error(429, "too many actions; try again in \(seconds) s", headers: [("Retry-After", seconds)]))
      }
      perform(action, caller, answer, loop)
    }
  }

  private static func hasToken(_ head: HTTPRequestHead, _ caller: Caller, _ services: HostServices) -> Bool {
    let given = head.headers.all(header)
    guard given.count == 1 else { return false }
    return Logins.equal(Array(given[0].utf8), Array(caller.formToken(services).utf8))
  }

  private static func perform(
    _ action: ActionQueue.Action, _ caller: Caller, _ answer: HTTPAnswer, _ loop: HostLoop
  ) {
    let log = loop.services.log
    var fields: [LogField] = [("action", action.name)]
    if case .unquarantine(let provider) = action { fields.append(("provider", CallError.shortened(provider))) }
    fields += [("principal", caller.principal?.name ?? "anybody"), ("peer", "\(answer.peer)")]
    log.write(.info, "Action asked for", fields)
    let reply = Reply(answer)
    let isTaken = loop.services.monitor.actions.put(
      ActionQueue.Request(action: action) { [fields] report in
        log.write(
          report.isApplied ? .info : .warning, report.isApplied ? "Action done" : "Action failed",
          fields + [("lines", report.lines.joined(separator: "; "))])
        loop.post { reply.send(report) }
      })
    if !isTaken { answer.send(.error(503, "the host is shutting down or has other actions to do first")) }
  }

  private static func refuse(_ answer: HTTPAnswer, _ status: Int, _ reason: String, _ loop: HostLoop) {
    loop.warn("Refused an action", kind: "\(status)", [("reason", reason), ("peer", "\(answer.peer)")])
    answer.send(.error(status, reason))
  }

  /// An answer on its way to another thread and back.
  private final class Reply: @unchecked Sendable {  // Read and let go on the answer's loop only.
    private var answer: HTTPAnswer?

    init(_ answer: HTTPAnswer) { self.answer = answer }

    func send(_ report: ReloadReport) {
      let body = JSONValue.object([
        .init("done", .bool(report.isApplied)), .init("lines", .array(report.lines.map(JSONValue.string))),
      ])
      answer?.send(HTTPReply(status: 200, body: body.text + "\n", headers: [("Cache-Control", "no-store")]))
      answer = nil
    }
  }
}
