import Bytes
import CProviderABI
import JSON
import Synchronization

/// One call of the host: the executor of its task, and the place where the host's functions meet it.
///
/// The task begins inside `call_open` and runs there until it first waits. Whatever continues it later is posted to
/// the call's own loop through the host, so a call costs no thread and no hop.
///
/// Owner: the host from `call_open` to `call_close`, and the task until it ended.
final class Call: TaskExecutor, @unchecked Sendable {  // constants, and states behind their mutexes
  let handle: prv_call
  let host: ProviderHost
  let deadlineNanoseconds: UInt64
  let attempt: UInt32
  let wantsStream: Bool
  let body: JSONView?
  /// Copied, as the body is.
  let files: [SentFile]
  /// Request id and model, then the body, copied: the request is borrowed.
  private let text: UnsafeMutableRawBufferPointer
  private let requestIDBytes: Int
  private let modelBytes: Int

  private let life = Mutex(Life.starting)
  private let flow = Mutex(Flow.open)
  private let jobs = Mutex<[UnownedJob]>([])
  /// Timers to which the host has a pointer.
  private let timers = Mutex<[Timer]>([])

  /// What has become of the task.
  private enum Life {
    case starting
    case running(Task<Void, Never>)
    case cancelled
    case ended
  }

  /// Whether the host takes events.
  private enum Flow {
    case open
    /// `call_resume` came before the task had begun to wait for it.
    case resumed
    case waiting(UnsafeContinuation<Void, Never>)
  }

  init(_ request: prv_call_request, handle: prv_call, host: ProviderHost) {
    let (id, model, json) = (request.request_id.bytes, request.model.bytes, request.body_json.bytes)
    text = .allocate(byteCount: id.count + model.count + json.count, alignment: 8)
    UnsafeMutableRawBufferPointer(rebasing: text[..<id.count]).copyMemory(from: id)
    UnsafeMutableRawBufferPointer(rebasing: text[id.count..<id.count + model.count]).copyMemory(from: model)
    UnsafeMutableRawBufferPointer(rebasing: text[(id.count + model.count)...]).copyMemory(from: json)
    requestIDBytes = id.count
    modelBytes = model.count
    self.handle = handle
    self.host = host
    deadlineNanoseconds = request.deadline_mono_ns
    attempt = request.attempt
    wantsStream = request.flags & PRV_CALL_STREAM != 0
    let copy = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[(id.count + model.count)...])
    // The host has validated it and checked its shapes (prv.chat/1).
    body = copy.isEmpty ? nil : JSONView(validated: copy)
    files = request.sentFiles
  }

  deinit { text.deallocate() }

  var requestID: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text[..<requestIDBytes]) }
  var model: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: text[requestIDBytes..<requestIDBytes + modelBytes])
  }

  // MARK: - The task

  /// Runs `work` as the call's task, at once until it first waits; reports its end exactly once (PRV-R005).
  func start(_ work: sending @escaping @isolated(any) () async throws(ProviderError) -> Void) {
    let task = Task.immediate(executorPreference: self) {
      do throws(ProviderError) {
        try await work()
        self.end(nil)
      } catch {
        self.end(error)
      }
    }
    life.withLock { if case .starting = $0 { $0 = .running(task) } }
  }

  /// The host's `call_cancel`.
  func cancel() {
    let task = life.withLock { life -> Task<Void, Never>? in
      guard case .running(let task) = life else { return nil }
      life = .cancelled
      return task
    }
    task?.cancel()
  }

  private func end(_ error: ProviderError?) {
    life.withLock { $0 = .ended }
    // Whatever the host answers, there is nothing left to do: it has ended the call, or had before.
    guard let error else {
      var done = prv_done.sized()
      done.status = PRV_OK
      _ = host.done(host.context, handle, &done)
      return
    }
    _ = error.withCDone { host.done(host.context, handle, $0) }
  }

  // MARK: - Events

  /// Hands one event to the host: the status, which `settle` turns into waiting or an error.
  func emit(_ event: inout prv_event) -> Int32 {
    event.size = UInt32(MemoryLayout<prv_event>.size)
    // A resume that came before this event is no answer to the pause that may come after it.
    flow.withLock { if case .resumed = $0 { $0 = .open } }
    return host.emit(host.context, handle, &event)
  }

  /// Waits while the host has no room, and throws when nobody listens any more.
  func settle(_ status: Int32) async throws(ProviderError) {
    switch status {
    case PRV_OK: return
    case PRV_PAUSE: try await waitForRoom()
    case PRV_CANCELLED, PRV_E_STALE: throw .cancelled
    case PRV_E_INVALID_ARGUMENT: throw ProviderError(.badResponse, "the answer holds text that is not UTF-8")
    default: throw ProviderError(.internal, "the host refused an event with status \(status)")
    }
  }

  private func waitForRoom() async throws(ProviderError) {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let goesOn = flow.withLock { flow -> Bool in
          switch flow {
          case .open where !Task.isCancelled:
            flow = .waiting(continuation)
            return false
          case .open, .resumed:
            flow = .open
            return true
          case .waiting: preconditionFailure("a second event of one call was emitted while the first waits (PRV-R015)")
          }
        }
        if goesOn { continuation.resume() }
      }
    } onCancel: {
      leaveWait(orRemember: false)
    }
    if Task.isCancelled { throw .cancelled }
  }

  /// The host's `call_resume`.
  func resume() { leaveWait(orRemember: true) }

  private func leaveWait(orRemember remembers: Bool) {
    let waiter = flow.withLock { flow -> UnsafeContinuation<Void, Never>? in
      if case .waiting(let continuation) = flow {
        flow = .open
        return continuation
      }
      if remembers { flow = .resumed }
      return nil
    }
    waiter?.resume()
  }

  // MARK: - Timers

  func hold(_ timer: Timer) { timers.withLock { $0.append(timer) } }

  /// What was dropped is freed after the mutex.
  func drop(_ timer: Timer) {
    _ = timers.withLock { timers in timers.firstIndex { $0 === timer }.map { timers.remove(at: $0) } }
  }

  // MARK: - Executor

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let isFirst = jobs.withLock { jobs in
      jobs.append(job)
      return jobs.count == 1
    }
    guard isFirst else { return }
    let argument = Unmanaged.passRetained(self).toOpaque()
    if host.exec.post_call?(host.context, handle, Self.runJobs, argument) == PRV_OK { return }
    // The call is stale: its task must still run to its end, on any loop.
    if host.exec.post?(host.context, Self.runJobs, argument) == PRV_OK { return }
    // The host is stopping and runs nothing more for us.
    Self.runJobs(argument)
  }

  private static let runJobs: @convention(c) (UnsafeMutableRawPointer?) -> Void = { argument in
    guard let argument else { return }
    let call = Unmanaged<Call>.fromOpaque(argument).takeRetainedValue()
    let jobs = call.jobs.withLock { jobs -> [UnownedJob] in
      defer { jobs = [] }
      return jobs
    }
    for job in jobs { job.runSynchronously(on: call.asUnownedTaskExecutor()) }
  }
}
