internal import Bytes
internal import CProviderABI
internal import ProviderContract

/// An exchange of a call with an upstream server, between the plugin's callbacks and the host's client.
///
/// `@unchecked Sendable`: made on any thread, used on the call's loop. Its callbacks keep the call from closing, so the
/// plugin's pointer is valid until `on_complete` returned.
final class ProviderExchange: UpstreamExchangeDelegate, @unchecked Sendable {
  /// Exchanges of one call at once.
  static let countLimit = 8

  let slot: CallSlot
  let handle: prv_exchange
  private let callbacks: prv_http_callbacks
  private let argument: UnsafeMutableRawPointer?
  private var running: UpstreamExchangeID?
  private var isAborted = false

  init(slot: CallSlot, handle: prv_exchange, callbacks: prv_http_callbacks, argument: UnsafeMutableRawPointer?) {
    self.slot = slot
    self.handle = handle
    self.callbacks = callbacks
    self.argument = argument
  }

  func start(_ request: UpstreamRequest, with client: any UpstreamClient) throws(ProviderFailure) {
    let exchange = try client.start(request, delegate: self)
    running = exchange
    if slot.current.isPaused { client.pause(exchange) }
  }

  /// `on_complete` follows, once the client has closed the connection.
  func abort() {
    guard !isAborted else { return }
    isAborted = true
    if let running { slot.table.upstream?.cancel(running) }
  }

  func pause() {
    if let running { slot.table.upstream?.pause(running) }
  }

  func resume() {
    if let running { slot.table.upstream?.resume(running) }
  }

  /// An exchange that never ran.
  func complete(_ status: Int32, _ message: StaticString) {
    var result = prv_http_result()
    result.size = UInt32(MemoryLayout<prv_http_result>.size)
    result.status = status
    result.message = prv_str(message)
    callbacks.on_complete?(argument, handle, &result)
    slot.forget(self)
  }

  package func upstreamConnected(_ exchange: UpstreamExchangeID) { slot.sink?.providerPhase(.connected) }

  package func upstreamHead(
    _ exchange: UpstreamExchangeID, status: UInt32, headers: [(name: String, value: String)]
  ) {
    slot.sink?.providerPhase(.headers)
    guard let onHeaders = callbacks.on_headers, !isAborted else { return }
    var texts = ByteBuffer()
    for header in headers {
      texts.append(header.name)
      texts.append(header.value)
    }
    withUnsafeTemporaryAllocation(of: prv_header.self, capacity: max(1, headers.count)) { raw in
      var rest = texts.readable
      func next(_ count: Int) -> prv_str {
        defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
        return prv_str(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      }
      for (index, header) in headers.enumerated() {
        let name = next(header.name.utf8.count)
        raw.initializeElement(at: index, to: prv_header(name: name, value: next(header.value.utf8.count)))
      }
      onHeaders(argument, handle, status, raw.baseAddress, UInt64(headers.count))
    }
  }

  package func upstreamBody(_ exchange: UpstreamExchangeID, _ bytes: UnsafeRawBufferPointer) {
    guard !isAborted else { return }
    let raw = prv_bytes(ptr: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), len: UInt64(bytes.count))
    callbacks.on_body?(argument, handle, raw)
  }

  package func upstreamEvent(
    _ exchange: UpstreamExchangeID, name: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer,
    data: UnsafeRawBufferPointer
  ) {
    guard !isAborted else { return }
    callbacks.on_sse?(argument, handle, prv_str(name), prv_str(id), prv_str(data))
  }

  package func upstreamComplete(_ exchange: UpstreamExchangeID, _ result: UpstreamResult) {
    running = nil
    var raw = prv_http_result()
    raw.size = UInt32(MemoryLayout<prv_http_result>.size)
    raw.status = result.failure?.status ?? PRV_OK
    if result.isCancelled || isAborted { raw.status = PRV_CANCELLED }
    raw.http_status = result.httpStatus
    raw.clock = result.failure?.clock.rawValue ?? PRV_CLOCK_NONE
    if let clock = result.failure?.clock, clock != .none { slot.lastClock = clock }
    raw.bytes_received = result.bytesReceived
    raw.connect_ns = result.connectNanoseconds
    raw.first_byte_ns = result.firstByteNanoseconds
    raw.total_ns = result.totalNanoseconds
    var message = result.failure?.message ?? ""
    message.withUTF8 { bytes in
      raw.message = prv_str(UnsafeRawBufferPointer(bytes))
      callbacks.on_complete?(argument, handle, &raw)
    }
    slot.forget(self)
  }
}
