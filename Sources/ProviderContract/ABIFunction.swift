/// A function of provider_abi.h, in either direction. The raw value is part of `CallTrail`'s layout: append only.
public enum ABIFunction: UInt8, CaseIterable, Sendable, CustomStringConvertible {
  // The host calls the plugin.
  case entry = 1
  case create
  case getExtension
  case start
  case stop
  case destroy
  case callOpen
  case callCancel
  case callResume
  case callClose
  case onHeaders
  case onBody
  case onSSE
  case onComplete
  case timerFunction
  case postedFunction
  // The plugin calls the host.
  case getService
  case emit
  case done
  case logEnabled
  case logWrite
  case nowMono
  case nowUnix
  case timerStart
  case timerCancel
  case httpRequest
  case httpCancel
  case configGet
  case post
  case postCall
  case threadCheck

  /// Whether the plugin calls it.
  public var isHosts: Bool { rawValue >= Self.getService.rawValue }

  /// As the header names it.
  public var description: String {
    switch self {
    case .entry: "prv_plugin_entry_v1"
    case .create: "create"
    case .getExtension: "get_extension"
    case .start: "start"
    case .stop: "stop"
    case .destroy: "destroy"
    case .callOpen: "call_open"
    case .callCancel: "call_cancel"
    case .callResume: "call_resume"
    case .callClose: "call_close"
    case .onHeaders: "on_headers"
    case .onBody: "on_body"
    case .onSSE: "on_sse"
    case .onComplete: "on_complete"
    case .timerFunction: "timer fn"
    case .postedFunction: "posted fn"
    case .getService: "get_service"
    case .emit: "emit"
    case .done: "done"
    case .logEnabled: "log.enabled"
    case .logWrite: "log.write"
    case .nowMono: "time.now_mono_ns"
    case .nowUnix: "time.now_unix_ns"
    case .timerStart: "time.timer_start"
    case .timerCancel: "time.timer_cancel"
    case .httpRequest: "http.request"
    case .httpCancel: "http.cancel"
    case .configGet: "config.get"
    case .post: "exec.post"
    case .postCall: "exec.post_call"
    case .threadCheck: "thread_check"
    }
  }
}
