internal import CProviderABI
internal import Glibc

/// The service tables of a `ProbeHost`, in memory that is never freed.
enum ProbeTables {
  /// The table of the service `id`, longer than this version's by `extraBytes`.
  static func make(_ id: String, extraBytes: Int) -> UnsafeMutableRawPointer {
    switch id {
    case PRV_SERVICE_LOG: sized(log, \.size, extraBytes)
    case PRV_SERVICE_TIME: sized(time, \.size, extraBytes)
    case PRV_SERVICE_HTTP: sized(http, \.size, extraBytes)
    case PRV_SERVICE_CONFIG: sized(config, \.size, extraBytes)
    case PRV_SERVICE_EXEC: sized(exec, \.size, extraBytes)
    case PRV_SERVICE_THREAD_CHECK: sized(threadCheck, \.size, extraBytes)
    default: preconditionFailure("there is no service \(id)")
    }
  }

  /// What lies behind the known fields is no zero: who reads it reads nonsense.
  static func allocate<Table>(_ table: Table, extraBytes: Int) -> UnsafeMutablePointer<Table> {
    let bytes = MemoryLayout<Table>.stride + extraBytes
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
    memset(memory, 0x5A, bytes)
    let typed = memory.bindMemory(to: Table.self, capacity: 1)
    typed.initialize(to: table)
    return typed
  }

  private static func sized<Table>(_ table: Table, _ size: WritableKeyPath<Table, UInt32>, _ extraBytes: Int)
    -> UnsafeMutableRawPointer
  {
    let memory = allocate(table, extraBytes: extraBytes)
    memory.pointee[keyPath: size] = UInt32(MemoryLayout<Table>.size + extraBytes)
    return UnsafeMutableRawPointer(memory)
  }

  private static var log: prv_log_v1 {
    var table = prv_log_v1()
    table.enabled = { context, _ in
      ProbeHost.of(context).note("log.enabled")
      return 1
    }
    table.write = { context, _, _, _, _, _ in ProbeHost.of(context).note("log.write") }
    return table
  }

  private static var time: prv_time_v1 {
    var table = prv_time_v1()
    table.now_mono_ns = { context in
      ProbeHost.of(context).note("now_mono_ns")
      return MonotonicClock.nanoseconds()
    }
    table.now_unix_ns = { context in
      ProbeHost.of(context).note("now_unix_ns")
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
    }
    table.timer_start = { context, _, _, _, _, _ in ProbeHost.of(context).withoutCall("timer_start") }
    table.timer_cancel = { _, _ in PRV_E_STALE }
    return table
  }

  private static var http: prv_http_v1 {
    var table = prv_http_v1()
    table.request = { context, _, _, _, _, _ in ProbeHost.of(context).request() }
    table.cancel = { _, _ in PRV_E_STALE }
    return table
  }

  private static var config: prv_config_v1 {
    var table = prv_config_v1()
    table.get = { context, path, sink in
      guard let start = path.ptr, path.len <= 1024 else { return PRV_E_NOT_FOUND }
      let name = String(decoding: UnsafeRawBufferPointer(start: start, count: Int(path.len)), as: UTF8.self)
      guard let value = ProbeHost.of(context).setting(name) else { return PRV_E_NOT_FOUND }
      lend(value) { sink.write?(sink.ctx, $0) }
      return PRV_OK
    }
    return table
  }

  private static var exec: prv_exec_v1 {
    var table = prv_exec_v1()
    table.post = { ProbeHost.of($0).post($1, $2) }
    table.post_call = { context, _, _, _ in ProbeHost.of(context).withoutCall("post_call") }
    return table
  }

  private static var threadCheck: prv_thread_check_v1 {
    var table = prv_thread_check_v1()
    table.is_loop = { _ in 1 }
    table.is_call_loop = { _, _ in 0 }
    return table
  }
}
