/// What waits to be run on the mock host's loop.
///
/// First in, first out; with a generator any job may come next that nothing of its own call stands before, as on a host
/// with several loops.
struct MockQueue {
  typealias Function = @convention(c) (UnsafeMutableRawPointer?) -> Void

  enum Work {
    /// A function that the plugin posted.
    case function(Function, UnsafeMutableRawPointer?)
    /// The host's own; it calls the plugin through `MockHost.call`.
    case work(() -> Void)
  }

  struct Job {
    /// Jobs of one call keep their order; 0: of none, which keep theirs too.
    var call: UInt64
    var work: Work
  }

  private var jobs: [Job] = []

  var count: Int { jobs.count }

  func hasJobs(of call: UInt64) -> Bool { jobs.contains { $0.call == call } }

  mutating func append(_ job: Job) { jobs.append(job) }

  mutating func next(_ generator: inout SeededGenerator?) -> Job? {
    guard !jobs.isEmpty else { return nil }
    guard generator != nil, jobs.count > 1 else { return jobs.removeFirst() }
    var seen: Set<UInt64> = []
    let first = jobs.indices.filter { seen.insert(jobs[$0].call).inserted }
    return jobs.remove(at: first[generator!.below(first.count)])
  }
}
