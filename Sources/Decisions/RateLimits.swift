/// How many messages are taken from one address, one principal and all together. A message that a later bucket refuses
/// gets the tokens of the earlier ones back.
package struct RateLimits {
  /// nil: unlimited.
  package struct Policy: Equatable, Sendable {
    package var principal: TokenBucket.Rate?
    package var address: TokenBucket.Rate?
    package var global: TokenBucket.Rate?

    package init(
      principal: TokenBucket.Rate? = nil, address: TokenBucket.Rate? = nil, global: TokenBucket.Rate? = nil
    ) {
      self.principal = principal
      self.address = address
      self.global = global
    }

    package var isUnlimited: Bool { principal == nil && address == nil && global == nil }
  }

  package enum Scope: String, Sendable { case address, principal, global }

  package struct Refusal: Equatable, Sendable {
    package var scope: Scope
    package var rate: TokenBucket.Rate
    package var retryAfterNanoseconds: UInt64
  }

  /// Addresses whose buckets are kept; beyond, those that are full again are forgotten, and if none is, only the other
  /// buckets count.
  static let addressLimit = 65_536

  private(set) var policy: Policy
  private var global = TokenBucket()
  private var principals: [TokenBucket] = []
  private var addresses: [Census.Address: TokenBucket] = [:]

  package init(_ policy: Policy = Policy()) { self.policy = policy }

  var addressCount: Int { addresses.count }

  /// What was taken under another policy is forgotten.
  mutating func setPolicy(_ policy: Policy) {
    guard policy != self.policy else { return }
    self = RateLimits(policy)
  }

  /// Takes a token of each bucket, or none and says which has none.
  ///
  /// - Parameters:
  ///   - principal: its number; nil: there are none, everybody is one.
  ///   - address: nil for a unix peer.
  package mutating func take(principal: Int?, address: Census.Address?, now: Instant) -> Refusal? {
    if let refusal = takeOfAddress(address, now: now) { return refusal }
    let number = principal ?? 0
    if let rate = policy.principal {
      while principals.count <= number { principals.append(TokenBucket()) }
      if let wait = principals[number].take(rate, now: now) {
        refundAddress(address)
        return Refusal(scope: .principal, rate: rate, retryAfterNanoseconds: wait)
      }
    }
    if let rate = policy.global, let wait = global.take(rate, now: now) {
      refundAddress(address)
      if let own = policy.principal { principals[number].refund(own) }
      return Refusal(scope: .global, rate: rate, retryAfterNanoseconds: wait)
    }
    return nil
  }

  private mutating func takeOfAddress(_ address: Census.Address?, now: Instant) -> Refusal? {
    guard let rate = policy.address, let address else { return nil }
    if addresses[address] == nil, addresses.count >= Self.addressLimit {
      forgetFullBuckets(now: now)
      guard addresses.count < Self.addressLimit else { return nil }
    }
    guard let wait = addresses[address, default: TokenBucket()].take(rate, now: now) else { return nil }
    return Refusal(scope: .address, rate: rate, retryAfterNanoseconds: wait)
  }

  private mutating func refundAddress(_ address: Census.Address?) {
    guard let rate = policy.address, let address else { return }
    addresses[address]?.refund(rate)
  }

  /// A full bucket is equal to none. (Which are removed does not depend on the dictionary's order.)
  mutating func forgetFullBuckets(now: Instant) {
    addresses = addresses.filter { !$0.value.isFull(now: now) }
  }
}
