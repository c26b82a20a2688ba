import CLinux
import Decisions
import Glibc
import Synchronization

/// Looks around once a second, for as long as the host runs: whether the loops turn, what memory and disks say, which
/// alerts begin and end; tells the log, the webhook and the supervisor.
///
/// Thread: one of its own. It reads /proc, which does not block, and sends datagrams that do not; disks have a thread of
/// their own. `start`, `stop` and what is told to it: control.
final class HealthObserver: @unchecked Sendable {  // Its variables are its thread's; `isOver` is atomic.
  static let lookMilliseconds: UInt64 = 1_000

  private let monitor: HealthMonitor
  private let log: Log
  private let loops: [EventLoop]
  private let pulses: [LoopPulse]
  private let disks: DiskWatch
  private let webhook: AlertWebhook
  /// nil: nobody supervises the host.
  private let notice: ServiceNotice?
  private let wakeDescriptor: Int32
  private let isOver = Atomic(false)
  private var thread: pthread_t?

  // The thread's.
  private var watchdog: Watchdog?
  private var process = MemoryGrowth()
  private var workers: [String: (pid: Int32, growth: MemoryGrowth)] = [:]

  init(
    monitor: HealthMonitor, log: Log, loops: [EventLoop], disks paths: [String], webhook: AlertWebhook,
    notice: ServiceNotice?
  ) {
    self.monitor = monitor
    self.log = log
    self.loops = loops
    self.webhook = webhook
    self.notice = notice
    pulses = loops.map { _ in LoopPulse() }
    disks = DiskWatch(paths: paths)
    watchdog = notice?.watchdogNanoseconds.map { Watchdog(intervalNanoseconds: $0) }
    wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    precondition(wakeDescriptor >= 0, "eventfd: \(String(cString: strerror(errno)))")
  }

  deinit { close(wakeDescriptor) }

  func start() {
    disks.start()
    var created = pthread_t()
    let status = pthread_create(
      &created, nil,
      { argument in
        pthread_setname_np(pthread_self(), "observer")
        Unmanaged<HealthObserver>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    precondition(status == 0, "pthread_create: \(String(cString: strerror(status)))")
    thread = created
  }

  /// Ends the thread and waits for that, which is at most a look. To be called while the loops still turn.
  func stop() {
    isOver.store(true, ordering: .relaxed)
    wake()
    if let thread { pthread_join(thread, nil) }
    thread = nil
    disks.stop()
  }

  private func wake() {
    var one: UInt64 = 1
    _ = Glibc.write(wakeDescriptor, &one, 8)
  }

  // MARK: - What the supervisor is told

  func ready() {
    notice?.ready()
    wake()
  }
  func reloading() { notice?.reloading(now: .now()) }
  func reloaded() { notice?.ready() }
  func stopping() {
    notice?.stopping()
    wake()
  }

  /// Another configuration is in force.
  func adopt(_ alerts: Configuration.Alerts) { webhook.adopt(alerts.webhook) }

  // MARK: - The thread

  private func run() {
    while !isOver.load(ordering: .relaxed) {
      look(now: .now())
      wait()
    }
    look(now: .now())
  }

  private func wait() {
    let look = min(Self.lookMilliseconds * 1_000_000, watchdog?.lookNanoseconds ?? .max)
    var descriptor = pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0)
    // An early look costs little; a late one would cost a sign of life.
    guard poll(&descriptor, 1, Int32(max(1, look / 1_000_000))) > 0 else { return }
    var count: UInt64 = 0
    _ = read(wakeDescriptor, &count, 8)
  }

  func look(now: Instant) {
    for (pulse, loop) in zip(pulses, loops) { pulse.beat(loop, now: now) }
    var surroundings = HealthFacts.Surroundings()
    surroundings.loops = pulses.map { $0.figures(now: now) }
    (surroundings.disks, surroundings.diskSilenceSeconds) = disks.figures(now: now)
    surroundings.process = sample(&process, pid: getpid(), now: now)
    surroundings.workers = sampleWorkers(now: now)
    surroundings.webhook = webhook.figures
    let told = monitor.look(surroundings, now: now)
    for transition in told { write(transition) }
    // About itself it would tell nobody.
    webhook.send(told.filter { $0.name != "alert_webhook" })
    tellSupervisor(surroundings, now: now)
  }

  private func write(_ transition: AlertBook.Transition) {
    var fields: [LogField] = [
      ("alert", transition.name), ("subject", transition.subject), ("severity", transition.severity.rawValue),
      ("reason", transition.message),
    ]
    if !transition.remedy.isEmpty { fields.append(("remedy", transition.remedy)) }
    switch transition.severity {
    case .warning: log.write(.warning, "Alert", fields)
    case .critical: log.write(.error, "Alert", fields)
    case .info: log.write(.info, "Alert over", fields)
    }
  }

  private func tellSupervisor(_ surroundings: HealthFacts.Surroundings, now: Instant) {
    guard let notice else { return }
    notice.flush()
    notice.status(monitor.report(now: now).summary)
    let slowest = surroundings.loops.map(\.standstillNanoseconds).max() ?? 0
    if watchdog?.look(standstillNanoseconds: slowest, now: now) == true { notice.watchdog() }
  }

  // MARK: - Memory

  private func sample(_ growth: inout MemoryGrowth, pid: Int32, now: Instant) -> ProcessMemory? {
    guard let bytes = ProcessFigures.residentBytes(of: pid) else { return nil }
    growth.add(bytes: bytes, now: now)
    return ProcessMemory(
      pid: pid, residentBytes: bytes, growth: growth.growth, sampledSeconds: growth.spanNanoseconds / 1_000_000_000)
  }

  /// A worker that was started anew is another process, whose samples begin anew.
  private func sampleWorkers(now: Instant) -> [String: ProcessMemory] {
    var found: [String: ProcessMemory] = [:]
    var kept: [String: (pid: Int32, growth: MemoryGrowth)] = [:]
    for (id, pid) in monitor.workers() where pid > 0 {
      var growth = workers[id].flatMap { $0.pid == pid ? $0.growth : nil } ?? MemoryGrowth()
      found[id] = sample(&growth, pid: pid, now: now)
      kept[id] = (pid, growth)
    }
    workers = kept
    return found
  }
}

extension HealthReport {
  /// One line: what a supervisor shows.
  var summary: String {
    guard isReady else { return state }
    let troubles = components.filter { $0.status != .healthy }
    guard let first = troubles.first else { return "healthy" }
    let more = troubles.count > 1 ? " (and \(troubles.count - 1) more)" : ""
    return "\(status.name): \(first.name.rawValue): \(first.message)\(more)"
  }
}
