public import CProviderABI
import Glibc
import ProviderContract

extension MockHost {
  /// What the plugin did against the contract, each as a sentence with its rule.
  public var violations: [String] { breaches.map(\.breach.description) }

  /// Runs what is queued and turns the clock to what is due next, until `isDone`, nothing is left to do, or the clock has
  /// gone on for `nanoseconds`. A plugin with threads of its own is waited for, `seconds` of real time at most since it
  /// last did something.
  ///
  /// - Returns: whether `isDone` was reached.
  @discardableResult
  public func run(nanoseconds: UInt64 = 300_000_000_000, seconds: Double = 2, until isDone: () -> Bool) -> Bool {
    let end = nowNanoseconds + nanoseconds
    while true {
      run()
      if isDone() { return true }
      if let due = nextDue {
        // A thread of the plugin may be about to speak; it gets a moment before time goes on.
        if hasForeignThreads, waitForPlugin(seconds: 0.05) { continue }
        guard due <= end else { return false }
        fireNext()
      } else if !waitForPlugin(seconds: seconds) {
        return isDone()
      }
    }
  }

  /// Runs one job of the queue, or turns the clock to what is due next. False: neither is there.
  public func step() -> Bool {
    if runOne() { return true }
    guard nextDue != nil else { return false }
    fireNext()
    return true
  }

  private func waitForPlugin(seconds: Double) -> Bool {
    monitor.wait(until: MockMonitor.instant(after: seconds)) { jobsWaiting > 0 }
  }

  /// Runs until `call` is closed. False: it is not, and nothing more would happen.
  @discardableResult
  public func finish(_ call: MockCall, nanoseconds: UInt64 = 300_000_000_000) -> Bool {
    run(nanoseconds: nanoseconds) { call.isClosed }
  }

  /// Calls the plugin on this thread, and takes the time.
  func enterHere<Result>(_ function: ABIFunction, _ handle: UInt64, _ body: () -> Result) -> Result {
    let outer = monitor.locked { () -> UInt? in
      trail.record(function, handle: handle, nanoseconds: nowNanoseconds)
      let outer = insideThread
      insideThread = UInt(pthread_self())
      return outer
    }
    onCrossing?(function, handle)
    let start = MockMonitor.realNanoseconds()
    let result = body()
    onReturn?(function, handle)
    let took = MockMonitor.realNanoseconds() - start
    monitor.locked {
      insideThread = outer
      slowest[function] = max(slowest[function] ?? 0, took)
    }
    return result
  }

  /// A wait that the seed draws, for what an upstream sends: mostly none.
  func drawDelay() -> UInt64 {
    guard generator != nil, generator!.below(3) == 0 else { return 0 }
    return UInt64(1 + generator!.below(5_000_000))
  }

  // MARK: - Instances

  /// Shakes hands with a plugin and makes an instance of one of its providers.
  public func makeInstance(_ entry: Entry, provider: String, settings: String = "{}") throws(MockFailure)
    -> MockInstance
  {
    try MockInstance(descriptor: try Self.handshake(entry), provider: provider, settings: settings, host: self)
  }

  /// Makes an instance of a provider of a plugin whose descriptor is known.
  public func makeInstance(_ plugin: UnsafePointer<prv_plugin>, provider: String, settings: String = "{}")
    throws(MockFailure) -> MockInstance
  {
    try MockInstance(descriptor: plugin, provider: provider, settings: settings, host: self)
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
