public import CProviderABI
import Glibc

/// A host for tests: the provider ABI on one thread, with a run queue and a clock that the test turns by hand.
///
/// Nothing happens by itself. Posted functions, timers and `call_close` run in `run()`; time passes in `advance`; the
/// upstream answers when the test says so (`exchanges`). What a plugin does against the contract is in `violations`.
/// Everything here is called on the thread that made the host; a plugin that comes from another one violates nothing,
/// but this host takes only its own.
public final class MockHost {
  /// What the plugin did against the contract, each with its rule.
  public internal(set) var violations: [String] = []
  /// Every line that was logged, as `level message name=value`.
  public internal(set) var logLines: [String] = []
  public internal(set) var exchanges: [MockExchange] = []
  /// CLOCK_MONOTONIC nanoseconds as the plugin sees them.
  public internal(set) var nowNanoseconds: UInt64 = 1_000_000_000
  /// The functions that ran from the queue so far.
  public private(set) var jobsRun = 0
  /// From now on `post` and `post_call` refuse, as in a host that stops.
  public var isStopping = false

  var calls: [prv_call: MockCall] = [:]
  var timers: [prv_timer: MockTimer] = [:]
  var lastHandle: UInt64 = 0
  private var queue: [Job] = []
  private let thread = pthread_self()
  private let tables: MockTables

  public typealias Entry = (UnsafePointer<prv_handshake>?, UnsafeMutablePointer<prv_reply>?) -> Int32

  enum Job {
    case function(@convention(c) (UnsafeMutableRawPointer?) -> Void, UnsafeMutableRawPointer?)
    case work(() -> Void)
  }

  struct MockTimer {
    var call: prv_call
    var dueNanoseconds: UInt64
    var function: @convention(c) (UnsafeMutableRawPointer?) -> Void
    var argument: UnsafeMutableRawPointer?
  }

  /// - Parameter missing: services that this host does not offer: `prv.http/1`.
  public init(missing: Set<String> = []) {
    tables = MockTables(missing: missing)
    tables.adopt(self)
  }

  var hostTable: UnsafePointer<prv_host> { UnsafePointer(tables.host) }
  func service(_ id: String) -> UnsafeRawPointer? { tables.service(id) }

  func isOwnThread() -> Bool { pthread_equal(thread, pthread_self()) != 0 }

  func nextHandle() -> UInt64 {
    lastHandle += 1
    return lastHandle | 1 << 32
  }

  // MARK: - Time

  func enqueue(_ job: Job) { queue.append(job) }

  /// The functions that wait in the queue.
  public var jobsWaiting: Int { queue.count }

  /// Runs what is queued, and what that queues, until nothing is left.
  public func run() {
    while !queue.isEmpty {
      let batch = queue
      queue = []
      for job in batch {
        jobsRun += 1
        switch job {
        case .function(let function, let argument): function(argument)
        case .work(let work): work()
        }
      }
    }
  }

  /// Turns the clock, firing the timers that fall due in their order.
  public func advance(nanoseconds: UInt64) {
    let end = nowNanoseconds + nanoseconds
    run()
    while let (handle, timer) = timers.min(by: { ($0.value.dueNanoseconds, $0.key) < ($1.value.dueNanoseconds, $1.key) }
    ),
      timer.dueNanoseconds <= end
    {
      timers[handle] = nil
      nowNanoseconds = max(nowNanoseconds, timer.dueNanoseconds)
      timer.function(timer.argument)
      run()
    }
    nowNanoseconds = end
  }

  /// The timers that wait.
  public var timersWaiting: Int { timers.count }

  // MARK: - Instances

  /// Shakes hands with a plugin and makes an instance of one of its providers.
  public func makeInstance(_ entry: Entry, provider: String, settings: String = "{}") throws(MockFailure)
    -> MockInstance
  {
    try MockInstance(descriptor: try Self.handshake(entry), provider: provider, settings: settings, host: self)
  }

  /// The plugin's table, or why it refused.
  public static func handshake(_ entry: Entry, magic: UInt64 = PRV_MAGIC, minimumMinor: UInt32 = 0)
    throws(MockFailure) -> UnsafePointer<prv_plugin>
  {
    var handshake = prv_handshake()
    handshake.size = UInt32(MemoryLayout<prv_handshake>.size)
    handshake.magic = magic
    handshake.abi_minor = PRV_ABI_MINOR
    handshake.min_abi_minor = minimumMinor
    let text = MockText()
    var reply = prv_reply()
    reply.size = UInt32(MemoryLayout<prv_reply>.size)
    reply.error = text.sink
    let status = entry(&handshake, &reply)
    guard status == PRV_OK, let plugin = reply.plugin else { throw MockFailure(status: status, message: text.string) }
    return plugin
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
