import Decisions
internal import Glibc

/// Keeps one provider's worker running: starts it, starts another when it ends, and gives up when it ends too often.
///
/// | state | event | then |
/// |---|---|---|
/// | idle | start | starting |
/// | starting | created | running: each loop gets its socket |
/// | starting | refused, ended, 5 s | the first time: ended, and `start` throws; later as any end |
/// | running | ended | `WorkerSupervision` decides: waiting, or ended and in quarantine |
/// | running | misbehaves | killed, so that it ends |
/// | waiting | its time | starting |
/// | any | stop, destroy | ending: two seconds to free the instance, then killed |
/// | ending | ended | ended |
///
/// `@unchecked Sendable`: confined to the supervisor's loop.
final class WorkerKeeper: WorkerProcessDelegate, TimerTarget, @unchecked Sendable {
  private enum State {
    case idle
    case starting(WorkerProcess, sockets: [Int32], first: Bool)
    case running(WorkerProcess)
    case waiting
    case ending(WorkerProcess)
    case ended
  }

  /// For an instance to be freed, and its process to end.
  static let endMilliseconds: UInt64 = 2_000
  /// Between the end of a socket and of the process, when one is dying.
  private static let deathMilliseconds: UInt64 = 250

  /// Between two attempts to start a worker when the host lacks descriptors or processes.
  private static let wantMilliseconds: UInt64 = 1_000

  private enum Timer { static let start: UInt32 = 0, restart: UInt32 = 1, end: UInt32 = 2, death: UInt32 = 3 }

  private unowned let provider: WorkerProvider
  /// The same from `start` until it has ended, so that it outlives its process.
  private var retained: WorkerProvider?
  private let supervisor: WorkerSupervisor
  private let output: WorkerOutput
  private var state = State.idle
  private var supervision = WorkerSupervision()
  private var end = WorkerEnd.byItself
  private var timer: TimerID?
  /// Told once how the first start went.
  private var started: Latch<Result<[String], PluginFault>>?
  private var endedLatches: [Latch<Void>] = []
  private var restartBegan = Instant.never
  /// Which lines a worker's log has.
  private var logLevel: LogLevel

  init(provider: WorkerProvider, supervisor: WorkerSupervisor) {
    self.provider = provider
    self.supervisor = supervisor
    logLevel = provider.create.logLevel
    output = WorkerOutput(
      log: provider.log, pluginID: provider.information.pluginID, provider: provider.information.id)
  }

  private var loop: EventLoop { supervisor.loop }

  // MARK: - What the host wants

  func start(_ latch: Latch<Result<[String], PluginFault>>) {
    started = latch
    retained = provider
    launch(isFirst: true)
  }

  /// The host's log has another level.
  func adopt(_ level: LogLevel) {
    logLevel = level
    // One that is being made is told once it is there.
    if case .running(let worker) = state { worker.send(level) }
  }

  /// The instance takes no more calls.
  func stop() { if case .running(let worker) = state { worker.send(.stop) } }

  /// Ends the process, whatever it does. `latch` is told when it is gone.
  func finish(_ latch: Latch<Void>?) {
    if let latch { endedLatches.append(latch) }
    switch state {
    case .running(let worker):
      state = .ending(worker)
      worker.send(.stop)
      worker.send(.destroy)
      arm(Timer.end, after: Self.endMilliseconds)
    case .starting(let worker, let sockets, _):
      for socket in sockets { WorkerSockets.close(socket) }
      state = .ending(worker)
      worker.kill()
    case .idle, .waiting: ended()
    case .ending: break
    case .ended: ended()
    }
  }

  /// Its calls outlived their grace too often.
  func endForKeptCalls(_ count: Int) {
    if case .running(let worker) = state { kill(worker, .keptCalls(count)) }
  }

  /// A loop's socket has ended, or what came by it broke the protocol.
  func channelEnded(_ why: String, isBroken: Bool) {
    guard case .running(let worker) = state else { return }
    if isBroken { kill(worker, .brokeProtocol(why)) } else { workerMisbehaved(worker, .closedSocket) }
  }

  // MARK: - The process

  private func launch(isFirst: Bool) {
    restartBegan = .now()
    end = .byItself
    var own: [Int32] = []
    var theirs: [Int32] = []
    defer { for socket in theirs { WorkerSockets.close(socket) } }
    do throws(PluginFault) {
      for _ in provider.channels {
        let pair = try WorkerSockets.pair()
        own.append(pair.own)
        theirs.append(pair.child)
      }
      let output = self.output
      let worker = try WorkerProcess(
        executable: supervisor.executable, create: provider.create, sockets: theirs,
        lines: [try LineReader { output.printed($0) }, try LineReader { output.logged($0) }], on: loop,
        isWatched: !provider.create.plan.isBlocking, delegate: self)
      state = .starting(worker, sockets: own, first: isFirst)
      arm(Timer.start, after: WorkerChannel.patienceMilliseconds)
    } catch {
      for socket in own { WorkerSockets.close(socket) }
      if isFirst { return giveUp(error) }
      // The host's own want, not the plugin's fault: it counts for nothing.
      provider.log.error(
        "A plugin's worker cannot be started", ("provider", provider.information.id), ("reason", error.reason),
        ("remedy", error.remedy))
      state = .waiting
      arm(Timer.restart, after: Self.wantMilliseconds)
    }
  }

  func workerCreated(_ worker: WorkerProcess) {
    guard case .starting(_, let sockets, let isFirst) = state else { return }
    disarm()
    state = .running(worker)
    provider.figures.began(pid: worker.child.pid, isFirst: isFirst)
    if logLevel != provider.create.logLevel { worker.send(logLevel) }
    provider.workerIsUp(sockets)
    let missing = worker.missing ?? []
    if isFirst {
      started?.put(.success(missing))
      started = nil
    } else {
      provider.log.info(
        "A plugin's worker runs again", ("provider", provider.information.id), ("pid", "\(worker.child.pid)"),
        ("restart_ms", ProcessFigures.milliseconds(since: restartBegan)))
    }
  }

  func workerRefused(_ worker: WorkerProcess, _ fault: PluginFault) {
    guard case .starting(_, _, let isFirst) = state else { return }
    if isFirst {
      started?.put(.failure(fault))
      started = nil
    }
    refusal = fault
  }

  private var refusal: PluginFault?

  func workerDestroyed(_ worker: WorkerProcess) {
    guard case .ending = state else { return }
    let threads = worker.threads
    if threads > 1 {
      provider.log.warning(
        "plugin left threads behind", ("plugin", provider.information.pluginID),
        ("provider", provider.information.id), ("rule", "PRV-R014"), ("threads", "\(threads - 1)"))
    }
    worker.letGo()
  }

  func workerMisbehaved(_ worker: WorkerProcess, _ end: WorkerEnd) {
    guard case .running = state else { return }
    guard end == .closedSocket else { return kill(worker, end) }
    // A process that dies closes its sockets first: its end tells more.
    arm(Timer.death, after: Self.deathMilliseconds)
  }

  private func kill(_ worker: WorkerProcess, _ end: WorkerEnd) {
    self.end = end
    worker.kill()
  }

  func workerEnded(_ worker: WorkerProcess, _ ending: ChildProcess.Ending) {
    disarm()
    provider.figures.ended()
    switch state {
    case .starting(_, let sockets, let isFirst):
      for socket in sockets { WorkerSockets.close(socket) }
      let trail = worker.trail?.read()
      let fault =
        refusal
        ?? PluginFault(
          "its worker ended in \(trail?.step.name ?? "its start"): \(end.sentence(ending)) (\(end.rule(ending)))",
          remedy: "correct the plugin")
      refusal = nil
      if isFirst { return giveUp(fault) }
      report(worker, ending)
    case .running: report(worker, ending)
    case .ending, .idle, .waiting, .ended: ended()
    }
  }

  private func report(_ worker: WorkerProcess, _ ending: ChildProcess.Ending) {
    var fields: [LogField] = [("pid", "\(worker.child.pid)"), ("rule", end.rule(ending))]
    if let trail = worker.trail?.read() {
      fields.append(("function", trail.step.name))
      if !trail.requestID.isEmpty { fields.append(("request_id", trail.requestID)) }
    }
    decide(end.sentence(ending), fields)
  }

  /// What follows from an end that nobody asked for.
  private func decide(_ sentence: String, _ facts: [LogField]) {
    var fields: [LogField] = [
      ("plugin", provider.information.pluginID), ("provider", provider.information.id), ("reason", sentence),
    ]
    fields += facts
    let place = facts.first { $0.name == "function" }.map { " in \($0.value)" } ?? ""
    provider.figures.endedByItself(sentence + place)
    switch supervision.ended(now: .now()) {
    case .restart(let wait):
      fields.append(("restart_after_ms", "\(wait / 1_000_000)"))
      provider.log.write(.error, "A plugin's worker has ended", fields)
      state = .waiting
      if wait == 0 { launch(isFirst: false) } else { arm(Timer.restart, after: wait / 1_000_000) }
    case .quarantine:
      provider.log.write(.error, "A plugin's worker has ended", fields)
      state = .ended
      provider.quarantine("its worker ended \(WorkerSupervision.endsLimit) times in five minutes, last by \(sentence)")
      ended()
    }
  }

  private func giveUp(_ fault: PluginFault) {
    started?.put(.failure(fault))
    started = nil
    ended()
  }

  private func ended() {
    state = .ended
    disarm()
    if let retained { retained.workerIsGone() }
    retained = nil
    for latch in endedLatches { latch.put(()) }
    endedLatches = []
    supervisor.forget(self)
  }

  // MARK: - Time

  private func arm(_ tag: UInt32, after milliseconds: UInt64) {
    disarm()
    timer = loop.schedule(at: Instant.now().advanced(milliseconds: milliseconds), self, tag: tag)
  }

  private func disarm() {
    if let timer { _ = loop.cancel(timer) }
    timer = nil
  }

  func timerFired(_ tag: UInt32) {
    timer = nil
    switch (tag, state) {
    case (Timer.start, .starting(let worker, _, _)): kill(worker, .slowStart)
    case (Timer.restart, .waiting): launch(isFirst: false)
    case (Timer.death, .running(let worker)): kill(worker, .closedSocket)
    case (Timer.end, .ending(let worker)): worker.kill()
    default: break
    }
  }
}
