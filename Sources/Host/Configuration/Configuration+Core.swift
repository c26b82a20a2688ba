import Decisions

// The settings that the decision core goes by.
extension Configuration {
  var coreSettings: Core.Settings {
    Core.Settings(
      inFlight: limits.inFlight, sessionInFlight: limits.sessionInFlight,
      census: Census.Limits(
        connections: limits.connections, connectionsPerAddress: limits.connectionsPerAddress,
        sessions: limits.sessions),
      breaker: Decisions.Breaker.Policy(
        failures: breaker.failures, openNanoseconds: breaker.openMilliseconds * 1_000_000),
      rates: RateLimits.Policy(
        principal: rates.principal?.tokenRate, address: rates.address?.tokenRate, global: rates.global?.tokenRate))
  }

  /// With what each principal may, by the number it has in this host.
  func coreSettings(_ principals: Principals) -> Core.Settings {
    var settings = coreSettings
    let limits = Dictionary(
      auth.principals.map { ($0.name, PrincipalLimit(inFlight: $0.limits.inFlight, sessions: $0.limits.sessions)) },
      uniquingKeysWith: { first, _ in first })
    settings.principals = principals.names.map { limits[$0] ?? PrincipalLimit() }
    return settings
  }

  var retryPolicy: RetryPolicy {
    RetryPolicy(
      attempts: retry.attempts, budgetNanoseconds: retry.budgetMilliseconds * 1_000_000,
      backoffNanoseconds: retry.backoffMilliseconds * 1_000_000)
  }

  /// What a provider may have at once: as configured, else as its plugin suggests, else what the host may.
  func limit(of information: ProviderInformation) -> Admission.ProviderLimit {
    let settings = providers.first { $0.id == information.id }?.limits
    let suggested = information.defaultLimit > 0 ? information.defaultLimit : limits.inFlight
    return Admission.ProviderLimit(
      inFlight: settings?.inFlight ?? suggested, queued: settings?.queued ?? 0,
      isAdaptive: settings?.isAdaptive ?? false)
  }
}

extension Configuration.Rates.Rate {
  fileprivate var tokenRate: TokenBucket.Rate { TokenBucket.Rate(burst: burst, perSecond: perSecond) }
}
