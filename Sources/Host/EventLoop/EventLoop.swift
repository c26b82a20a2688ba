import CLinux
package import Decisions
import Glibc
import Synchronization

package protocol TurnEndHandler: AnyObject {
  func turnEnded()
}

/// A system call that the loop cannot do without has failed.
package struct EventLoopError: Error, CustomStringConvertible {
  package var call: String
  package var code: Int32
  package var description: String { "\(call): \(String(cString: strerror(code)))" }
}

/// One thread, one epoll: descriptors, timers and jobs.
///
/// A turn: wait, read the clock, ready descriptors, due timers, submitted jobs, then what the turn's end was asked for;
/// behind that, for a while, what has the low priority, and the jobs and the end of that. Thread: the loop's own, but for `submit`, `submitPastBound`, `stop`, `join` and `isCurrent`.
package final class EventLoop: @unchecked Sendable {  // Confined to its thread; the mailbox is a Mutex.
  /// Jobs that may wait in the mailbox; beyond them `submit` says no.
  package static let mailboxLimit = 65_536
  /// Jobs run in one turn before descriptors are looked at again.
  private static let jobsPerTurn = 4_096
  /// What jobs and descriptors of the low priority may take of a turn, but for the one that runs then.
  static let lowNanoseconds: UInt64 = 50_000
  /// Descriptors of the low priority that are asked for at once: each of them is looked at, whatever the time.
  static let lowEvents = 2
  private static let readBufferBytes = 65_536

  private struct Mailbox: ~Copyable {
    var jobs: [Job] = []
    /// The loop waits for events and does not look here: the first job wakes it.
    var isAsleep = false
    var isClosed = false
  }

  package let index: Int
  /// CLOCK_MONOTONIC, read once a turn.
  package private(set) var now: Instant
  /// Told how long each turn took; nil: nobody asks. Set before the loop starts.
  var turns: TurnTimes?
  /// When the last turn ended.
  private var turnEnd: Instant
  /// Scratch for whoever reads a descriptor; what it holds is gone when the handler returns. Thread: the loop's.
  package let readBuffer: UnsafeMutableRawBufferPointer

  private let wake: Int32
  private var descriptors: DescriptorSet
  private let mailbox = Mutex(Mailbox())
  private let stopRequested = Atomic<Bool>(false)
  private let threadID = Atomic<UInt>(0)
  private var thread: pthread_t?
  private var threadName: StaticString?
  private var timers = TimerHeap()
  private var jobs = JobQueue()
  private var lowJobs = JobQueue()
  /// Trades places with the mailbox's array, so that neither is allocated anew.
  private var mail: [Job] = []
  private var turnEnds: [any TurnEndHandler] = []

  package init(index: Int) throws(EventLoopError) {
    self.index = index
    now = .now()
    turnEnd = now
    descriptors = try DescriptorSet()
    wake = descriptors.wake
    readBuffer = .allocate(byteCount: Self.readBufferBytes, alignment: 64)
  }

  deinit { readBuffer.deallocate() }

  // MARK: - Threads

  /// The loop whose thread this is.
  package static var current: EventLoop? {
    pthread_getspecific(currentKey).map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
  }

  private static let currentKey: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  package var isCurrent: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }
  package var isStopping: Bool { stopRequested.load(ordering: .relaxed) }

  /// Runs the loop on a thread of its own.
  ///
  /// - Parameter name: of the thread, at most 15 bytes; by default "loop-" and the index.
  package func start(name: StaticString? = nil) {
    threadName = name
    var created = pthread_t()
    let status = pthread_create(
      &created, nil,
      { argument in
        let loop = Unmanaged<EventLoop>.fromOpaque(argument!).takeRetainedValue()
        pthread_setname_np(pthread_self(), loop.threadName.map { "\($0)" } ?? "loop-\(loop.index)")
        loop.run()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    precondition(status == 0, "pthread_create: \(String(cString: strerror(status)))")
    thread = created
  }

  /// Waits until the thread that `start` made has ended.
  package func join() {
    if let thread { pthread_join(thread, nil) }
    thread = nil
  }

  /// Asks the loop to finish: what was submitted still runs, nothing new is taken. Thread: any.
  package func stop() {
    stopRequested.store(true, ordering: .relaxed)
    wakeUp()
  }

  private func wakeUp() {
    var one: UInt64 = 1
    _ = write(wake, &one, 8)
  }

  // MARK: - Jobs

  /// Runs `job` on the loop soon. false: the mailbox is full or closed, and the job will not run. Thread: any.
  package func submit(_ job: Job) -> Bool { post(job, limit: Self.mailboxLimit) }

  /// As `submit`, for what is bounded elsewhere (grants by the permits): only a loop that has stopped refuses it.
  @discardableResult
  package func submitPastBound(_ job: Job) -> Bool { post(job, limit: .max) }

  private func post(_ job: Job, limit: Int) -> Bool {
    // 0: refused, 1: taken, 2: taken and the loop must be woken.
    let outcome = mailbox.withLock { mailbox -> Int in
      guard !mailbox.isClosed, mailbox.jobs.count < limit else { return 0 }
      mailbox.jobs.append(job)
      guard mailbox.isAsleep else { return 1 }
      mailbox.isAsleep = false
      return 2
    }
    if outcome == 2 { wakeUp() }
    return outcome > 0
  }

  /// Runs `job` later in this turn, never inline. Thread: the loop's.
  package func enqueue(_ job: Job) { jobs.append(job) }

  /// Runs `job` when there is time for the low priority: behind those that were put there before, a turn's share at a
  /// time. Thread: the loop's.
  package func enqueueLow(_ job: Job) { lowJobs.append(job) }

  /// Calls `handler` once when this turn's jobs are done. Thread: the loop's.
  package func atEndOfTurn(_ handler: any TurnEndHandler) { turnEnds.append(handler) }

  // MARK: - Descriptors

  /// Watches a descriptor, level-triggered, until `remove`. The handler is held.
  package func add(
    _ descriptor: Int32, _ interest: DescriptorInterest, _ priority: DescriptorPriority = .normal,
    handler: any DescriptorHandler
  ) throws(EventLoopError) -> DescriptorToken {
    try descriptors.add(descriptor, interest, priority, handler: handler)
  }

  /// Watches for something else from now on, also among the events of this turn.
  package func modify(_ token: DescriptorToken, _ interest: DescriptorInterest) {
    descriptors.modify(token, interest)
  }

  /// Watches with another priority from the next wait on.
  package func modify(_ token: DescriptorToken, _ priority: DescriptorPriority) {
    descriptors.modify(token, priority)
  }

  /// Watches no longer; the descriptor stays open. No event that was already read reaches the handler after this.
  package func remove(_ token: DescriptorToken) { descriptors.remove(token) }

  // MARK: - Timers

  /// Calls `target` once, not before `instant`. The target is held until it fired or was cancelled.
  package func schedule(at instant: Instant, _ target: any TimerTarget, tag: UInt32) -> TimerID {
    timers.insert(at: instant, target, tag: tag)
  }

  /// false: it fired or was cancelled before.
  package func cancel(_ id: TimerID) -> Bool { timers.remove(id) }

  // MARK: - The turn

  /// Runs on the calling thread until `stop`.
  package func run() {
    threadID.store(UInt(pthread_self()), ordering: .relaxed)
    pthread_setspecific(Self.currentKey, Unmanaged.passUnretained(self).toOpaque())
    turnEnd = .now()
    while turn() {}
    pthread_setspecific(Self.currentKey, nil)
    threadID.store(0, ordering: .relaxed)
  }

  /// false: the loop was stopped and has nothing left to do.
  private func turn() -> Bool {
    let count = descriptors.wait(.normal, milliseconds: waitMilliseconds())
    now = .now()
    let began = now
    let hasLow = dispatch(count)
    fireTimers()
    let isStopping = self.isStopping
    finish(closing: isStopping)
    if hasLow || !lowJobs.isEmpty {
      runLow(hasLow)
      finish(closing: isStopping)
      // A flood keeps the thread from ever sleeping. The kernel's own for the network (ksoftirqd), once it is behind, gets
      // the core only when the thread's time is up, and what was sent waits for that.
      sched_yield()
    }
    turnEnd = .now()
    turns?.observe(turnEnd.nanoseconds(since: began))
    return !isStopping || !jobs.isEmpty || !lowJobs.isEmpty || !turnEnds.isEmpty
  }

  /// The jobs that there are now, and the end.
  private func finish(closing: Bool) {
    collectMail(closing: closing)
    var left = Self.jobsPerTurn
    while left > 0, let job = jobs.popFirst() {
      job.run()
      left -= 1
    }
    endTurn()
  }

  /// What can wait, until the time for it is up; at least one job and some descriptors.
  private func runLow(_ hasEvents: Bool) {
    now = .now()
    let end = now.advanced(nanoseconds: Self.lowNanoseconds)
    var hasEvents = hasEvents
    repeat {
      lowJobs.popFirst()?.run()
      if hasEvents {
        let count = descriptors.wait(.low, limit: Self.lowEvents, milliseconds: 0)
        hasEvents = count > 0
        _ = dispatch(count)
      }
      now = .now()
    } while now < end && (hasEvents || !lowJobs.isEmpty)
  }

  /// At most as many as there were, so that one which schedules itself in the past does not hold the turn.
  private func fireTimers() {
    var left = timers.count
    while left > 0, let (target, tag) = timers.popDue(now: now) {
      target.timerFired(tag)
      left -= 1
    }
  }

  private func waitMilliseconds() -> Int32 {
    if !jobs.isEmpty || !lowJobs.isEmpty || !turnEnds.isEmpty || isStopping { return 0 }
    guard fallAsleep() else { return 0 }
    guard let next = timers.next else { return -1 }
    let nanoseconds = next.nanoseconds(since: turnEnd)
    return Int32(min(nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1), 3_600_000))
  }

  /// false: mail has come in the meantime.
  private func fallAsleep() -> Bool {
    mailbox.withLock { mailbox in
      mailbox.isAsleep = mailbox.jobs.isEmpty
      return mailbox.isAsleep
    }
  }

  /// Tells whom the events of the last wait concern. true: some of the low priority are ready.
  private func dispatch(_ count: Int) -> Bool {
    var hasLow = false
    for index in 0..<count {
      switch descriptors.event(index) {
      case .nothing: break
      case .low: hasLow = true
      case .ready(let handler, let interest): handler.descriptorReady(interest)
      }
    }
    return hasLow
  }

  private func collectMail(closing: Bool) {
    mailbox.withLock { mailbox in
      mailbox.isAsleep = false
      mailbox.isClosed = closing
      swap(&mailbox.jobs, &mail)
    }
    for job in mail { jobs.append(job) }
    mail.removeAll(keepingCapacity: mail.capacity <= Self.jobsPerTurn)
  }

  private func endTurn() {
    guard !turnEnds.isEmpty else { return }
    let handlers = turnEnds
    turnEnds.removeAll(keepingCapacity: true)
    for handler in handlers { handler.turnEnded() }
  }
}
