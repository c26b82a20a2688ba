internal import CProviderABI
internal import Glibc
internal import JSON
internal import Synchronization

/// A host that makes instances and takes no calls: it notes what a plugin does in `create` and after `destroy`.
///
/// Its tables live as long as the process: what a broken plugin calls too late still arrives here. Any thread.
final class ProbeHost: @unchecked Sendable {  // tables are written before they are shared; the notes have a lock
  /// What every host offers, whatever a descriptor says.
  static let always = [PRV_SERVICE_LOG, PRV_SERVICE_TIME, PRV_SERVICE_CONFIG, PRV_SERVICE_EXEC]
  static let all = always + [PRV_SERVICE_HTTP, PRV_SERVICE_THREAD_CHECK]

  struct Notes {
    /// The HTTP requests that were tried.
    var requests = 0
    /// Host functions that were called although there was no call or no instance to call them for.
    var strange: [String] = []
    /// From now on nothing may be called (R014).
    var isOver = false
    var jobs: [Job] = []
  }

  struct Job: @unchecked Sendable {  // run once, on the thread that made the host
    var function: @convention(c) (UnsafeMutableRawPointer?) -> Void
    var argument: UnsafeMutableRawPointer?
  }

  let notes = Mutex(Notes())
  let settings: JSONValue
  let table: UnsafeMutablePointer<prv_host>
  private let services: [String: UnsafeMutableRawPointer]

  /// - Parameters:
  ///   - services: the ids that are offered.
  ///   - settings: what prv.config/1 answers with.
  ///   - extraBytes: how much longer each table is than in this version, as in a newer host.
  init(services ids: [String] = all, settings: JSONValue = .object([]), extraBytes: Int = 0) {
    self.settings = settings
    var services: [String: UnsafeMutableRawPointer] = [:]
    for id in ids { services[id] = ProbeTables.make(id, extraBytes: extraBytes) }
    self.services = services
    table = ProbeTables.allocate(prv_host(), extraBytes: extraBytes)
    table.pointee.size = UInt32(MemoryLayout<prv_host>.size + extraBytes)
    table.pointee.flags = extraBytes > 0 ? 0x8000_0000 : 0
    table.pointee.name = Self.text("patchbay-validator")
    table.pointee.version = Self.text("1.0.0")
    table.pointee.get_service = { ProbeHost.of($0).service($1) }
    table.pointee.emit = { context, _, _ in ProbeHost.of(context).withoutCall("emit") }
    table.pointee.done = { context, _, _ in ProbeHost.of(context).withoutCall("done") }
    table.pointee.ctx = Unmanaged.passRetained(self).toOpaque()
  }

  private static func text(_ text: StaticString) -> prv_str {
    prv_str(
      ptr: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), len: UInt64(text.utf8CodeUnitCount))
  }

  static func of(_ context: UnsafeMutableRawPointer?) -> ProbeHost {
    guard let context else { preconditionFailure("a host function was called without the table's ctx") }
    return Unmanaged<ProbeHost>.fromOpaque(context).takeUnretainedValue()
  }

  private func service(_ id: prv_str) -> UnsafeRawPointer? {
    note("get_service")
    guard let start = id.ptr, id.len <= 256 else { return nil }
    let name = String(decoding: UnsafeRawBufferPointer(start: start, count: Int(id.len)), as: UTF8.self)
    return services[name].map { UnsafeRawPointer($0) }
  }

  /// Notes a call of a host function, which is a breach once it is over.
  func note(_ function: String) {
    notes.withLock { notes in
      if notes.isOver { notes.strange.append("\(function) after destroy") }
    }
  }

  /// Answers a function that needs a call: there is none.
  func withoutCall(_ function: String) -> Int32 {
    notes.withLock { $0.strange.append("\(function) without a call") }
    return PRV_E_STALE
  }

  func request() -> Int32 {
    notes.withLock { $0.requests += 1 }
    return PRV_E_STALE
  }

  func post(_ function: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?, _ argument: UnsafeMutableRawPointer?)
    -> Int32
  {
    note("post")
    guard let function else { return PRV_E_INVALID_ARGUMENT }
    let job = Job(function: function, argument: argument)
    notes.withLock { $0.jobs.append(job) }
    return PRV_OK
  }

  /// What prv.config/1 has at `path`.
  func setting(_ path: String) -> String? {
    note("get")
    var value = settings
    for name in path.split(separator: ".", omittingEmptySubsequences: false) {
      guard let next = value[String(name)] ?? Int(name).flatMap({ value[$0] }) else { return nil }
      value = next
    }
    return value.text
  }

  /// Runs what was posted, and what that posts, bounded.
  func runJobs() {
    for _ in 0..<10_000 {
      let jobs = notes.withLock { notes in
        defer { notes.jobs = [] }
        return notes.jobs
      }
      if jobs.isEmpty { return }
      for job in jobs { job.function(job.argument) }
    }
  }
}
