import Decisions

/// How a call that was admitted ended, as every face and metric names it.
enum CallOutcome: String, Sendable {
  /// The end was seen.
  case complete
  /// It ended without its end, after at least one piece of the answer.
  case truncated
  /// The client asked, or left.
  case cancelled
  /// Any other error, timeouts included.
  case failed
}

/// A call's conclusion in the words of its client: `CallMachine` decides, this says it.
struct CallEnding: Equatable {
  var outcome: CallOutcome
  var error: CallError?

  init(outcome: CallOutcome, error: CallError?) {
    self.outcome = outcome
    self.error = error
  }

  /// - Parameters:
  ///   - failure: how its last try failed.
  ///   - connect: the connect clock, in nanoseconds.
  ///   - textBytes: how much of the text had come.
  init(
    _ conclusion: CallMachine.Conclusion, failure: ProviderFailure?, provider: String, clocks: CallClocks.Limits,
    connect: UInt64, textBytes: Int, cancelMessage: String
  ) {
    switch conclusion {
    case .complete: self.init(outcome: .complete, error: nil)
    case .timedOut(let clock, let nanoseconds):
      self.init(timeout: clock, nanoseconds: nanoseconds, textBytes: textBytes)
    case .overdue:
      self.init(
        outcome: .failed, error: CallError(.internalError, "The host held the call past its deadline and ended it"))
    case .cancelled: self.init(outcome: .cancelled, error: CallError(.cancelled, cancelMessage))
    case .truncated, .failed:
      let failure = failure ?? ProviderFailure(status: ProviderStatus.internalFault, message: "no reason was given")
      if failure.status == ProviderStatus.timeout, let (clock, limit) = Self.clock(of: failure, clocks, connect) {
        self.init(timeout: clock, nanoseconds: limit, textBytes: textBytes)
      } else {
        let isPartial = conclusion == .truncated
        self.init(
          outcome: isPartial ? .truncated : .failed,
          error: CallError(failure: failure, provider: provider, isPartial: isPartial))
      }
    case .refused(let refusal): self.init(outcome: .failed, error: CallError(refusal, provider: provider))
    case .unavailable(.quarantined): self.init(outcome: .failed, error: .quarantined(provider: provider))
    case .unavailable(.breakerOpen(let wait)):
      self.init(outcome: .failed, error: .breakerOpen(provider: provider, retryAfterNanoseconds: wait))
    case .draining: self.init(outcome: .failed, error: .draining(provider: provider))
    }
  }

  /// A clock ran out.
  init(timeout clock: CallClocks.Clock, nanoseconds: UInt64, textBytes: Int) {
    let seconds = CallError.seconds(nanoseconds)
    let sentence =
      switch clock {
      case .connect: "no connection to the provider within \(seconds) s"
      case .firstToken: "the provider sent nothing of its answer within \(seconds) s"
      case .progress: "the provider's answer stood still for \(seconds) s"
      case .total: "the call took longer than its \(seconds) s"
      }
    self.init(
      outcome: .failed,
      error: CallError(
        .timeout, sentence,
        [
          ("clock", .string(clock.rawValue)), ("timeout_seconds", .milliseconds(nanoseconds / 1_000_000)),
          ("partial_text_bytes", .integer(Int64(textBytes))),
        ]))
  }

  private static func clock(of failure: ProviderFailure, _ limits: CallClocks.Limits, _ connect: UInt64)
    -> (CallClocks.Clock, UInt64)?
  {
    switch failure.clock {
    case .connect: (.connect, connect)
    case .firstByte: (.firstToken, limits.firstToken)
    case .idle: (.progress, limits.progress)
    case .total: (.total, limits.total)
    case .none: nil
    }
  }
}

extension ProviderEnd {
  /// nil: it ended as it should. Only an end that was seen does (DESIGN "Nothing lies").
  ///
  /// - Parameters:
  ///   - sawFinish: whether the provider reported the upstream's own end before.
  ///   - sawAnswer: whether any piece of the answer had come.
  func failure(sawFinish: Bool, sawAnswer: Bool) -> ProviderFailure? {
    switch self {
    case .succeeded where sawFinish: return nil
    case .succeeded:
      var failure = ProviderFailure(
        status: ProviderStatus.badResponse, message: "the answer ended without its end mark")
      failure.isRetryable = !sawAnswer
      return failure
    case .cancelled:
      return ProviderFailure(
        status: ProviderStatus.internalFault, message: "the provider gave the call up without being asked")
    case .failed(let failure): return failure
    }
  }
}

extension AttemptFailure {
  /// What decides, of what the provider said.
  init(_ failure: ProviderFailure) {
    let kind: Kind =
      switch failure.status {
      case _ where failure.isCrash: .crashed
      case ProviderStatus.concurrency: .crowded
      // A provider that says it will not help soon means a cap per day or longer.
      case ProviderStatus.rateLimited: failure.isRetryable == false ? .exhausted : .rateLimited
      case ProviderStatus.quota: .quota
      case ProviderStatus.auth, ProviderStatus.permission: .key
      case ProviderStatus.overloaded: .overloaded
      case ProviderStatus.timeout: .timedOut
      case ProviderStatus.network, ProviderStatus.upstream, ProviderStatus.badResponse: .unwell
      case ProviderStatus.internalFault: .fault
      default: .request
      }
    self.init(
      kind, isRetryable: failure.isRetryable, retryAfterNanoseconds: failure.retryAfterNanoseconds)
  }
}
