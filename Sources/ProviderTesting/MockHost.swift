public import CProviderABI
import Glibc
public import ProviderContract

/// A host for tests: the whole provider ABI, with a clock that the test turns and an upstream that it plays or scripts.
///
/// Nothing happens by itself. Posted functions, timers and `call_close` run in `run()`; time passes in `advance`; the
/// upstream answers when the test says so (`exchanges`), or by a script (`upstream`). What a plugin does against the
/// contract is in `breaches`, each with its rule and the calls that led to it.
///
/// With a `seed` the plugin is called on changing threads, one at a time, and what may come in any order does. A run with
/// the same seed does the same again.
///
/// Thread: whatever is public here belongs to the thread that made the host. The plugin may call from any thread.
public final class MockHost {
  /// What the plugin did against the contract.
  public internal(set) var breaches: [MockBreach] = []
  /// Every line that was logged, as `level message name=value`.
  public internal(set) var logLines: [String] = []
  /// The requests that the plugin made, the newest last: at least the last 1,024, and all of calls that are open.
  public internal(set) var exchanges: [MockExchange] = []
  /// Requests that a host would not carry out, with what was expected and found.
  public internal(set) var refusedRequests: [String] = []
  /// CLOCK_MONOTONIC nanoseconds as the plugin sees them.
  public internal(set) var nowNanoseconds: UInt64 = 1_000_000_000
  /// The functions that ran from the queue so far.
  public private(set) var jobsRun = 0
  /// From now on `post` and `post_call` refuse, as in a host that stops.
  public var isStopping = false
  /// Answers the plugin's requests; nil: the test does.
  public var upstream: MockUpstream?
  /// URLs whose origins the plugin may reach; nil: any.
  public var allowedOrigins: [String]?
  /// How long a cancelled call may take to say `done` (R010), by the mock clock.
  public var graceNanoseconds: UInt64 = 2_000_000_000
  /// The longest that each function of the plugin took, in real nanoseconds.
  public internal(set) var slowest: [ABIFunction: UInt64] = [:]
  /// The last calls across the boundary.
  public let trail: CallTrail
  /// Hears of every call that is about to cross the boundary, on its thread, with its handle.
  public var onCrossing: ((ABIFunction, UInt64) -> Void)?
  /// Hears when a function of the plugin has returned, on its thread.
  public var onReturn: ((ABIFunction, UInt64) -> Void)?

  let monitor = MockMonitor()
  let offered: Set<String>
  var calls: [prv_call: MockCall] = [:]
  var timers: [prv_timer: MockTimer] = [:]
  var emitting: Set<prv_call> = []
  /// What an emit does before its turn: another thread's has the time to show itself.
  var duringEmit: () -> Void = { sched_yield() }
  var generator: SeededGenerator?
  /// The thread on which the plugin is called now.
  var insideThread: UInt?
  /// Calls that the plugin made from other threads.
  var foreignCalls = 0
  /// Calls whose handles the test took back.
  var forgotten: Set<prv_call> = []
  private var alarms: [UInt64: Alarm] = [:]
  private var lastHandle: UInt64 = 0
  private var queue = MockQueue()
  private var threads: HoppingThreads?

  public typealias Entry = (UnsafePointer<prv_handshake>?, UnsafeMutablePointer<prv_reply>?) -> Int32

  struct MockTimer {
    var call: prv_call
    var dueNanoseconds: UInt64
    var function: MockQueue.Function
    var argument: UnsafeMutableRawPointer?
  }

  /// Something of the host's own that is due by the mock clock.
  private struct Alarm {
    var dueNanoseconds: UInt64
    var work: () -> Void
  }

  /// - Parameters:
  ///   - missing: services that this host does not offer: `prv.http/1`.
  ///   - seed: threads, order and delays are drawn from it; nil: one thread, first in, first out, no delay.
  ///   - trail: where the last calls are noted; nil: in memory of the host's own.
  public init(missing: Set<String> = [], seed: UInt64? = nil, trail: CallTrail? = nil) {
    offered = MockTables.services.subtracting(missing)
    self.trail = trail ?? CallTrail()
    guard let seed else { return }
    generator = SeededGenerator(seed: seed)
    threads = HoppingThreads()
  }

  deinit { threads?.stop() }

  func nextHandle() -> UInt64 {
    lastHandle += 1
    return lastHandle | 1 << 32
  }

  /// Whether `handle` was given out once.
  func wasGiven(_ handle: UInt64) -> Bool { handle >> 32 == 1 && handle & 0xFFFF_FFFF <= lastHandle & 0xFFFF_FFFF }

  /// Notes a breach, with the calls that led to it.
  func note(_ breach: Breach) {
    monitor.locked { breaches.append(MockBreach(breach: breach, calls: trail.entries.suffix(12).map(\.description))) }
  }

  // MARK: - The queue

  func enqueue(_ work: MockQueue.Work, of call: UInt64 = 0) {
    monitor.locked {
      queue.append(MockQueue.Job(call: call, work: work))
      monitor.signal()
    }
  }

  /// The functions that wait in the queue.
  public var jobsWaiting: Int { monitor.locked { queue.count } }

  func hasJobs(of call: prv_call) -> Bool { monitor.locked { queue.hasJobs(of: call) } }

  private static let exchangesKept = 1024

  /// Old calls and exchanges are dropped, so that a long run stays small; a handle that is not here is closed.
  func forgetClosed(_ call: MockCall) {
    calls[call.handle] = nil
    guard exchanges.count >= 2 * Self.exchangesKept else { return }
    let old = exchanges.dropLast(Self.exchangesKept).filter { !$0.isComplete }
    exchanges = old + exchanges.suffix(Self.exchangesKept)
  }

  /// Runs what is queued, and what that queues, until nothing is left.
  public func run() {
    while runOne() {}
  }

  /// False: nothing is queued.
  func runOne() -> Bool {
    guard let job = monitor.locked({ queue.next(&generator) }) else { return false }
    jobsRun += 1
    switch job.work {
    case .function(let function, let argument): enter(.postedFunction, job.call) { function(argument) }
    case .work(let work): work()
    }
    return true
  }

  /// Calls the plugin: on the thread of the caller, or on one that the seed draws. Never within the monitor.
  func enter<Result>(_ function: ABIFunction, _ handle: UInt64 = 0, _ body: () -> Result) -> Result {
    let isNested = insideThread != nil
    guard let threads, !isNested else { return enterHere(function, handle, body) }
    let number = generator!.below(HoppingThreads.count)
    var result: Result?
    threads.run(on: number) { result = enterHere(function, handle, body) }
    return result!
  }

  // MARK: - Time

  /// Turns the clock, firing what falls due in its order.
  public func advance(nanoseconds: UInt64) {
    let end = nowNanoseconds + nanoseconds
    run()
    while let due = nextDue, due <= end {
      fireNext()
      run()
    }
    monitor.locked { nowNanoseconds = max(nowNanoseconds, end) }
  }

  /// The timers of the plugin that wait.
  public var timersWaiting: Int { monitor.locked { timers.count } }

  /// When the next timer or alarm is due; nil: none waits.
  var nextDue: UInt64? {
    monitor.locked {
      [timers.values.map(\.dueNanoseconds).min(), alarms.values.map(\.dueNanoseconds).min()].compactMap { $0 }.min()
    }
  }

  /// Turns the clock to what is due next, and does it.
  func fireNext() {
    let work: (() -> Void)? = monitor.locked {
      let timer = timers.min { ($0.value.dueNanoseconds, $0.key) < ($1.value.dueNanoseconds, $1.key) }
      let alarm = alarms.min { ($0.value.dueNanoseconds, $0.key) < ($1.value.dueNanoseconds, $1.key) }
      if let alarm, alarm.value.dueNanoseconds < timer?.value.dueNanoseconds ?? .max {
        alarms[alarm.key] = nil
        nowNanoseconds = max(nowNanoseconds, alarm.value.dueNanoseconds)
        return alarm.value.work
      }
      guard let timer else { return nil }
      timers[timer.key] = nil
      nowNanoseconds = max(nowNanoseconds, timer.value.dueNanoseconds)
      return { self.enter(.timerFunction, timer.key) { timer.value.function(timer.value.argument) } }
    }
    work?()
  }

  /// Does `work` when the clock reaches `nanoseconds`; returns what `dropAlarm` takes.
  func alarm(at nanoseconds: UInt64, _ work: @escaping () -> Void) -> UInt64 {
    monitor.locked {
      let name = nextHandle()
      alarms[name] = Alarm(dueNanoseconds: nanoseconds, work: work)
      return name
    }
  }

  func dropAlarm(_ name: UInt64?) {
    guard let name else { return }
    monitor.locked { alarms[name] = nil }
  }
}

/// A rule that the plugin broke, with the calls that led to it, oldest first.
public struct MockBreach: Sendable, Equatable, CustomStringConvertible {
  public var breach: Breach
  public var calls: [String]

  public var rule: Rule { breach.rule }
  public var description: String {
    ([breach.description, "the last calls:"] + calls.map { "  " + $0 }).joined(separator: "\n")
  }
}

/// What a plugin's function answered instead of PRV_OK, with its sentence.
public struct MockFailure: Error, Equatable {
  public var status: Int32
  public var message: String

  public init(status: Int32, message: String) {
    self.status = status
    self.message = message
  }
}
