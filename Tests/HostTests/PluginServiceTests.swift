import CProviderABI
import ProviderContract
import Decisions
import Dispatch
import Synchronization
import Testing

@testable import Host

/// A Swift closure as C's function and argument. It lives until the process ends: the plugin side owns nothing.
struct CClosure {
  let argument: UnsafeMutableRawPointer
  let function: @convention(c) (UnsafeMutableRawPointer?) -> Void = { argument in
    Unmanaged<Box<() -> Void>>.fromOpaque(argument!).takeUnretainedValue().value!()
  }

  init(_ body: @escaping () -> Void) {
    let box = Box<() -> Void>()
    box.value = body
    argument = Unmanaged.passRetained(box).toOpaque()
  }
}

/// What the host's services do for a plugin: log, time, config, exec, thread-check.
@Suite struct PluginServiceTests {
  private let bench: PluginBench
  private let sink = RecordingSink()

  init() throws {
    bench = try PluginBench {
      $0.models = [.init(id: "m1"), .init(id: "m2")]
      $0.settingsJSON = #"{"region": "eu", "depth": {"a.b": [1, {"c": true}]}, "base_url": "mine"}"#
    }
  }

  private var context: UnsafeMutableRawPointer? { bench.table.pointee.ctx }

  private func time() throws -> prv_time_v1 {
    try #require(bench.service(PRV_SERVICE_TIME, as: prv_time_v1.self)).pointee
  }

  private func exec() throws -> prv_exec_v1 {
    try #require(bench.service(PRV_SERVICE_EXEC, as: prv_exec_v1.self)).pointee
  }

  @Test func `a service that is unknown or of another revision is not offered`() {
    for id in ["prv.log/2", "prv.log", "", "prv.telepathy/1"] {
      #expect(bench.service(id, as: UInt32.self) == nil)
    }
  }

  // Timers

  @Test(arguments: [true, false])
  func `a timer fires once on the call's loop`(startsOnLoop: Bool) throws {
    let time = try time()
    let call = try bench.open("hold", sink).get()
    let fired = DispatchSemaphore(value: 0)
    let wasOnLoop = Box<Bool>()
    let closure = CClosure { [bench] in
      wasOnLoop.value = bench.loop.isCurrent
      fired.signal()
    }
    let timer = Box<prv_timer>()
    timer.value = 0
    let start = { [context] in
      time.timer_start(context, call.rawValue, 1, closure.function, closure.argument, &timer.value!)
    }
    let status: Int32 = startsOnLoop ? bench.onLoop(start) : start()
    #expect(status == PRV_OK)
    #expect(fired.wait(timeout: .now() + 20) == .success)
    #expect(wasOnLoop.value == true)
    let late = bench.onLoop { [context] in time.timer_cancel(context, timer.value!) }
    #expect(late == PRV_E_STALE)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `a call has 16 timers, and a cancelled one makes room`() throws {
    let time = try time()
    let call = try bench.open("hold", sink).get()
    let never = CClosure { Issue.record("a timer fired that was cancelled or whose call was closed") }
    var timers: [prv_timer] = []
    for _ in 0..<16 {
      var timer: prv_timer = 0
      #expect(
        time.timer_start(context, call.rawValue, 3_600_000_000_000, never.function, never.argument, &timer) == PRV_OK)
      timers.append(timer)
    }
    #expect(Set(timers).count == 16 && !timers.contains(0))
    var beyond: prv_timer = 0
    #expect(time.timer_start(context, call.rawValue, 1, never.function, never.argument, &beyond) == PRV_E_LIMIT)
    #expect(time.timer_cancel(context, timers[3]) == PRV_OK)
    #expect(time.timer_cancel(context, timers[3]) == PRV_E_STALE)
    #expect(
      time.timer_start(context, call.rawValue, .max, never.function, never.argument, &beyond) == PRV_OK)
    #expect(beyond != timers[3])
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
    bench.settle()
    #expect(time.timer_cancel(context, timers[0]) == PRV_E_STALE)
    #expect(time.timer_start(context, call.rawValue, 1, never.function, never.argument, &beyond) == PRV_E_STALE)
  }

  @Test func `the clocks run`() throws {
    let time = try time()
    let before = Instant.now().nanoseconds
    #expect(time.now_mono_ns(context) >= before)
    #expect(time.now_unix_ns(context) > 1_700_000_000_000_000_000)
  }

  // Exec

  @Test func `a posted function runs on a loop, after post returned when posted there`() throws {
    let exec = try exec()
    let ran = DispatchSemaphore(value: 0)
    let places = Mutex<[Bool]>([])
    let closure = CClosure { [bench] in
      places.withLock { $0.append(bench.loop.isCurrent) }
      ran.signal()
    }
    #expect(exec.post(context, closure.function, closure.argument) == PRV_OK)
    let ranInside = bench.onLoop { [context] in
      let before = places.withLock { $0.count }
      _ = exec.post(context, closure.function, closure.argument)
      return places.withLock { $0.count } != before
    }
    #expect(!ranInside)
    for _ in 0..<2 { #expect(ran.wait(timeout: .now() + 20) == .success) }
    #expect(places.withLock { $0 } == [true, true])
  }

  @Test func `what is posted to a call runs before the call is closed`() throws {
    let exec = try exec()
    let call = try bench.open("hold", sink).get()
    let closes = Mutex<[Int32]>([])
    let closure = CClosure { [bench] in closes.withLock { $0.append(bench.count("closes")) } }
    bench.onLoop { [bench, context] in
      _ = exec.post_call(context, call.rawValue, closure.function, closure.argument)
      _ = bench.done(call)
      _ = exec.post_call(context, call.rawValue, closure.function, closure.argument)
      _ = PluginBench.elsewhere { exec.post_call(context, call.rawValue, closure.function, closure.argument) }
    }
    bench.settle()
    #expect(closes.withLock { $0 } == [0, 0, 0])
    #expect(bench.count("closes") == 1)
    #expect(exec.post_call(context, call.rawValue, closure.function, closure.argument) == PRV_E_STALE)
  }

  @Test func `after the loop has stopped nothing is posted`() throws {
    let exec = try exec()
    let call = try bench.open("hold", sink).get()
    let closure = CClosure { Issue.record("a function ran that was refused") }
    bench.loop.stop()
    bench.loop.join()
    #expect(exec.post(context, closure.function, closure.argument) == PRV_E_STATE)
    #expect(exec.post_call(context, call.rawValue, closure.function, closure.argument) == PRV_E_STATE)
  }

  // Config, log, thread-check

  @Test(
    arguments: [
      ("region", #""eu""#), ("models.1.id", #""m2""#), ("has_key", "true"),
      ("base_url", #""https://api.example.org/v1""#),
      ("models.2", nil), ("models.-1", nil), ("nowhere", nil), ("region.x", nil), ("", nil),
    ] as [(String, String?)])
  func `a setting is found by its path`(path: String, expected: String?) throws {
    let config = try #require(bench.service(PRV_SERVICE_CONFIG, as: prv_config_v1.self)).pointee
    var path = path
    let (status, text) = path.withUTF8 { path in
      SinkText.gather { config.get(context, prv_str(UnsafeRawBufferPointer(path)), $0) }
    }
    #expect(status == (expected == nil ? PRV_E_NOT_FOUND : PRV_OK))
    #expect(text == expected ?? "")
  }

  @Test func `no setting tells the key`() throws {
    #expect(!bench.provider.settings.json.contains("sk-0123456789"))
    #expect(bench.provider.settings.json.contains(#""has_key":true"#))
  }

  @Test func `a plugin's line names the plugin, the request and no key`() throws {
    let log = try #require(bench.service(PRV_SERVICE_LOG, as: prv_log_v1.self)).pointee
    let call = try bench.open("hold", sink).get()
    let key: StaticString = "sk-0123456789"
    let fields = [
      prv_field(name: prv_str("value"), value: prv_str(key)), prv_field(name: prv_str("plugin"), value: prv_str("x")),
    ]
    log.write(context, call.rawValue, PRV_LOG_WARNING, prv_str("retrying"), fields, 2)
    #expect(
      try bench.log.line() == "warning retrying plugin=org.example.calls provider=bench request_id=request-1 "
        + "value=[redacted] plugin_plugin=x")
    log.write(context, 0, PRV_LOG_ERROR, prv_str("broken"), nil, 7)
    #expect(try bench.log.line() == "error broken plugin=org.example.calls provider=bench")
    bench.provider.log.setLevel(.error)
    #expect(log.enabled(context, PRV_LOG_WARNING) == 0)
    #expect(log.enabled(context, PRV_LOG_ERROR) == 1)
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }

  @Test func `a thread is told whether it is the call's loop`() throws {
    let check = try #require(bench.service(PRV_SERVICE_THREAD_CHECK, as: prv_thread_check_v1.self)).pointee
    let call = try bench.open("hold", sink).get()
    #expect(check.is_loop(context) == 0)
    #expect(check.is_call_loop(context, call.rawValue) == 0)
    let answers = bench.onLoop { [context] in
      [check.is_loop(context), check.is_call_loop(context, call.rawValue), check.is_call_loop(context, 0)]
    }
    #expect(answers == [1, 1, 0])
    #expect(bench.done(call) == PRV_OK)
    _ = try sink.end()
  }
}
