@testable import Decisions
import JSON
import ProviderContract
import Testing

@testable import Host

private func transition(_ severity: AlertBook.Transition.Severity, at: UInt64 = 5) -> AlertBook.Transition {
  AlertBook.Transition(at: at, name: "disk", subject: "/", severity: severity, message: "full", remedy: "free some")
}

/// A webhook on a loop that the test turns, whose upstream the test plays.
private final class WebhookBench {
  let bench: HostBench
  let upstream = ScriptedUpstream()
  let webhook: AlertWebhook

  init(_ settings: AlertWebhook.Settings? = .init(url: "https://alerts.example/path", token: Secret(value: "12345678")))
    throws
  {
    bench = try HostBench()
    webhook = AlertWebhook(loop: bench.eventLoop, client: upstream, log: bench.services.log, version: "9.9.9")
    let webhook = self.webhook
    bench.run { webhook.adopt(settings) }
  }

  func send(_ transitions: [AlertBook.Transition]) {
    let webhook = self.webhook
    bench.run { webhook.send(transitions) }
  }

  /// The oldest exchange that has no answer yet ends so.
  func answer(_ status: UInt32, _ failure: ProviderFailure? = nil) {
    let number = UInt64(upstream.delegates.count)
    let delegate = upstream.delegates[upstream.delegates.count - 1]
    bench.run {
      delegate.upstreamComplete(
        UpstreamExchangeID(rawValue: number), UpstreamResult(failure: failure, httpStatus: status))
    }
  }
}

struct AlertWebhookTests {
  @Test func `an alert is a POST with its members and the token`() throws {
    let hook = try WebhookBench()
    hook.send([transition(.critical)])
    let request = try #require(hook.upstream.requests.first)
    #expect(request.method == "POST" && request.url == "https://alerts.example/path")
    #expect(request.credential?.name == "Authorization" && request.credential?.value == "Bearer 12345678")
    #expect(request.connectTimeout > 0 && request.totalTimeout > 0)
    let body = try JSONValue(parsing: String(decoding: request.body, as: UTF8.self))
    #expect(body["severity"]?.string == "critical" && body["name"]?.string == "disk" && body["at"]?.integer == 5)
    #expect(
      body["subject"]?.string == "/" && body["message"]?.string == "full" && body["remedy"]?.string == "free some")
    #expect(body["source"]?.string == "patchbay" && body["version"]?.string == "9.9.9")
  }

  @Test func `the next goes when the one before it was delivered`() throws {
    let hook = try WebhookBench()
    hook.send([transition(.warning), transition(.critical)])
    #expect(hook.upstream.requests.count == 1 && hook.webhook.figures?.queued == 2)
    hook.answer(204)
    #expect(hook.upstream.requests.count == 2 && hook.webhook.figures?.delivered == 1)
    hook.answer(200)
    #expect(hook.webhook.figures == AlertWebhook.Figures(delivered: 2))
  }

  @Test(arguments: [(199, false), (200, true), (299, true), (300, false)] as [(UInt32, Bool)])
  func `what counts as delivered`(status: UInt32, isDelivered: Bool) throws {
    let hook = try WebhookBench()
    hook.send([transition(.warning)])
    hook.answer(status)
    #expect((hook.webhook.figures?.delivered == 1) == isDelivered)
  }

  @Test(
    arguments: [(407, 0), (408, 1), (409, 0), (428, 0), (429, 1), (430, 0), (499, 0), (500, 1), (503, 1)]
      as [(UInt32, Int)])
  func `a refusal that another try would not change is dropped`(status: UInt32, stays: Int) throws {
    let hook = try WebhookBench()
    hook.send([transition(.warning)])
    hook.answer(status)
    let figures = try #require(hook.webhook.figures)
    #expect(figures.queued == stays && figures.dropped == UInt64(1 - stays) && figures.failures == 1)
    #expect(figures.lastError.contains("\(status)") && !figures.lastError.contains("alerts.example/path"))
  }

  @Test func `a failure waits for its time and then sends the same`() throws {
    let hook = try WebhookBench()
    hook.send([transition(.warning)])
    hook.answer(0, ProviderFailure(status: 5, message: "alerts.example:443: refused"))
    #expect(hook.upstream.requests.count == 1 && hook.webhook.figures?.lastError == "alerts.example:443: refused")
    try hook.bench.wait { hook.upstream.requests.count == 2 }
    #expect(hook.upstream.requests[0].body == hook.upstream.requests[1].body)
  }

  @Test func `a client that makes no exchange is a failure as any`() throws {
    let hook = try WebhookBench()
    hook.upstream.refusal = ProviderFailure(status: 5, message: "no HTTP library")
    hook.send([transition(.warning)])
    #expect(hook.webhook.figures?.failures == 1 && hook.webhook.figures?.lastError == "no HTTP library")
  }

  @Test func `without one nothing is sent or kept, and one that is taken away is forgotten`() throws {
    let none = try WebhookBench(nil)
    none.send([transition(.warning)])
    #expect(none.upstream.requests.isEmpty && none.webhook.figures == nil)
    let hook = try WebhookBench()
    hook.send([transition(.warning), transition(.critical)])
    hook.bench.run { [webhook = hook.webhook] in webhook.adopt(nil) }
    hook.answer(204)
    hook.send([transition(.info)])
    #expect(hook.upstream.requests.count == 1 && hook.webhook.figures == nil)
    #expect(hook.upstream.words == ["cancel 1"])
  }

  @Test func `other settings take what is under way over`() throws {
    let hook = try WebhookBench()
    hook.send([transition(.warning)])
    hook.bench.run { [webhook = hook.webhook] in webhook.adopt(.init(url: "http://other.example/")) }
    #expect(hook.upstream.words == ["cancel 1"])
    try hook.bench.wait { hook.upstream.requests.count == 2 }
    #expect(hook.upstream.requests[1].url == "http://other.example/" && hook.upstream.requests[1].credential == nil)
    #expect(hook.upstream.requests[0].body == hook.upstream.requests[1].body)
  }

  @Test(arguments: [(2, false), (3, true)])
  func `three failures in a row are told`(failures: Int, isFailing: Bool) {
    #expect(AlertWebhook.Figures(failures: failures).isFailing == isFailing)
  }
}
