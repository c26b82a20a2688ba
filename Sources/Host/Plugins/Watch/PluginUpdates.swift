import Decisions
internal import ProviderContract
internal import Synchronization

/// Takes changed plugin files in force while the host runs.
///
/// | state    | event                      | then                                                                  |
/// |----------|----------------------------|-----------------------------------------------------------------------|
/// | idle     | files changed              | scanning: a thread of its own looks at them, in child processes        |
/// | scanning | files changed              | scanning: once more when this scan is done                             |
/// | scanning | the scan is done           | new instances are made; proving when one has a canary, else adopted    |
/// | proving  | every canary has ended     | adopted; whoever failed is taken back for what served before           |
/// | proving  | files changed, or a reload | the new instances end, and it begins anew                              |
/// | any      | the host stops             | the scan ends without a child left, the new instances end              |
///
/// Thread: the control thread's; scans and canaries hand their results over through `inbox` and wake it.
final class PluginUpdates: @unchecked Sendable {  // confined to the control thread, but for the inbox
  private enum State {
    case idle
    /// `end` tells that the scan's thread has no child any more.
    case scanning(again: Bool, end: Latch<Void>)
    case proving(Proof)
  }

  /// New instances whose canaries run.
  private struct Proof {
    var renewal: Renewal
    /// What it was made from.
    var previous: ProviderRegistry
    /// Tells its results from those of a proof that was abandoned.
    var number: Int
    var outstanding: Set<Int>
    var failures: [Int: PluginFault] = [:]
  }

  private enum Message: Sendable {
    case scanned(PluginScan)
    case proved(proof: Int, provider: Int, fault: PluginFault?)
  }

  private let providers: ProviderBringUp
  private let log: Log
  private let wake: @Sendable () -> Void
  private let inbox = Mutex<[Message]>([])
  private var state = State.idle
  private var proofs = 0
  /// What was refused before is tried once more by the next scan.
  private var triesAgain = false

  /// - Parameter wake: makes the control thread call `step` soon; called on any thread.
  init(providers: ProviderBringUp, log: Log, wake: @escaping @Sendable () -> Void) {
    self.providers = providers
    self.log = log
    self.wake = wake
  }

  /// Plugin files may have changed, or somebody asks.
  func filesChanged(triesAgain: Bool = false) {
    self.triesAgain = self.triesAgain || triesAgain
    switch state {
    case .idle: scan()
    case .scanning(_, let end): state = .scanning(again: true, end: end)
    case .proving:
      abandon()
      scan()
    }
  }

  /// The control thread was woken.
  func step() {
    let messages = inbox.withLock { inbox in
      defer { inbox = [] }
      return inbox
    }
    for message in messages {
      switch message {
      case .scanned(let scan): scanned(scan)
      case .proved(let proof, let provider, let fault): proved(proof, provider, fault)
      }
    }
  }

  /// For whoever asks how far it is.
  var phase: String {
    switch state {
    case .idle: "idle"
    case .scanning: "scanning"
    case .proving: "proving"
    }
  }

  /// Before a reload, and at the end: what is not adopted yet never will be. Returns whether there was anything, which
  /// then has to be begun anew.
  @discardableResult
  func abandon() -> Bool {
    guard case .proving(let proof) = state else { return false }
    state = .idle
    retire(proof.renewal.freshInstances)
    return true
  }

  /// The host stops. Returns when no child process looks at files any more, which takes milliseconds.
  func stop() {
    abandon()
    guard case .scanning(_, let end) = state else { return }
    providers.plugins?.stopDiscovering()
    if end.wait(milliseconds: Self.stopMilliseconds) == nil { log.warning("A scan of plugin files does not end") }
    state = .idle
  }

  /// For children that were killed to be gone; the machine may be busy.
  private static let stopMilliseconds: UInt64 = 5_000

  // MARK: - Scanning

  private func scan() {
    guard let plugins = providers.plugins else { return }
    let end = Latch<Void>()
    state = .scanning(again: false, end: end)
    let isStarted = ControlJob.run(named: "plugin-scan") { [self] in
      let scan = plugins.discover()
      end.put(())
      post(.scanned(scan))
    }
    if isStarted { return }
    log.error("Plugin files cannot be looked at: no thread", ("remedy", "raise the limit of processes, then reload"))
    state = .idle
  }

  private func post(_ message: Message) {
    inbox.withLock { $0.append(message) }
    wake()
  }

  private func scanned(_ scan: PluginScan) {
    guard case .scanning(let again, _) = state else { return }
    guard !again else { return self.scan() }
    state = .idle
    guard let previous = providers.registry, let plugins = providers.plugins else { return }
    let renewal = plugins.update(
      previous, for: providers.configuration.providers, scan: scan, triesAgain: triesAgain)
    triesAgain = false
    prove(renewal, previous)
  }

  // MARK: - Proving

  private func prove(_ renewal: Renewal, _ previous: ProviderRegistry) {
    proofs += 1
    let canaries = renewal.fresh.filter { renewal.registry.entries[$0].settings.canary != nil }
    guard !canaries.isEmpty else { return adopt(renewal, previous) }
    state = .proving(
      Proof(renewal: renewal, previous: previous, number: proofs, outstanding: Set(canaries)))
    let number = proofs
    for canary in canaries {
      providers.askCanary(canary, renewal.registry.entries[canary]) { [self] fault in
        post(.proved(proof: number, provider: canary, fault: fault))
      }
    }
  }

  private func proved(_ number: Int, _ provider: Int, _ fault: PluginFault?) {
    guard case .proving(var proof) = state, proof.number == number else { return }
    proof.outstanding.remove(provider)
    if let fault { proof.failures[provider] = fault }
    state = .proving(proof)
    guard proof.outstanding.isEmpty else { return }
    state = .idle
    retire(proof.failures.keys.map { proof.renewal.registry.entries[$0].provider })
    adopt(proof.renewal.rollingBack(proof.failures, to: proof.previous), proof.previous)
  }

  /// They never served; a canary may still run there.
  private func retire(_ instances: [any HostedProvider]) { providers.retired.add(instances, reachedBy: []) }

  private func adopt(_ renewal: Renewal, _ previous: ProviderRegistry) {
    let registry = renewal.registry
    registry.tell(log, after: previous)
    if registry.isTheSame(as: previous) { return }
    providers.adopt(registry, providers.configuration)
  }
}
