internal import CProviderABI
internal import ProviderContract
import Decisions
internal import Glibc

/// A C table that is made once and never changes or goes away.
///
/// `@unchecked Sendable`: nobody writes to it after `init`.
struct StaticTable: @unchecked Sendable {
  let pointer: UnsafeRawPointer

  init<Table>(_ table: Table) {
    let memory = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    memory.initialize(to: table)
    pointer = UnsafeRawPointer(memory)
  }
}

/// The service tables (provider_abi.h, "Host and services"). Their functions get the instance's prv_host.ctx.
enum ServiceTables {
  static let log = StaticTable(
    prv_log_v1(
      size: UInt32(MemoryLayout<prv_log_v1>.size), flags: 0,
      enabled: { context, level in
        guard let context else { return 0 }
        return InProcessProvider.from(context).log.isEnabled(LogLevel(provider: level)) ? 1 : 0
      },
      write: { context, call, level, message, fields, count in
        guard let context else { return }
        InProcessProvider.from(context).writeLog(call, level, message, fields, count)
      }))

  static let time = StaticTable(
    prv_time_v1(
      size: UInt32(MemoryLayout<prv_time_v1>.size), flags: 0,
      now_mono_ns: { _ in Instant.now().nanoseconds },
      now_unix_ns: { _ in
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
      },
      timer_start: { context, call, delay, function, argument, timer in
        guard let context, let function else { return PRV_E_INVALID_ARGUMENT }
        guard let slot = InProcessProvider.from(context).slot(of: call) else { return PRV_E_STALE }
        let started = slot.startTimer(call, after: delay, PluginJob(function: function, argument: argument))
        timer?.pointee = started.timer
        return started.status
      },
      timer_cancel: { context, timer in
        guard let context else { return PRV_E_INVALID_ARGUMENT }
        guard let slot = InProcessProvider.from(context).slot(of: timer) else { return PRV_E_STALE }
        return slot.cancelTimer(timer)
      }))

  static let http = StaticTable(
    prv_http_v1(
      size: UInt32(MemoryLayout<prv_http_v1>.size), flags: 0,
      request: { context, call, request, callbacks, argument, exchange in
        guard let context, let request, let callbacks else { return PRV_E_INVALID_ARGUMENT }
        guard let slot = InProcessProvider.from(context).slot(of: call) else { return PRV_E_STALE }
        let started = slot.request(call, request, callbacks, argument)
        exchange?.pointee = started.exchange
        return started.status
      },
      cancel: { context, exchange in
        guard let context else { return PRV_E_INVALID_ARGUMENT }
        guard let slot = InProcessProvider.from(context).slot(of: exchange) else { return PRV_E_STALE }
        return slot.cancelExchange(exchange)
      }))

  static let config = StaticTable(
    prv_config_v1(
      size: UInt32(MemoryLayout<prv_config_v1>.size), flags: 0,
      get: { context, path, value in
        guard let context, let path = path.string(limit: 1024) else { return PRV_E_INVALID_ARGUMENT }
        guard let text = InProcessProvider.from(context).settings.value(at: path) else { return PRV_E_NOT_FOUND }
        text.withUnsafeBytes { value.write?(value.ctx, prv_str($0)) }
        return PRV_OK
      }))

  static let exec = StaticTable(
    prv_exec_v1(
      size: UInt32(MemoryLayout<prv_exec_v1>.size), flags: 0,
      post: { context, function, argument in
        guard let context, let function else { return PRV_E_INVALID_ARGUMENT }
        return InProcessProvider.from(context).post(PluginJob(function: function, argument: argument))
      },
      post_call: { context, call, function, argument in
        guard let context, let function else { return PRV_E_INVALID_ARGUMENT }
        guard let slot = InProcessProvider.from(context).slot(of: call) else { return PRV_E_STALE }
        return slot.post(call, PluginJob(function: function, argument: argument))
      }))

  static let threadCheck = StaticTable(
    prv_thread_check_v1(
      size: UInt32(MemoryLayout<prv_thread_check_v1>.size), flags: 0,
      is_loop: { _ in EventLoop.current == nil ? 0 : 1 },
      is_call_loop: { context, call in
        guard let context, let slot = InProcessProvider.from(context).slot(of: call) else { return 0 }
        return slot.current.holds(call) && slot.table.loop.isCurrent ? 1 : 0
      }))
}
