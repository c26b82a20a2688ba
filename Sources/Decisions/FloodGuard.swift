/// How often one connection may send what costs work and asks for nothing: control frames, and messages that are no
/// request. Requests are not counted here; `rates` are for those.
package struct FloodGuard: Equatable, Sendable {
  /// Far beyond what a client does that is only wrong, far below what keeps a loop busy.
  package static let rate = TokenBucket.Rate(burst: 256, perSecond: 32)

  private var bucket = TokenBucket()

  package init() {}

  /// false: it was one too many.
  package mutating func take(now: Instant) -> Bool { bucket.take(Self.rate, now: now) == nil }
}
