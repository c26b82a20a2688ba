import Decisions
import JSON
import Testing

@testable import Host

private let limits = CallClocks.Limits(
  firstToken: 60_000_000_000, progress: 45_000_000_000, total: 180_000_000_000, heartbeat: 8_000_000_000)

/// What a call with one try concludes from how its provider ended it.
private func ending(_ end: ProviderEnd, sawFinish: Bool = false, sawAnswer: Bool = false, textBytes: Int = 0)
  -> CallEnding
{
  let now = Instant(nanoseconds: 1)
  var machine = CallMachine(
    clocks: limits, policy: RetryPolicy(attempts: 1, budgetNanoseconds: 0, backoffNanoseconds: 0), models: 1,
    queueNanoseconds: 0, now: now)
  _ = machine.admitted(now: now)
  if sawAnswer { machine.answered(now: now) }
  let failure = end.failure(sawFinish: sawFinish, sawAnswer: sawAnswer)
  let action =
    if let failure {
      machine.failed(AttemptFailure(failure), isAvailable: true, now: now, random: 0)
    } else {
      machine.finished()
    }
  guard case .end(let conclusion) = action else { preconditionFailure("the call goes on: \(action)") }
  return CallEnding(
    conclusion, failure: failure, provider: "kimi", clocks: limits, connect: 10_000_000_000, textBytes: textBytes,
    cancelMessage: "")
}

private func timeout(_ clock: ProviderFailure.Clock) -> ProviderEnd {
  var failure = ProviderFailure(status: ProviderStatus.timeout, message: "slow")
  failure.clock = clock
  return .failed(failure)
}

extension CallError {
  subscript(_ name: String) -> DetailValue? { details.first { $0.name == name }?.value }
}

struct CallOutcomeTests {
  @Test func `only an end that was seen is complete`() {
    #expect(ending(.succeeded, sawFinish: true, sawAnswer: true) == CallEnding(outcome: .complete, error: nil))
    #expect(ending(.succeeded, sawFinish: true) == CallEnding(outcome: .complete, error: nil))
  }

  @Test func `a success without the end is truncated after a piece, and failed before any`() throws {
    let truncated = ending(.succeeded, sawAnswer: true)
    #expect(truncated.outcome == .truncated)
    #expect(truncated.error?.code == .providerError)
    #expect(truncated.error?["partial"] == .bool(true))
    #expect(truncated.error?["retryable"] == .bool(false))
    let failed = ending(.succeeded)
    #expect(failed.outcome == .failed)
    #expect(failed.error?.code == .providerError)
    #expect(failed.error?["partial"] == .bool(false))
    #expect(failed.error?["retryable"] == .bool(true))
  }

  @Test func `a provider that gives up unasked has failed, and is not called cancelled`() {
    #expect(ending(.cancelled).outcome == .failed)
    #expect(ending(.cancelled, sawAnswer: true).outcome == .truncated)
    #expect(ending(.cancelled, sawFinish: true, sawAnswer: true).error?.code == .providerError)
  }

  @Test func `a failure is truncated after a piece, and failed before any`() {
    let failure = ProviderFailure(status: ProviderStatus.network, message: "reset by peer")
    #expect(ending(.failed(failure)).outcome == .failed)
    #expect(ending(.failed(failure), sawAnswer: true).outcome == .truncated)
    #expect(ending(.failed(failure), sawAnswer: true).error?["partial"] == .bool(true))
  }

  @Test(
    arguments: [
      (ProviderFailure.Clock.connect, "connect", 10_000 as UInt64), (.firstByte, "first_token", 60_000),
      (.idle, "progress", 45_000), (.total, "total", 180_000),
    ])
  func `an upstream clock becomes the call's own, with its limit`(
    clock: ProviderFailure.Clock, name: String, milliseconds: UInt64
  ) {
    let ending = ending(timeout(clock), sawAnswer: true, textBytes: 12)
    #expect(ending.outcome == .failed)
    #expect(ending.error?.code == .timeout)
    #expect(ending.error?["clock"] == .string(name))
    #expect(ending.error?["timeout_seconds"] == .milliseconds(milliseconds))
    #expect(ending.error?["partial_text_bytes"] == .integer(12))
    #expect(ending.error?.message.contains("\(milliseconds / 1000) s") == true)
  }

  @Test func `a timeout on no clock of ours is the provider's error`() {
    #expect(ending(timeout(.none)).error?.code == .providerError)
  }

  @Test func `each clock has its own sentence`() {
    let sentences = [CallClocks.Clock.connect, .firstToken, .progress, .total].map {
      CallEnding(timeout: $0, nanoseconds: 1_500_000_000, textBytes: 0).error?.message ?? ""
    }
    #expect(Set(sentences).count == 4)
    #expect(sentences.allSatisfy { $0.contains("1.5 s") })
  }
}
