import Decisions

/// All that health goes by, at one moment, as plain values: what can be read at once, and what the observer found at its
/// last look.
struct HealthFacts: Sendable {
  /// One provider that is offered.
  struct Provider: Sendable {
    var id: String
    var figures: Core.ProviderReading
    var models: Int
    var generation: Int
    /// nil: it runs in the host's own process.
    var worker: Worker?
    /// Its plugin is in quarantine: it will not serve again by itself.
    var isSpent: Bool

    /// Calls that it had no permit for.
    var ownExhaustions: UInt64 { figures.counters.exhaustions &- figures.counters.hostExhaustions }
  }

  /// What is told of a provider's worker process.
  struct Worker: Sendable, Equatable {
    /// 0: none runs at this moment.
    var pid: Int32
    /// How often one has ended without being asked to.
    var ends: UInt64
    /// By what the last did; "": none has.
    var lastEnd = ""
  }

  /// How a component that others keep is.
  struct Part: Sendable, Equatable {
    var isHealthy: Bool
    var message: String
    var remedy: String
  }

  /// What the observer found.
  struct Surroundings: Sendable {
    var disks: [DiskFigures] = []
    /// For how long the disks have not answered, in seconds; 0: they have.
    var diskSilenceSeconds: UInt64 = 0
    /// Of the host's own process; nil: not known yet.
    var process: ProcessMemory?
    /// By provider.
    var workers: [String: ProcessMemory] = [:]
    /// By their index.
    var loops: [LoopPulse.Figures] = []
    /// nil: nothing is kept.
    var storage: Part?
    var storageQueue: (used: Int, limit: Int)?
    var log: Part?
    var webhook: AlertWebhook.Figures?
  }

  var reading: Core.Reading
  /// Every loop knows which models there are.
  var isRouted: Bool
  var providers: [Provider]
  /// Those that could not be made.
  var refused: [ProviderRefusal]
  var refusedUpdates: [RefusedUpdate]
  var heldBytes: Int
  var heldBytesLimit: Int
  /// How often connections were closed, or looked through for it, because too much was held.
  var reliefs: UInt64
  var surroundings: Surroundings
  /// What is wrong with the configuration that was to be loaded last; empty: it is in force.
  var refusedReload: [String] = []

  var serving: [Provider] { providers.filter { !$0.isSpent } }
  var isReady: Bool { isRouted && !reading.isDraining && !serving.isEmpty }

  var state: String {
    if reading.isDraining { return "draining" }
    if !isRouted { return "starting" }
    return serving.isEmpty ? "no provider is active" : "running"
  }

  /// A loop stands still for so long that only a restart helps.
  static let deadLoopNanoseconds: UInt64 = 10_000_000_000
  /// It is slower than a host should be.
  static let slowLoopNanoseconds: UInt64 = 1_000_000_000

  var isLive: Bool { surroundings.loops.allSatisfy { $0.standstillNanoseconds < Self.deadLoopNanoseconds } }
}

/// A process's memory and how it grows.
struct ProcessMemory: Sendable, Equatable {
  var pid: Int32
  var residentBytes: Int
  /// nil: a minute of samples is not there yet.
  var growth: MemoryGrowth.Growth?
  /// From the first sample to the last.
  var sampledSeconds: UInt64
}
