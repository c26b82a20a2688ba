internal import Glibc
internal import Synchronization

/// How deep one loop is inside functions that plugins called. The host calls no plugin while it is (PRV-R009), whichever
/// instance that is. Thread: the loop's.
final class PluginGate {
  var depth = 0
}

/// The calls of one instance on one loop: slots that are made once, reused by generation, and never freed, because a
/// plugin may ask about a handle at any time.
///
/// `@unchecked Sendable`: `slots` and `count` are written by the loop and published by `count`; the free list and the
/// gate belong to the loop; the inbox has its own lock.
final class CallTable: @unchecked Sendable {
  /// Calls in flight of one instance on one loop.
  static let callsLimit = 16_384

  unowned(unsafe) let provider: InProcessProvider
  let loop: EventLoop
  let gate: PluginGate
  let upstream: (any UpstreamClient)?
  let inbox = CallInbox()
  /// Calls that are not closed. Written by the loop.
  let openCalls = Atomic(0)
  /// Events of a kind that this host does not know.
  let unknownEvents = Atomic(0)

  private let slots: UnsafeMutablePointer<Unmanaged<CallSlot>?>
  private let count = Atomic(0)
  private var free: CallSlot?

  init(provider: InProcessProvider, loop: EventLoop, gate: PluginGate, upstream: (any UpstreamClient)?) {
    self.provider = provider
    self.loop = loop
    self.gate = gate
    self.upstream = upstream
    // Zeroed by the kernel as it is used: slots that never were cost nothing. Not from the heap, where what is zeroed by
    // hand is used: a plugin that is replaced a hundred times leaves a hundred tables.
    let memory = mmap(
      nil, Self.callsLimit * MemoryLayout<Unmanaged<CallSlot>?>.stride, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { fatalError("no memory for \(Self.callsLimit) call slots") }
    slots = memory.bindMemory(to: Unmanaged<CallSlot>?.self, capacity: Self.callsLimit)
  }

  /// The slot that `handle` names, whatever its generation. Thread: any.
  @inline(__always)
  func slot(of handle: UInt64) -> CallSlot? {
    let index = CallHandle.slot(handle)
    guard index < count.load(ordering: .acquiring) else { return nil }
    return slots[index]?.takeUnretainedValue()
  }

  /// A free slot; nil when all are taken. Thread: loop.
  @inline(__always)
  func takeSlot() -> CallSlot? {
    guard let slot = free else { return makeSlot() }
    free = slot.nextFree
    slot.nextFree = nil
    openCalls.add(1, ordering: .relaxed)
    return slot
  }

  private func makeSlot() -> CallSlot? {
    let index = count.load(ordering: .relaxed)
    guard index < Self.callsLimit else { return nil }
    let slot = CallSlot(table: self, index: index)
    slots[index] = .passRetained(slot)
    count.store(index + 1, ordering: .releasing)
    openCalls.add(1, ordering: .relaxed)
    return slot
  }

  /// Takes a closed call's slot back. Thread: loop.
  func putBack(_ slot: CallSlot) {
    slot.nextFree = free
    free = slot
    openCalls.subtract(1, ordering: .relaxed)
  }

  /// Every slot that was ever used. Thread: loop.
  func forEachSlot(_ body: (CallSlot) -> Void) {
    for index in 0..<count.load(ordering: .relaxed) {
      if let slot = slots[index] { body(slot.takeUnretainedValue()) }
    }
  }
}

// The way from other threads to the loop.
extension CallTable {
  /// Hands `item` to the loop. Thread: any. False: too much waits already, or the loop is stopping; what `mustKeep` is
  /// held back by the latter only.
  func send(_ item: CallInbox.Item, mustKeep: Bool = false) -> Bool {
    inbox.append(item, mustKeep: mustKeep) {
      let job = Job.c(Self.drainJob, Unmanaged.passUnretained(self).toOpaque())
      return mustKeep ? loop.submitPastBound(job) : loop.submit(job)
    }
  }

  // Tables live as long as the process, so the job need not hold one.
  private static let drainJob: @convention(c) (UnsafeMutableRawPointer?) -> Void = { table in
    guard let table else { return }
    Unmanaged<CallTable>.fromOpaque(table).takeUnretainedValue().drain()
  }

  private func drain() {
    for item in inbox.take() {
      switch item {
      case .event(let slot, let generation, let event): slot.receive(event, generation)
      case .end(let slot, let generation, let end): slot.receive(end, generation)
      case .fault(let slot, let generation, let failure): slot.receive(failure, generation)
      case .job(let job): job.run()
      case .callJob(let slot, let job): slot.run(job)
      case .timer(let slot, let part, let generation, let deadline): slot.armTimer(part, generation, at: deadline)
      case .request(let slot, let exchange, let request): slot.startLate(exchange, request)
      case .cancelExchange(let slot, let exchange): slot.cancelExchange(exchange)
      case .cancelAll(let reason): forEachSlot { $0.cancel(reason) }
      }
    }
  }
}
