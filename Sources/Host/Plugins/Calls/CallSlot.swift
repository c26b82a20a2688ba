internal import Bytes
internal import CProviderABI
internal import ProviderContract
import Decisions
internal import Synchronization
internal import Wire

/// Where one call of a plugin lives: its sink, its context in the plugin, and what waits to be said to either.
///
/// A slot serves call after call; the generation in `state` tells them apart, so a late word of an old call finds
/// nothing. Everything is the loop's but `state`, `copiedEvents` and what is in `shared`.
///
/// `@unchecked Sendable`: as said, each field has its thread or its lock.
final class CallSlot: @unchecked Sendable {
  /// How far the call is between the host and the plugin.
  enum Stage {
    case free
    /// Inside call_open.
    case opening
    case open
    /// The sink has heard the end; exchanges and posted functions may still run. `accepted`: call_close is due.
    case closing(accepted: Bool)
  }

  /// What the plugin was told of a cancellation.
  enum Cancellation {
    case none
    case asked(ProviderCancelReason)
    case told
  }

  /// What more than the loop needs of a call, behind a lock.
  ///
  /// `@unchecked Sendable`: it owns its buffer, and the plugin's pointers in it are only handed back.
  struct Shared: ~Copyable, @unchecked Sendable {
    var requestID = ByteBuffer()
    var deadline = Instant.never
    var connectTimeoutNanoseconds: UInt64 = 0
    var trace: TraceContext?
    /// Events that were emitted on other threads and not yet handed to the sink.
    var copiedEvents = 0
    var copiedBytes = 0
    /// Functions posted from other threads that did not run yet.
    var postedJobs = 0
    var timers: [CallTimer] = []
    var exchanges: [ProviderExchange?] = []
    var exchangeGeneration: UInt32 = 1
  }

  unowned(unsafe) let table: CallTable
  let index: Int
  let state: Atomic<UInt64>
  /// `shared.copiedEvents`, to be read without the lock.
  let copiedEvents = Atomic(0)
  /// Whether a thread is inside `emit` (PRV-R015).
  let isEmitting = Atomic(false)
  let shared = Mutex(Shared())

  var nextFree: CallSlot?
  var stage = Stage.free
  var sink: (any ProviderCallSink)?
  var context: UnsafeMutableRawPointer?
  var cancellation = Cancellation.none
  var resumeIsDue = false
  /// What the sink has yet to hear: copied events that came during a pause, then the end, or a rule that was broken.
  var held: [CopiedEvent] = []
  var end: ProviderEnd?
  var fault: ProviderFailure?
  /// A function was posted from the loop since the last attempt to close.
  var wasPostedTo = false
  var graceTimer: TimerID?
  var timerIDs: [TimerID?] = []
  /// The clock of the last exchange that ran out of time, for the failure that the plugin makes of it.
  var lastClock = ProviderFailure.Clock.none

  init(table: CallTable, index: Int) {
    self.table = table
    self.index = index
    state = Atomic(CallState(generation: 1, 0).word)
  }

  @inline(__always) var provider: InProcessProvider { table.provider }
  @inline(__always) var current: CallState { CallState(state.load(ordering: .acquiring)) }

  @inline(__always) var handle: UInt64 {
    CallHandle.make(generation: current.generation, loop: table.loop.index, slot: index)
  }

  /// Runs `job` later in this turn, when no plugin's function is on the stack.
  @inline(__always)
  func enqueue(_ job: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Void) {
    table.loop.enqueue(.c(job, Unmanaged.passUnretained(self).toOpaque()))
  }

  @inline(__always)
  static func from(_ slot: UnsafeMutableRawPointer?) -> CallSlot {
    Unmanaged<CallSlot>.fromOpaque(slot.unsafelyUnwrapped).takeUnretainedValue()
  }
}

// Opening and closing. Thread: loop.
extension CallSlot {
  /// Calls call_open. Throws when the plugin did not accept the call; the slot then frees itself.
  func open(_ request: ProviderRequest, _ sink: any ProviderCallSink) throws(ProviderFailure) -> UInt64 {
    let generation = current.generation
    self.sink = sink
    stage = .opening
    shared.withLock { shared in
      shared.requestID.append(request.requestID)
      shared.deadline = request.deadline
      shared.connectTimeoutNanoseconds = request.connectTimeoutNanoseconds
      shared.trace = request.trace
    }
    state.store(CallState(generation: generation, CallState.live).word, ordering: .releasing)
    let handle = CallHandle.make(generation: generation, loop: table.loop.index, slot: index)

    var raw = prv_call_request()
    raw.size = UInt32(MemoryLayout<prv_call_request>.size)
    raw.flags = request.wantsStream ? PRV_CALL_STREAM : 0
    raw.kind = request.kind.rawValue
    raw.attempt = request.attempt
    raw.deadline_mono_ns = request.deadline.nanoseconds
    raw.request_id = prv_str(request.requestID)
    raw.model = prv_str(request.model)
    raw.body_schema = prv_str(request.bodySchema)
    raw.body_json = prv_str(request.body)
    var context: UnsafeMutableRawPointer?
    let (status, sentence) = SinkText.gather { error in
      withFiles(request.files) { files in
        raw.files = files.baseAddress
        raw.file_count = UInt64(files.count)
        raw.file_stride = UInt64(MemoryLayout<prv_file>.stride)
        return provider.functions.call_open(provider.functions.`self`, &raw, handle, &context, error)
      }
    }
    guard status == PRV_OK else {
      refuse()
      throw ProviderFailure(status: EndReader.known(status), message: sentence)
    }
    self.context = context
    stage = .open
    return handle
  }

  /// Lays files out for call_open; nearly always there is none.
  private func withFiles<Result>(_ files: [ProviderFile], _ body: (UnsafeBufferPointer<prv_file>) -> Result) -> Result {
    guard !files.isEmpty else { return body(UnsafeBufferPointer(start: nil, count: 0)) }
    let raw = files.map { file in
      var raw = prv_file()
      raw.size = UInt32(MemoryLayout<prv_file>.size)
      raw.name = prv_str(file.name)
      raw.media_type = prv_str(file.mediaType)
      let content = file.content
      raw.content = prv_bytes(
        ptr: content.baseAddress?.assumingMemoryBound(to: UInt8.self), len: UInt64(content.count))
      return raw
    }
    return withExtendedLifetime(files) { raw.withUnsafeBufferPointer(body) }
  }

  /// The plugin did not accept the call: nothing more reaches the sink.
  private func refuse() {
    if !current.isLive {
      let words = CallContract.words(on: .done, in: .refused)
      provider.report(
        Breach(.oneDone, at: .done, handle: handle, expected: words.expected, found: words.found),
        requestID: requestID)
    }
    sink = nil
    end = nil
    stage = .closing(accepted: false)
    state.store(
      CallState(generation: current.generation, CallState.ended | CallState.refused).word, ordering: .releasing)
    dropHeld()
    abortExchanges()
    cancelTimers()
    close()
  }

  static let finishJob: @convention(c) (UnsafeMutableRawPointer?) -> Void = { from($0).finish() }

  /// Tells the sink how the call ended, as soon as it took all that came before. Never inside a plugin's function.
  func finish() {
    guard case .open = stage, held.isEmpty, let end else { return }
    self.end = nil
    stage = .closing(accepted: true)
    if let graceTimer { _ = table.loop.cancel(graceTimer) }
    graceTimer = nil
    abortExchanges()
    cancelTimers()
    let sink = self.sink
    self.sink = nil
    sink?.providerDone(withClock(end))
    close()
  }

  private func withClock(_ end: ProviderEnd) -> ProviderEnd {
    guard case .failed(var failure) = end, failure.status == PRV_E_TIMEOUT else { return end }
    failure.clock = lastClock
    return .failed(failure)
  }

  static let closeJob: @convention(c) (UnsafeMutableRawPointer?) -> Void = { from($0).close() }

  /// Closes the call once its exchanges have completed and what was posted to it has run; each of these tries again.
  func close() {
    guard case .closing(let accepted) = stage else { return }
    if wasPostedTo {
      wasPostedTo = false
      // What was posted stands before this job.
      enqueue(Self.closeJob)
      return
    }
    // The generation changes under the lock, so no thread can add to a call that is about to close.
    let isQuiet = shared.withLock { shared in
      guard shared.postedJobs == 0, shared.exchanges.allSatisfy({ $0 == nil }) else { return false }
      state.store(CallState(generation: CallHandle.next(current.generation), 0).word, ordering: .releasing)
      shared.copiedEvents = 0
      shared.copiedBytes = 0
      copiedEvents.store(0, ordering: .relaxed)
      shared.requestID.removeAll(keeping: 256)
      return true
    }
    guard isQuiet else { return }
    if accepted { provider.functions.call_close(provider.functions.`self`, context) }
    stage = .free
    context = nil
    cancellation = .none
    resumeIsDue = false
    fault = nil
    lastClock = .none
    table.putBack(self)
  }
}
