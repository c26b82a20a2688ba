import Decisions

/// The counts of one series of requests on one loop.
///
/// One block: outcomes, tokens, errors by code, then the histograms. Of a call that ends only the words that it changes
/// are touched. The durations are kept apart by error code, which OpenTelemetry asks for; ours are their sum.
/// Thread: the loop's, but for reading.
struct RequestCells {
  /// Where each count lies in the block.
  enum Place {
    static let outcomes = 0
    static let inputTokens = outcomes + RequestOutcome.allCases.count
    static let outputTokens = inputTokens + 1
    static let errors = outputTokens + 1
    static let firstToken = errors + ErrorCode.allCases.count
    static let interChunk = firstToken + BucketBounds.firstToken.words
    static let queueWait = interChunk + BucketBounds.interChunk.words
    static let cancel = queueWait + BucketBounds.queueWait.words
    static let perToken = cancel + BucketBounds.cancel.words
    static let inputUsage = perToken + BucketBounds.perToken.words
    static let outputUsage = inputUsage + BucketBounds.tokens.words
    /// Of what ended without an error, then for each code.
    static let durations = outputUsage + BucketBounds.tokens.words
    static let words = durations + (1 + ErrorCode.allCases.count) * BucketBounds.duration.words

    static func duration(_ code: ErrorCode?) -> Int {
      durations + (code.map { 1 + $0.place } ?? 0) * BucketBounds.duration.words
    }
  }

  let cells: MetricCells

  @inline(__always)
  func count(_ outcome: RequestOutcome, _ code: ErrorCode?, times: UInt64 = 1) {
    cells.add(times, at: Place.outcomes + outcome.place)
    if let code { count(code, times: times) }
  }

  func count(_ code: ErrorCode, times: UInt64 = 1) { cells.add(times, at: Place.errors + code.place) }

  /// No answer has more tokens; a plugin may say any number, and a counter that wraps would go back.
  static let tokensLimit: UInt64 = 1 << 40

  /// What a provider reported of a try.
  func count(_ usage: TokenUsage, isChat: Bool) {
    let (input, output) = (min(usage.inputTokens, Self.tokensLimit), min(usage.outputTokens, Self.tokensLimit))
    cells.add(input, at: Place.inputTokens)
    cells.add(output, at: Place.outputTokens)
    guard isChat else { return }
    cells.observe(input, at: Place.inputUsage, .tokens)
    cells.observe(output, at: Place.outputUsage, .tokens)
  }

  /// - Parameter nanoseconds: from the valid request to its last frame.
  func ended(_ outcome: RequestOutcome, _ code: ErrorCode?, nanoseconds: UInt64) {
    count(outcome, code)
    cells.observe(nanoseconds, at: Place.duration(code), .duration)
  }

  func firstToken(nanoseconds: UInt64) { cells.observe(nanoseconds, at: Place.firstToken, .firstToken) }
  func gap(nanoseconds: UInt64) { cells.observe(nanoseconds, at: Place.interChunk, .interChunk) }
  func waited(nanoseconds: UInt64) { cells.observe(nanoseconds, at: Place.queueWait, .queueWait) }
  func cancelled(nanoseconds: UInt64) { cells.observe(nanoseconds, at: Place.cancel, .cancel) }
  func perToken(nanoseconds: UInt64) { cells.observe(nanoseconds, at: Place.perToken, .perToken) }
}

extension ErrorCode {
  /// Its place among the counts of errors.
  var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
