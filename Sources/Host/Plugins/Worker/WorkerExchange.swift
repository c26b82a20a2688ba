internal import Bytes

/// An HTTP exchange that the host makes for a worker's call. The worker hears what comes; the key stays here.
///
/// Thread: its channel's loop.
final class WorkerExchange: UpstreamExchangeDelegate {
  /// Why its socket is not read.
  struct Pause: OptionSet {
    let rawValue: Int
    /// The client takes no more.
    static let sink = Pause(rawValue: 1)
    /// The worker has yet to take what was passed on.
    static let window = Pause(rawValue: 2)
    /// The plugin's call was paused in the worker.
    static let worker = Pause(rawValue: 4)
  }

  let number: UInt32
  private let call: WorkerCall
  private unowned let channel: WorkerChannel
  private var running: UpstreamExchangeID?
  private var pauses: Pause = []
  private var isCancelled = false
  /// The worker that asked is gone.
  private var isAbandoned = false

  init(number: UInt32, call: WorkerCall, channel: WorkerChannel) {
    self.number = number
    self.call = call
    self.channel = channel
  }

  func start(_ request: UpstreamRequest, isSinkPaused: Bool, isWindowFull: Bool) {
    guard let upstream = channel.upstream else {
      return refuse(ProviderFailure(status: ProviderStatus.unsupported, message: "the host has no HTTP library"))
    }
    do throws(ProviderFailure) {
      running = try upstream.start(request, delegate: self)
    } catch {
      return refuse(error)
    }
    set(.sink, paused: isSinkPaused)
    set(.window, paused: isWindowFull)
  }

  /// It ends before it began; nil: it was cancelled.
  func refuse(_ failure: ProviderFailure?) {
    let result = UpstreamResult(failure: failure, isCancelled: failure == nil)
    channel.send(.exchangeComplete, call: call.id) { [number] in result.write(number: number, to: &$0) }
    call.forget(self)
  }

  func cancel() {
    guard !isCancelled, let running else { return }
    isCancelled = true
    channel.upstream?.cancel(running)
  }

  func abandon() {
    isAbandoned = true
    cancel()
  }

  func set(_ pause: Pause, paused: Bool) {
    let wasPaused = !pauses.isEmpty
    if paused { pauses.insert(pause) } else { pauses.remove(pause) }
    guard wasPaused == pauses.isEmpty, let running else { return }
    if pauses.isEmpty { channel.upstream?.resume(running) } else { channel.upstream?.pause(running) }
  }

  func upstreamConnected(_ exchange: UpstreamExchangeID) {
    guard !isAbandoned else { return }
    call.sink?.providerPhase(.connected)
    channel.send(.exchangeConnected, call: call.id) { [number] in $0.appendField(number) }
  }

  func upstreamHead(_ exchange: UpstreamExchangeID, status: UInt32, headers: [(name: String, value: String)]) {
    guard !isAbandoned else { return }
    call.sink?.providerPhase(.headers)
    guard !isCancelled else { return }
    channel.send(.exchangeHead, call: call.id) { [number] in
      WorkerExchangeHead.write(number: number, status: status, headers: headers, to: &$0)
    }
  }

  func upstreamBody(_ exchange: UpstreamExchangeID, _ bytes: UnsafeRawBufferPointer) {
    guard !isAbandoned, !isCancelled else { return }
    channel.send(.exchangeBody, call: call.id) { [number] in
      $0.appendField(number)
      $0.appendField(bytes)
    }
    call.passOn(bytes.count)
  }

  func upstreamEvent(
    _ exchange: UpstreamExchangeID, name: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer,
    data: UnsafeRawBufferPointer
  ) {
    guard !isAbandoned, !isCancelled else { return }
    channel.send(.exchangeEvent, call: call.id) { [number] in
      $0.appendField(number)
      $0.appendField(name)
      $0.appendField(id)
      $0.appendField(data)
    }
    call.passOn(name.count + id.count + data.count)
  }

  func upstreamComplete(_ exchange: UpstreamExchangeID, _ result: UpstreamResult) {
    running = nil
    guard !isAbandoned else { return }
    channel.send(.exchangeComplete, call: call.id) { [number] in result.write(number: number, to: &$0) }
    call.forget(self)
  }
}
