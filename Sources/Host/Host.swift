import CLinux
import Decisions
import Glibc

/// The host could not start; the message says what to do.
package struct HostError: Error, CustomStringConvertible {
  package var description: String
}

/// The daemon: wires the rooms together, listens first, brings the providers up, and drains on SIGTERM.
///
/// The thread that calls `run` becomes the control thread. Order of the start: descriptors, listeners, loops (from here
/// clients connect and are told that the host is starting), plugins, HTTP library, models, ready.
package final class Host {
  /// What is in force; a reload brings another.
  var configuration: Configuration
  let log: Log
  private let control: ControlPort
  let services: HostServices
  /// Reads the configuration anew.
  let readAgain: () throws(ConfigurationErrors) -> Configuration
  private let directory = LoopDirectory()
  private let startedAt = Instant.now()
  private let onReady: (BindAddress) -> Void
  private var listeners: [Listener] = []
  /// How the listeners with TLS show themselves, by their place in the configuration.
  var identities: [Int: TLSIdentity] = [:]
  /// Looks around while the host runs.
  private(set) var observer: HealthObserver?
  /// The first address that serves WebSocket.
  private var socketAddress: BindAddress?

  /// - Parameters:
  ///   - readAgain: reads the configuration anew for a reload; called on the control thread.
  ///   - onReady: told once where clients connect, if they can, when the providers are up; called on a loop.
  package init(
    configuration: Configuration, log: Log, readAgain: @escaping () throws(ConfigurationErrors) -> Configuration,
    onReady: @escaping (BindAddress) -> Void = { _ in }
  ) {
    self.configuration = configuration
    self.readAgain = readAgain
    self.log = log
    self.onReady = onReady
    control = ControlPort()
    let core = Core(configuration.coreSettings)
    let principals = Principals(configuration.auth.known)
    services = HostServices(
      configuration: configuration, log: log, core: core, principals: principals, version: Version.current,
      loopCount: max(1, configuration.loops))
    services.monitor.actions.open { [control] in control.wake() }
  }

  /// Runs until a signal ends it. Returns the exit status.
  package func run() throws(HostError) -> Int32 {
    for secret in configuration.secrets { log.redact(secret.value) }
    for sentence in configuration.notYetInForce + configuration.warnings {
      log.warning("Configuration", ("note", sentence))
    }
    // Before anything is read from them: what changes meanwhile is found.
    let files = configuration.plugins.watch ? FileWatch(configuration, log) : nil
    keepTurnMemory()
    DescriptorTable.raiseLimit()
    try DescriptorTable.check(configuration.limits)
    DescriptorTable.reserve(for: configuration.limits)
    let loops = try makeLoops()
    try listen(on: loops[0])
    for loop in loops { loop.eventLoop.start() }
    let observer = makeObserver(loops)
    self.observer = observer
    observer.start()
    let providers = ProviderBringUp(services: services, loops: loops, startedAt: startedAt) {
      [onReady, socketAddress] in
      observer.ready()
      if let socketAddress { onReady(socketAddress) }
    }
    let socket = openControlSocket()
    services.history?.start { [services] in services.metrics.snapshot(now: .now()) }
    providers.run()
    for loop in loops { loop.eventLoop.submitPastBound(.work { loop.beginSweeps() }) }
    waitForStop(
      providers, LeaseRecovery(core: services.core, loops: directory, log: log) { providers.name(ofProvider: $0) },
      socket, files)
    services.monitor.actions.close()
    socket?.close()
    observer.stopping()
    drain(loops)
    observer.stop()
    services.history?.stop()
    providers.stop()
    for loop in loops { loop.eventLoop.stop() }
    for loop in loops { loop.eventLoop.join() }
    log.info("stopped")
    return 0
  }

  // MARK: - The start

  /// A turn's replies are allocated and freed together, more than malloc keeps by default: without this each turn takes
  /// pages from the system and gives them back.
  private func keepTurnMemory() {
    mallopt(Int32(CLINUX_M_TRIM_THRESHOLD), Self.keptHeapBytes)
    mallopt(Int32(CLINUX_M_TOP_PAD), Self.heapStepBytes)
  }

  private static let keptHeapBytes: Int32 = 4 << 20
  private static let heapStepBytes: Int32 = 256 << 10

  private func makeLoops() throws(HostError) -> [HostLoop] {
    var loops: [HostLoop] = []
    for index in 0..<max(1, configuration.loops) {
      do {
        let eventLoop = try EventLoop(index: index)
        loops.append(HostLoop(eventLoop: eventLoop, services: services, peers: directory))
      } catch {
        throw HostError(description: "cannot make event loop \(index): \(error)")
      }
    }
    directory.fill(loops)
    return loops
  }

  private func listen(on first: HostLoop) throws(HostError) {
    let directory = self.directory
    for (index, setting) in configuration.listeners.enumerated() {
      guard !setting.serves.isDisjoint(with: [.websocket, .health, .metrics, .monitor]) else { continue }
      do {
        let address = try BindAddress(parsing: setting.address)
        let identity = try makeIdentity(setting, index)
        let listener = try Listener(
          address: address, mode: UInt32(setting.mode, radix: 8) ?? 0o600, loop: first.eventLoop, log: log
        ) { socket in
          directory.hand(socket, serves: setting.serves, identity: identity)
        }
        listeners.append(listener)
        if setting.serves.contains(.websocket), socketAddress == nil { socketAddress = listener.boundAddress }
        log.info(
          "listening", ("address", "\(listener.boundAddress)"), ("start_ms", elapsed),
          ("resident_mb", ProcessFigures.residentMegabytes))
      } catch {
        for listener in listeners { listener.close() }
        throw HostError(description: "\(error)")
      }
    }
    guard !listeners.isEmpty else {
      throw HostError(
        description:
          "no listener serves \"websocket\", \"health\", \"metrics\" or \"monitor\"; add one to listeners[].serves")
    }
  }

  private var elapsed: String { ProcessFigures.milliseconds(since: startedAt) }

  // MARK: - The stop

  private func waitForStop(
    _ providers: ProviderBringUp, _ leases: LeaseRecovery, _ socket: ControlSocket?, _ files: FileWatch?
  ) {
    let updates = PluginUpdates(providers: providers, log: log) { [control] in control.wake() }
    var look = Instant.now()
    while true {
      let deadline = min(look, files?.settleAt ?? .never, socket?.deadline ?? .never)
      switch control.next(until: deadline, socket: socket?.descriptor ?? -1, watch: files?.descriptor ?? -1) {
      case .stop: return updates.stop()
      case .reload: _ = reload(providers, updates)
      case .reopenLog: _ = reopenLog()
      case .request: socket?.answer(now: .now()) { perform($0, providers, updates) }
      case .changed: files?.note(now: .now())
      case .woken:
        updates.step()
        if performActions(providers, updates) { return updates.stop() }
      case .timeout: break
      }
      let now = Instant.now()
      socket?.expire(now: now)
      if let changed = files?.settled(now: now) {
        if !changed.isDisjoint(with: [.configuration, .certificates]) {
          log.info(
            changed.contains(.configuration) ? "The configuration file has changed" : "A certificate's file has changed"
          )
          _ = reload(providers, updates)
        }
        if changed.contains(.plugins) { updates.filesChanged() }
      }
      guard look <= now else { continue }
      leases.look(now: now)
      providers.retired.look(log)
      // Blocks of a flood that lie between others stay with the process otherwise.
      if services.memory.isDownFromPeak() { malloc_trim(0) }
      log.tellLeftOut(now: now)
      look = now.advanced(milliseconds: LeaseRecovery.intervalMilliseconds)
    }
  }

  private func perform(_ command: ControlSocket.Command, _ providers: ProviderBringUp, _ updates: PluginUpdates)
    -> ReloadReport
  {
    switch command {
    case .reload: return reload(providers, updates)
    case .rescan:
      updates.filesChanged(triesAgain: true)
      return ReloadReport(isApplied: true, lines: ["looking at the plugin files; see 'patchbay plugin list'"])
    case .plugins: return ReloadReport(isApplied: true, lines: [PluginReport(providers, updates).json.text])
    case .reopenLog: return reopenLog()
    case .logLevel(let level): return setLogLevel(level, providers)
    }
  }

  /// What is in flight may finish for `drain_seconds`; a second signal ends it at once.
  private func drain(_ loops: [HostLoop]) {
    // Before it is said, so that who reads it and calls is refused.
    services.core.beginDrain()
    log.info("draining", ("connections", "\(connections(loops))"))
    let control = self.control
    let listeners = self.listeners
    self.listeners = []
    for loop in loops {
      loop.eventLoop.submitPastBound(
        .work {
          if loop.eventLoop.index == 0 { for listener in listeners { listener.close() } }
          loop.onEmpty = { control.wake() }
          loop.drain(isOver: false)
          control.wake()
        })
    }
    let drainEnd = Instant.now().advanced(milliseconds: configuration.timeouts.drainMilliseconds)
    // Who watches sees how it goes, and is told when it is over.
    let isDone = wait(until: drainEnd) { self.connections(loops) <= self.services.monitor.seats.count }
    if isDone, connections(loops) == 0 { return }
    for loop in loops { loop.eventLoop.submitPastBound(.work { loop.drain(isOver: true) }) }
    let closeEnd = Instant.now().advanced(milliseconds: Self.closeMilliseconds)
    if !wait(until: closeEnd, { self.connections(loops) == 0 }) {
      for loop in loops { loop.eventLoop.submitPastBound(.work { loop.abortConnections() }) }
    }
  }

  /// How long clients may take to close when the drain is over.
  private static let closeMilliseconds: UInt64 = 1_000

  /// true: `isDone`. false: time is up, or a second signal came.
  private func wait(until deadline: Instant, _ isDone: () -> Bool) -> Bool {
    while !isDone() {
      switch control.next(until: deadline) {
      case .stop, .timeout: return false
      case .reopenLog: _ = reopenLog()
      case .woken, .reload, .request, .changed: break
      }
    }
    return true
  }

  private func connections(_ loops: [HostLoop]) -> Int {
    loops.reduce(0) { $0 + $1.connectionCount.load(ordering: .relaxed) }
  }
}

extension Configuration.Auth {
  /// As `Principals` takes them.
  var known: [(name: String, role: Principals.Role, token: String)] {
    principals.map { ($0.name, Principals.Role($0.role), $0.token.value) }
  }
}

extension Principals.Role {
  fileprivate init(_ role: Configuration.Auth.Role) {
    self =
      switch role {
      case .client: .client
      case .viewer: .viewer
      case .admin: .admin
      }
  }
}
