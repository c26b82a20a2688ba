import CLinux

/// curl's multi handle on an event loop: its sockets are watched, its timer is kept, what it finished is collected.
///
/// Thread: the loop's.
final class CurlMulti: TimerTarget {
  /// Connections kept open for the next exchange; beyond them the one idle longest is closed.
  private static let idleConnections = 64

  let library: CurlLibrary
  private let handle: CurlLibrary.Handle
  private let loop: EventLoop
  private let log: Log
  private unowned let owner: CurlUpstreamClient
  private var sockets: [Int32: CurlSocket] = [:]
  private var timer: TimerID?
  private var isClosed = false

  /// nil: out of memory.
  init?(library: CurlLibrary, loop: EventLoop, log: Log, owner: CurlUpstreamClient) {
    guard let handle = library.multiInit() else { return nil }
    self.library = library
    self.handle = handle
    self.loop = loop
    self.log = log
    self.owner = owner
    let user = Unmanaged.passUnretained(self).toOpaque()
    let set = library.multiSet
    _ = clinux_curl_set_long(set, handle, Int32(CLINUX_CURLMOPT_PIPELINING), 0)
    _ = clinux_curl_set_long(set, handle, Int32(CLINUX_CURLMOPT_MAXCONNECTS), Self.idleConnections)
    _ = clinux_curl_set_pointer(set, handle, Int32(CLINUX_CURLMOPT_SOCKETDATA), user)
    _ = clinux_curl_set_pointer(set, handle, Int32(CLINUX_CURLMOPT_TIMERDATA), user)
    _ = clinux_curl_set_socket_function(set, handle, Int32(CLINUX_CURLMOPT_SOCKETFUNCTION), watchSocket)
    _ = clinux_curl_set_timer_function(set, handle, Int32(CLINUX_CURLMOPT_TIMERFUNCTION), setTimer)
  }

  deinit { precondition(isClosed, "a curl multi handle was dropped without close") }

  /// Closes every connection, those of the `running` exchanges and the idle ones.
  func close(abandoning running: [CurlEasy]) {
    isClosed = true
    for easy in running { remove(easy) }
    // Their sockets are reported while they close, so the callbacks stay until it is done.
    _ = library.multiCleanup(handle)
    for socket in sockets.values { socket.stop(loop) }
    sockets.removeAll()
    if let timer { _ = loop.cancel(timer) }
    timer = nil
  }

  /// false: curl has no memory for it.
  func add(_ easy: CurlEasy) -> Bool { check(library.multiAdd(handle, easy.handle), "curl_multi_add_handle") }

  /// A transfer that is under way loses its connection, since what is still to come would answer the next request.
  func remove(_ easy: CurlEasy) { _ = check(library.multiRemove(handle, easy.handle), "curl_multi_remove_handle") }

  func timeout() {
    act(Int32(CLINUX_CURL_SOCKET_TIMEOUT), 0)
    guard !isClosed, timer == nil else { return }
    // curl announces a time only when it changes: one that we reached too early would never come again.
    var milliseconds = -1
    _ = check(library.multiTimeout(handle, &milliseconds), "curl_multi_timeout")
    keep(milliseconds)
  }

  func timerFired(_ tag: UInt32) {
    timer = nil
    timeout()
  }

  func socketReady(_ descriptor: Int32, _ ready: DescriptorInterest) {
    var mask = 0
    if ready.contains(.read) || ready.contains(.hangup) { mask |= CLINUX_CURL_CSELECT_IN }
    if ready.contains(.write) { mask |= CLINUX_CURL_CSELECT_OUT }
    if ready.contains(.error) { mask |= CLINUX_CURL_CSELECT_ERR }
    act(descriptor, Int32(mask))
  }

  private func act(_ descriptor: Int32, _ mask: Int32) {
    var running: Int32 = 0
    _ = check(library.multiSocketAction(handle, descriptor, mask, &running), "curl_multi_socket_action")
    collect()
  }

  /// Completes what curl has finished. The delegates called here may close the client.
  private func collect() {
    var left: Int32 = 0
    while !isClosed, let message = library.multiNextMessage(handle, &left) {
      guard message.pointee.kind == CLINUX_CURLMSG_DONE, let easy = message.pointee.easy else { continue }
      let code = message.pointee.data.result
      var user: UnsafeMutableRawPointer?
      guard clinux_curl_get_pointer(library.easyGet, easy, Int32(CLINUX_CURLINFO_PRIVATE), &user) == 0 else { continue }
      owner.finish(CurlExchange.at(user), code: code)
    }
  }

  // MARK: - What curl asks for

  fileprivate func watch(_ descriptor: Int32, _ what: Int) {
    var interest: DescriptorInterest = []
    if what == CLINUX_CURL_POLL_IN || what == CLINUX_CURL_POLL_INOUT { interest.insert(.read) }
    if what == CLINUX_CURL_POLL_OUT || what == CLINUX_CURL_POLL_INOUT { interest.insert(.write) }
    guard !interest.isEmpty else {
      // Also a socket that is wanted for nothing now: its hangup would wake us without end.
      sockets.removeValue(forKey: descriptor)?.stop(loop)
      return
    }
    if let socket = sockets[descriptor] { return socket.change(interest, loop) }
    do {
      sockets[descriptor] = try CurlSocket(descriptor, interest, self, loop)
    } catch {
      // The exchange that needs it ends by its clocks.
      log.error("Cannot watch an upstream socket", ("reason", "\(error)"))
    }
  }

  /// Milliseconds; negative: no timer. curl rounds them down, so one is added: too early it would find nothing due.
  fileprivate func keep(_ milliseconds: Int) {
    if let timer { _ = loop.cancel(timer) }
    timer = nil
    guard milliseconds >= 0, !isClosed else { return }
    if milliseconds == 0 { return owner.queueDrive() }
    timer = loop.schedule(at: .now().advanced(milliseconds: UInt64(milliseconds) + 1), self, tag: 0)
  }

  private func check(_ code: Int32, _ call: StaticString) -> Bool {
    if code == 0 { return true }
    let reason = library.multiError(code).map { String(cString: $0) } ?? "curl multi error \(code)"
    log.error("An HTTP library call failed", ("call", "\(call)"), ("reason", reason))
    return false
  }
}

/// A socket of curl's on the loop; curl opens and closes it.
private final class CurlSocket: DescriptorHandler {
  private let descriptor: Int32
  private unowned let multi: CurlMulti
  private var token: DescriptorToken?

  init(_ descriptor: Int32, _ interest: DescriptorInterest, _ multi: CurlMulti, _ loop: EventLoop)
    throws(EventLoopError)
  {
    self.descriptor = descriptor
    self.multi = multi
    token = try loop.add(descriptor, interest, handler: self)
  }

  func change(_ interest: DescriptorInterest, _ loop: EventLoop) {
    if let token { loop.modify(token, interest) }
  }

  func stop(_ loop: EventLoop) {
    if let token { loop.remove(token) }
    token = nil
  }

  func descriptorReady(_ ready: DescriptorInterest) { multi.socketReady(descriptor, ready) }
}

private let watchSocket: clinux_curl_socket_function = { _, descriptor, what, user, _ in
  Unmanaged<CurlMulti>.fromOpaque(user!).takeUnretainedValue().watch(descriptor, Int(what))
  return 0
}

private let setTimer: clinux_curl_timer_function = { _, milliseconds, user in
  Unmanaged<CurlMulti>.fromOpaque(user!).takeUnretainedValue().keep(milliseconds)
  return 0
}
