import Decisions

/// The Core's figures as metrics: permits, breakers, clients.
struct CoreFamilies {
  private typealias Declared = DeclaredMetrics

  private let reading: Core.Reading
  private let providers: [ShownProvider]
  private let memory: HeldMemory

  init(_ reading: Core.Reading, _ providers: [ShownProvider], _ memory: HeldMemory) {
    self.reading = reading
    self.providers = providers.filter { reading.providers.indices.contains($0.number) }
    self.memory = memory
  }

  func collect(into snapshot: inout MetricSnapshot) {
    addPermits(&snapshot)
    addProviders(&snapshot)
    addWorkers(&snapshot)
    snapshot.add(Declared.sessions, Double(reading.sessions))
    snapshot.add(Declared.sessionsLimit, Double(reading.sessionsLimit))
    snapshot.add(Declared.connections, Double(reading.connections))
    snapshot.add(Declared.connectionsLimit, Double(reading.connectionsLimit))
    snapshot.add(Declared.bufferedBytes, Double(memory.heldBytes))
  }

  private func addPermits(_ snapshot: inout MetricSnapshot) {
    each(Declared.permitsLimit, &snapshot) { Double($0.limit) }
    each(Declared.permitsInFlight, &snapshot) { Double($0.inFlight) }
    each(Declared.permitsQueued, &snapshot) { Double($0.queued) }
    each(Declared.permitsOverdue, &snapshot) { Double($0.overdue) }
    each(Declared.acquisitions, &snapshot) { Double($0.counters.acquisitions) }
    each(Declared.releases, &snapshot) { Double($0.counters.releases) }
    each(Declared.exhaustions, &snapshot) { Double($0.counters.exhaustions) }
    snapshot.add(Declared.hostPermitsLimit, Double(reading.globalLimit))
    snapshot.add(Declared.hostPermitsInFlight, Double(reading.inFlight))
    snapshot.add(Declared.hostPermitsQueued, Double(reading.queued))
    snapshot.add(Declared.hostPermitsOverdue, Double(reading.overdueLeases))
  }

  private func addProviders(_ snapshot: inout MetricSnapshot) {
    each(Declared.breakerState, &snapshot) { provider in
      switch provider.breaker {
      case .closed: 0
      case .open: 1
      case .halfOpen: 2
      }
    }
    each(Declared.breakerOpens, &snapshot) { Double($0.counters.breakerOpens) }
    each(Declared.upstreamAttempts, &snapshot) { Double($0.attempts) }
    for provider in providers {
      snapshot.add(Declared.pluginGeneration, Double(provider.generation), labels: [provider.id])
    }
  }

  private func addWorkers(_ snapshot: inout MetricSnapshot) {
    for provider in providers {
      guard let worker = provider.worker else { continue }
      let restarts = provider.earlierRestarts &+ worker.restarts
      snapshot.add(Declared.workerRestarts, Double(restarts), labels: [provider.id])
      snapshot.add(Declared.workerQuarantined, worker.isQuarantined ? 1 : 0, labels: [provider.id])
      if worker.pid != 0, let bytes = ProcessFigures.residentBytes(of: worker.pid) {
        snapshot.add(Declared.workerResident, Double(bytes), labels: [provider.id])
      }
    }
  }

  /// One series for each provider.
  private func each(
    _ declaration: MetricDeclaration, _ snapshot: inout MetricSnapshot, _ figure: (Core.ProviderReading) -> Double
  ) {
    guard !providers.isEmpty else { return }
    var family = MetricSnapshot.Family(declaration)
    family.series = providers.map { provider in
      .init(
        labels: [.init(name: "provider", value: provider.id)],
        value: .number(figure(reading.providers[provider.number])))
    }
    snapshot.families.append(family)
  }
}
