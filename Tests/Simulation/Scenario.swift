import Decisions

/// The settings of one simulated host and its world, drawn from a seed: tight, so that every limit is met often.
struct Scenario {
  let seed: UInt64
  var loops: Int
  var clients: Int
  var inFlight: Int
  var sessionInFlight: Int
  var census: Census.Limits
  var providers: [Admission.ProviderLimit]
  var breaker: Breaker.Policy
  var retry: RetryPolicy
  var rates: RateLimits.Policy
  var clocks: CallClocks.Limits
  var queueNanoseconds: UInt64
  var keepNanoseconds: UInt64
  var keepBytes: Int
  var idleNanoseconds: UInt64
  /// Between two requests of a client, in milliseconds.
  var pauseMilliseconds: UInt64
  /// How many models may answer each request: the asked one and those after it.
  var models: Int
  var principals: [PrincipalLimit]

  init(seed: UInt64) {
    var chance = Generator(seed: seed ^ 0x5CE9_A210)
    self.seed = seed
    loops = chance.between(1, 4)
    clients = chance.between(10, 30)
    inFlight = chance.between(3, 12)
    sessionInFlight = chance.between(1, 4)
    census = Census.Limits(
      connections: clients - chance.between(0, 2), connectionsPerAddress: chance.between(4, 40),
      sessions: max(2, clients - chance.between(0, 4)))
    providers = (0..<chance.between(1, 3)).map { _ in
      Admission.ProviderLimit(
        inFlight: chance.between(1, 6), queued: chance.between(0, 6), isAdaptive: chance.once(in: 2))
    }
    breaker = Breaker.Policy(
      failures: chance.between(1, 5), openNanoseconds: chance.milliseconds(1_000, 120_000))
    retry = RetryPolicy(
      attempts: chance.between(1, 4), budgetNanoseconds: chance.milliseconds(0, 40_000),
      backoffNanoseconds: chance.milliseconds(1, 2_000))
    func rate(_ chance: inout Generator) -> TokenBucket.Rate? {
      chance.once(in: 2)
        ? TokenBucket.Rate(burst: chance.between(2, 20), perSecond: chance.between(1, 8)) : nil
    }
    rates =
      chance.once(in: 3)
      ? RateLimits.Policy(principal: rate(&chance), address: rate(&chance), global: rate(&chance))
      : RateLimits.Policy()
    clocks = CallClocks.Limits(
      firstToken: chance.milliseconds(2_000, 10_000), progress: chance.milliseconds(2_000, 10_000),
      total: chance.milliseconds(8_000, 40_000), heartbeat: chance.milliseconds(1_000, 8_000))
    queueNanoseconds = chance.milliseconds(0, 6_000)
    keepNanoseconds = chance.once(in: 4) ? 0 : chance.milliseconds(1_000, 600_000)
    keepBytes = chance.between(20_000, 400_000)
    idleNanoseconds = chance.milliseconds(5_000, 300_000)
    pauseMilliseconds = UInt64(chance.between(2_000, 9_000))
    models = providers.count == 1 || chance.once(in: 2) ? 1 : chance.between(2, providers.count)
    principals = Self.principals(&chance)
  }

  static func principals(_ chance: inout Generator) -> [PrincipalLimit] {
    (0..<World.principals).map { _ in
      PrincipalLimit(
        inFlight: chance.once(in: 2) ? chance.between(1, 6) : nil,
        sessions: chance.once(in: 2) ? chance.between(1, 4) : nil)
    }
  }

  var settings: Core.Settings {
    Core.Settings(
      inFlight: inFlight, sessionInFlight: sessionInFlight, census: census, breaker: breaker, rates: rates,
      principals: principals)
  }
}
