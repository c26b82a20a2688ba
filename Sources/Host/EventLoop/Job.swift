/// Something to run on a loop.
package enum Job: @unchecked Sendable {  // Handed over whole: whoever submits it keeps nothing of it.
  case c(@convention(c) (UnsafeMutableRawPointer?) -> Void, UnsafeMutableRawPointer?)
  case work(() -> Void)

  @inline(__always)
  func run() {
    switch self {
    case .c(let function, let argument): function(argument)
    case .work(let body): body()
    }
  }
}

/// First in, first out; what waits is moved only when at least as much has gone before it.
struct JobQueue {
  /// Slots worth keeping, or worth getting back.
  private static let keptSlots = 4_096

  private var jobs: [Job?] = []
  private var head = 0

  var isEmpty: Bool { head == jobs.count }
  /// Places in memory, taken or given up.
  var slotCount: Int { jobs.count }

  mutating func append(_ job: Job) { jobs.append(job) }

  mutating func popFirst() -> Job? {
    guard head < jobs.count else { return nil }
    let job = jobs[head]
    jobs[head] = nil
    head += 1
    if head == jobs.count {
      jobs.removeAll(keepingCapacity: jobs.capacity <= Self.keptSlots)
      head = 0
    } else if head >= Self.keptSlots, head >= jobs.count / 2 {
      jobs.removeFirst(head)
      head = 0
    }
    return job
  }
}
