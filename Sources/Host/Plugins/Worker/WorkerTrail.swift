internal import CLinux
internal import Glibc

/// A page of memory that a worker shares with its host: which function of the plugin it is in, and for which request.
/// When the worker dies, the host reads there what it cannot be told any more.
///
/// Owner: one process on each side; one thread writes. The host trusts nothing in it.
final class WorkerTrail {
  /// What the worker does, as the log names it.
  enum Step: UInt32 {
    case between = 0
    case load = 1
    case create = 2
    case open = 3
    case cancel = 4
    case resume = 5
    case headers = 6
    case body = 7
    case event = 8
    case complete = 9
    case stop = 10
    case destroy = 11

    var name: String {
      switch self {
      case .between: "a timer, a posted function or a thread of its own"
      case .load: "its constructors or prv_plugin_entry_v1"
      case .create: "create or start"
      case .open: "call_open"
      case .cancel: "call_cancel"
      case .resume: "call_resume"
      case .headers: "on_headers"
      case .body: "on_body"
      case .event: "on_sse"
      case .complete: "on_complete"
      case .stop: "stop"
      case .destroy: "destroy"
      }
    }
  }

  private static let pageBytes = 4096
  private static let requestIDBytesLimit = 1024

  private let page: UnsafeMutableRawPointer

  /// Maps what `descriptor` leads to; the descriptor stays the caller's. nil: it cannot be mapped.
  init?(descriptor: Int32) {
    let page = mmap(nil, Self.pageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let page, page != MAP_FAILED else { return nil }
    self.page = page
  }

  deinit { munmap(page, Self.pageBytes) }

  /// Anonymous memory for one page; the descriptor is the caller's.
  static func makeDescriptor() throws(PluginFault) -> Int32 {
    let descriptor = clinux_memfd("patchbay-trail")
    guard descriptor >= 0, ftruncate(descriptor, off_t(pageBytes)) == 0 else {
      throw PluginFault("no shared memory: \(systemMessage(errno))", remedy: "raise the limit of open files")
    }
    return descriptor
  }

  /// Thread: the one that writes.
  func note(_ step: Step, _ requestID: [UInt8]) {
    let count = min(requestID.count, Self.requestIDBytesLimit)
    requestID.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { (page + 8).copyMemory(from: start, byteCount: count) }
    }
    page.storeBytes(of: UInt32(count), toByteOffset: 4, as: UInt32.self)
    page.storeBytes(of: step.rawValue, as: UInt32.self)
  }

  func noteBetween() { page.storeBytes(of: Step.between.rawValue, as: UInt32.self) }

  /// The last step, and the request that it was for; "" when it was for none.
  func read() -> (step: Step, requestID: String) {
    let step = Step(rawValue: page.load(as: UInt32.self)) ?? .between
    let count = min(Int(page.load(fromByteOffset: 4, as: UInt32.self)), Self.requestIDBytesLimit)
    guard step != .between else { return (step, "") }
    return (step, String(decoding: UnsafeRawBufferPointer(start: page + 8, count: count), as: UTF8.self))
  }
}
