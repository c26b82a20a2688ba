import Decisions

/// Rates kept the plain way, with fractions of tokens, to hold `RateLimits` against.
struct RateMeters {
  /// Rounding of the intervals may cost or give so much of a token.
  private static let tolerance = 0.01

  private var principals = [Double](repeating: .infinity, count: World.principals)
  private var addresses = [Double](repeating: .infinity, count: World.addresses)
  private var global = Double.infinity
  private var filledAt = Instant(nanoseconds: 0)

  mutating func fill(now: Instant, _ rates: RateLimits.Policy) {
    let seconds = Double(now.nanoseconds(since: filledAt)) / 1e9
    filledAt = now
    func filled(_ tokens: Double, _ rate: TokenBucket.Rate?) -> Double {
      rate.map { min(Double($0.burst), tokens + seconds * Double($0.perSecond)) } ?? .infinity
    }
    principals = principals.map { filled($0, rates.principal) }
    addresses = addresses.map { filled($0, rates.address) }
    global = filled(global, rates.global)
  }

  /// Whether all three surely have a token, and whether they perhaps have one.
  func hasToken(principal: Int, address: Int, _ rates: RateLimits.Policy) -> (surely: Bool, perhaps: Bool) {
    let least = min(principals[principal], addresses[address], global)
    return (least >= 1 + Self.tolerance, least >= 1 - Self.tolerance)
  }

  mutating func take(principal: Int, address: Int) {
    principals[principal] -= 1
    addresses[address] -= 1
    global -= 1
  }
}
