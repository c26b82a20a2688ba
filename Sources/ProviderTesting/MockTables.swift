import CProviderABI
import ProviderContract

/// The function tables of every mock host. Their functions find the instance's `MockSeat` through `ctx`.
enum MockTables {
  static let services: Set<String> = [
    PRV_SERVICE_LOG, PRV_SERVICE_TIME, PRV_SERVICE_HTTP, PRV_SERVICE_CONFIG, PRV_SERVICE_EXEC, PRV_SERVICE_THREAD_CHECK,
  ]

  /// A table in memory that stays where it is. `@unchecked Sendable`: nobody writes to it.
  private struct Table: @unchecked Sendable {
    let pointer: UnsafeRawPointer

    init<Struct>(_ table: Struct, _ size: WritableKeyPath<Struct, UInt32>) {
      let memory = UnsafeMutablePointer<Struct>.allocate(capacity: 1)
      memory.initialize(to: table)
      memory.pointee[keyPath: size] = UInt32(MemoryLayout<Struct>.size)
      pointer = UnsafeRawPointer(memory)
    }
  }

  static func service(_ id: String) -> UnsafeRawPointer? {
    switch id {
    case PRV_SERVICE_LOG: log.pointer
    case PRV_SERVICE_TIME: time.pointer
    case PRV_SERVICE_HTTP: http.pointer
    case PRV_SERVICE_CONFIG: config.pointer
    case PRV_SERVICE_EXEC: exec.pointer
    case PRV_SERVICE_THREAD_CHECK: threadCheck.pointer
    default: nil
    }
  }

  static var host: prv_host {
    var table = prv_host()
    table.size = UInt32(MemoryLayout<prv_host>.size)
    table.name = prv_str("mock host")
    table.version = prv_str("1.0")
    table.get_service = { context, id in
      MockSeat.serve(context, .getService, or: nil) { host, _ in
        host.offered.contains(id.string) ? MockTables.service(id.string) : nil
      }
    }
    table.emit = { context, call, event in MockHost.emit(context, call, event) }
    table.done = { context, call, done in
      MockSeat.serve(context, .done, call, or: PRV_E_STALE) { host, _ in host.done(call, done) }
    }
    return table
  }

  private static let log = Table(
    prv_log_v1(
      size: 0, flags: 0,
      enabled: { context, _ in MockSeat.serve(context, .logEnabled, or: 0) { _, _ in 1 } },
      write: { context, call, level, message, fields, count in
        MockSeat.serve(context, .logWrite, call, or: ()) { host, _ in
          host.log(level, message, UnsafeBufferPointer(start: fields, count: fields == nil ? 0 : Int(min(count, 256))))
        }
      }), \.size)

  private static let time = Table(
    prv_time_v1(
      size: 0, flags: 0,
      now_mono_ns: { context in MockSeat.serve(context, .nowMono, or: 0) { host, _ in host.nowNanoseconds } },
      now_unix_ns: { context in MockSeat.serve(context, .nowUnix, or: 0) { host, _ in host.nowNanoseconds } },
      timer_start: { context, call, delay, function, argument, timer in
        MockSeat.serve(context, .timerStart, call, or: PRV_E_STALE) { host, _ in
          host.startTimer(call, delay, function, argument, timer)
        }
      },
      timer_cancel: { context, timer in
        MockSeat.serve(context, .timerCancel, timer, or: PRV_E_STALE) { host, _ in
          host.timers.removeValue(forKey: timer) == nil ? PRV_E_STALE : PRV_OK
        }
      }), \.size)

  private static let http = Table(
    prv_http_v1(
      size: 0, flags: 0,
      request: { context, call, request, callbacks, owner, exchange in
        MockSeat.serve(context, .httpRequest, call, or: PRV_E_STALE) { host, _ in
          host.request(call, request, callbacks, owner, exchange)
        }
      },
      cancel: { context, exchange in
        MockSeat.serve(context, .httpCancel, exchange, or: PRV_E_STALE) { host, _ in host.cancelExchange(exchange) }
      }), \.size)

  private static let config = Table(
    prv_config_v1(
      size: 0, flags: 0,
      get: { context, path, value in
        let found = MockSeat.serve(context, .configGet, or: String?.none) { _, seat in seat.setting(at: path.string) }
        guard let found else { return PRV_E_NOT_FOUND }
        lend(found) { value.write?(value.ctx, $0) }
        return PRV_OK
      }), \.size)

  private static let exec = Table(
    prv_exec_v1(
      size: 0, flags: 0,
      post: { context, function, argument in
        MockSeat.serve(context, .post, or: PRV_E_STATE) { host, _ in host.post(function, argument) }
      },
      post_call: { context, call, function, argument in
        MockSeat.serve(context, .postCall, call, or: PRV_E_STALE) { host, _ in
          host.post(to: call, function, argument)
        }
      }), \.size)

  private static let threadCheck = Table(
    prv_thread_check_v1(
      size: 0, flags: 0,
      is_loop: { context in
        MockSeat.serve(context, .threadCheck, or: 0) { host, _ in host.isOnLoop ? 1 : 0 }
      },
      is_call_loop: { context, call in
        MockSeat.serve(context, .threadCheck, call, or: 0) { host, _ in
          host.isOnLoop && host.calls[call].map { $0.stage != .closed } ?? false ? 1 : 0
        }
      }), \.size)
}
