/// How one try of a call failed: what decides about another try and about the provider. The words are kept elsewhere.
package struct AttemptFailure: Equatable, Sendable {
  /// What kind of trouble it is. The table of what follows is `mayHelp` and `verdict`.
  package enum Kind: String, Sendable, CaseIterable {
    /// Too many of our calls in flight there.
    case crowded
    /// Too many requests or tokens in a short window.
    case rateLimited = "rate_limited"
    /// A cap per day or longer.
    case exhausted
    /// Busy for everyone.
    case overloaded
    /// No connection, 5xx, an answer that breaks its own format.
    case unwell
    /// Nothing came in time.
    case timedOut = "timed_out"
    /// Money or plan.
    case quota
    /// The key is refused.
    case key
    /// The request itself is the fault.
    case request
    /// The plugin's own fault.
    case fault
    /// The process that the plugin ran in has ended; another takes its place. It says nothing of the service.
    case crashed
  }

  package var kind: Kind
  /// The provider's own word on another try; nil: it said nothing.
  package var isRetryable: Bool?
  /// Nanoseconds; 0: the provider gave no time.
  package var retryAfterNanoseconds: UInt64

  package init(_ kind: Kind, isRetryable: Bool? = nil, retryAfterNanoseconds: UInt64 = 0) {
    self.kind = kind
    self.isRetryable = isRetryable
    self.retryAfterNanoseconds = retryAfterNanoseconds
  }

  /// Whether the same provider may be asked again, and whether another may.
  package var mayHelp: (again: Bool, elsewhere: Bool) {
    let byKind: (again: Bool, elsewhere: Bool) =
      switch kind {
      case .crowded, .rateLimited, .overloaded, .unwell, .timedOut, .crashed: (true, true)
      case .exhausted, .quota, .key: (false, true)
      case .request, .fault: (false, false)
      }
    return (isRetryable ?? byKind.again, byKind.elsewhere)
  }

  /// What it tells about the provider.
  package var verdict: Verdict {
    switch kind {
    case .crowded: .crowded
    case .exhausted: .exhausted(retryAfterNanoseconds: retryAfterNanoseconds)
    case .overloaded, .unwell, .timedOut, .quota, .key, .fault: .failure(retryAfterNanoseconds: retryAfterNanoseconds)
    case .rateLimited, .request, .crashed: .neutral
    }
  }
}
