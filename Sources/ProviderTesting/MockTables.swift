import CProviderABI

/// The function tables of a `MockHost`, in memory that stays where it is.
final class MockTables {
  let host = UnsafeMutablePointer<prv_host>.allocate(capacity: 1)
  private var services: [String: UnsafeMutableRawPointer] = [:]

  init(missing: Set<String>) {
    host.initialize(to: prv_host())
    add(PRV_SERVICE_LOG, Self.log, missing)
    add(PRV_SERVICE_TIME, Self.time, missing)
    add(PRV_SERVICE_HTTP, Self.http, missing)
    add(PRV_SERVICE_CONFIG, Self.config, missing)
    add(PRV_SERVICE_EXEC, Self.exec, missing)
  }

  deinit {
    host.deallocate()
    for table in services.values { table.deallocate() }
  }

  private func add<Table>(_ id: String, _ table: Table, _ missing: Set<String>) {
    guard !missing.contains(id) else { return }
    let memory = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    memory.initialize(to: table)
    services[id] = UnsafeMutableRawPointer(memory)
  }

  func service(_ id: String) -> UnsafeRawPointer? { services[id].map { UnsafeRawPointer($0) } }

  func adopt(_ owner: MockHost) {
    host.pointee.size = UInt32(MemoryLayout<prv_host>.size)
    host.pointee.ctx = Unmanaged.passUnretained(owner).toOpaque()
    host.pointee.get_service = { MockHost.of($0).service($1.string) }
    host.pointee.emit = { MockHost.of($0).emit($1, $2) }
    host.pointee.done = { MockHost.of($0).done($1, $2) }
  }

  private static func sized<Table>(_ table: Table, _ size: WritableKeyPath<Table, UInt32>) -> Table {
    var table = table
    table[keyPath: size] = UInt32(MemoryLayout<Table>.size)
    return table
  }

  private static var log: prv_log_v1 {
    var table = sized(prv_log_v1(), \.size)
    table.enabled = { _, _ in 1 }
    table.write = { MockHost.of($0).log($1, $2, $3, UnsafeBufferPointer(start: $4, count: Int($5))) }
    return table
  }

  private static var time: prv_time_v1 {
    var table = sized(prv_time_v1(), \.size)
    table.now_mono_ns = { MockHost.of($0).nowNanoseconds }
    table.now_unix_ns = { MockHost.of($0).nowNanoseconds }
    table.timer_start = { MockHost.of($0).startTimer($1, $2, $3, $4, $5) }
    table.timer_cancel = { MockHost.of($0).timers.removeValue(forKey: $1) == nil ? PRV_E_STALE : PRV_OK }
    return table
  }

  private static var http: prv_http_v1 {
    var table = sized(prv_http_v1(), \.size)
    table.request = { MockHost.of($0).request($1, $2, $3, $4, $5) }
    table.cancel = { MockHost.of($0).cancelExchange($1) }
    return table
  }

  private static var config: prv_config_v1 {
    var table = sized(prv_config_v1(), \.size)
    table.get = { _, _, _ in PRV_E_NOT_FOUND }
    return table
  }

  private static var exec: prv_exec_v1 {
    var table = sized(prv_exec_v1(), \.size)
    table.post = { MockHost.of($0).post($1, $2) }
    table.post_call = { MockHost.of($0).post(to: $1, $2, $3) }
    return table
  }
}
