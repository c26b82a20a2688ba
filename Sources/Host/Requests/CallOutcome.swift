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

/// Decides the outcome from how the provider ended the call (DESIGN "Nothing lies"): only an end that was seen is
/// complete.
struct CallEnding: Equatable {
  var outcome: CallOutcome
  var error: CallError?

  /// - Parameters:
  ///   - end: what the provider said.
  ///   - sawFinish: whether it reported the upstream's own end before.
  ///   - sawAnswer: whether any piece of the answer had come.
  init(
    of end: ProviderEnd, sawFinish: Bool, sawAnswer: Bool, provider: String, clocks: CallClocks.Limits, connect: UInt64,
    textBytes: Int
  ) {
    switch end {
    case .succeeded where sawFinish:
      self.init(outcome: .complete, error: nil)
    case .succeeded:
      var failure = ProviderFailure(
        status: ProviderStatus.badResponse, message: "the answer ended without its end mark")
      failure.isRetryable = !sawAnswer
      self.init(of: failure, sawAnswer: sawAnswer, provider: provider)
    case .cancelled:
      let failure = ProviderFailure(
        status: ProviderStatus.internalFault, message: "the provider gave the call up without being asked")
      self.init(of: failure, sawAnswer: sawAnswer, provider: provider)
    case .failed(let failure):
      if failure.status == ProviderStatus.timeout, let (clock, limit) = Self.clock(of: failure, clocks, connect) {
        self.init(timeout: clock, nanoseconds: limit, textBytes: textBytes)
      } else {
        self.init(of: failure, sawAnswer: sawAnswer, provider: provider)
      }
    }
  }

  init(outcome: CallOutcome, error: CallError?) {
    self.outcome = outcome
    self.error = error
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

  private init(of failure: ProviderFailure, sawAnswer: Bool, provider: String) {
    self.init(
      outcome: sawAnswer ? .truncated : .failed,
      error: CallError(failure: failure, provider: provider, isPartial: sawAnswer))
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
