import CProviderABI
import Synchronization

/// The host's end of an exchange: what its callbacks bring waits here for the task that reads.
///
/// Owner: the reader, and the host from `request` to `on_complete`.
final class ExchangeInbox: Sendable {
  struct Head: Sendable {
    var status: Int
    var headers: HTTPHeaders
  }

  private enum Outcome: Sendable {
    case complete
    case failed(ProviderError)
  }

  private struct State: ~Copyable {
    var head: Head?
    var pieces = ExchangePieces()
    var outcome: Outcome?
    var reader: UnsafeContinuation<Void, Never>?
    var handle: prv_exchange = 0
  }

  private let state = Mutex(State())
  private let host: ProviderHost
  private let unreadBytesLimit: Int

  /// Starts the exchange.
  init(_ request: HTTPRequest, of call: Call) throws(ProviderError) {
    host = call.host
    unreadBytesLimit = max(0, min(request.limits.unreadBytes, 1 << 30))
    guard let start = host.http?.request else {
      throw ProviderError(.unsupported, "the host offers no service prv.http/1: it has no HTTP library")
    }
    let argument = Unmanaged.passRetained(self)
    var handle: prv_exchange = 0
    let status = request.withCRequest { request in
      withUnsafePointer(to: Self.callbacks) {
        start(host.context, call.handle, request, $0, argument.toOpaque(), &handle)
      }
    }
    guard status == PRV_OK else {
      argument.release()
      if status == PRV_CANCELLED || status == PRV_E_STALE { throw .cancelled }
      throw ProviderError(ProviderError.Code(status: status), Self.refusal(status, of: request))
    }
    state.withLock { $0.handle = handle }
  }

  private static func refusal(_ status: Int32, of request: HTTPRequest) -> String {
    switch status {
    case PRV_E_PERMISSION: "the host does not allow requests to \(request.origin); see allowed_origins"
    case PRV_E_LIMIT: "the call has more exchanges than the host allows"
    default: "the host refused a request to \(request.origin) with status \(status)"
    }
  }

  // MARK: - Reader

  func head() async throws(ProviderError) -> Head {
    while true {
      let (head, outcome) = state.withLock { ($0.head, $0.outcome) }
      if let head { return head }
      switch outcome {
      case .failed(let error): throw error
      case .complete: throw ProviderError(.badResponse, "the host reported an answer without a head")
      case nil: await wait { $0.head == nil }
      }
    }
  }

  /// Moves what was received into `pieces`, waiting for something to come; false: the answer is complete.
  func receive(into pieces: inout ExchangePieces) async throws(ProviderError) -> Bool {
    while true {
      let (moved, outcome) = exchange(&pieces)
      if moved { return true }
      switch outcome {
      case .failed(let error): throw error
      case .complete: return false
      case nil: await wait { $0.pieces.count == 0 }
      }
    }
  }

  private func exchange(_ pieces: inout ExchangePieces) -> (moved: Bool, outcome: Outcome?) {
    pieces.recycle()
    return state.withLock { state in
      if state.pieces.count > 0 {
        swap(&state.pieces, &pieces)
        return (true, nil)
      }
      return (false, state.outcome)
    }
  }

  private func wait(while isShort: @escaping @Sendable (borrowing State) -> Bool) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let mustWait = state.withLock { state -> Bool in
          guard state.outcome == nil, isShort(state) else { return false }
          state.reader = continuation
          return true
        }
        if !mustWait { continuation.resume() }
      }
    } onCancel: {
      abort()
    }
  }

  /// Ends the exchange unless it has ended. Any thread.
  func abort() {
    guard let (handle, reader) = end(.failed(.cancelled)) else { return }
    cancelAtHost(handle)
    reader?.resume()
  }

  private func cancelAtHost(_ handle: prv_exchange) {
    // PRV_E_STALE: it has completed meanwhile.
    _ = host.http?.cancel?(host.context, handle)
  }

  /// Settles the outcome; nil when it was settled before.
  private func end(_ outcome: Outcome) -> (handle: prv_exchange, reader: UnsafeContinuation<Void, Never>?)? {
    state.withLock { state in
      guard state.outcome == nil else { return nil }
      state.outcome = outcome
      return (state.handle, state.reader.take())
    }
  }

  // MARK: - Host

  func receive(_ head: Head) {
    let reader = state.withLock { state in
      state.head = head
      return state.reader.take()
    }
    reader?.resume()
  }

  func receive(chunk: UnsafeRawBufferPointer) {
    receive(bytes: chunk.count) { $0.append(chunk: chunk) }
  }

  func receive(event: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer) {
    receive(bytes: event.count + id.count + data.count) { $0.append(event: event, id: id, data: data) }
  }

  private func receive(bytes: Int, _ append: (inout ExchangePieces) -> Void) {
    let (reader, overflows) = state.withLock { state -> (UnsafeContinuation<Void, Never>?, Bool) in
      guard state.outcome == nil else { return (nil, false) }
      guard ExchangePieces.headBytes + bytes <= unreadBytesLimit - state.pieces.count else { return (nil, true) }
      append(&state.pieces)
      return (state.reader.take(), false)
    }
    reader?.resume()
    guard overflows else { return }
    let error = ProviderError(.limit, "more than \(unreadBytesLimit) bytes of the answer wait to be read")
    guard let (handle, reader) = end(.failed(error)) else { return }
    cancelAtHost(handle)
    reader?.resume()
  }

  func complete(_ result: prv_http_result) {
    end(result.status == PRV_OK ? .complete : .failed(ProviderError(result)))?.reader?.resume()
  }
}

extension ProviderError {
  /// Why the host could not complete an exchange.
  init(_ result: prv_http_result) {
    guard result.status != PRV_CANCELLED else {
      self = .cancelled
      return
    }
    let status = result.http_status == 0 ? nil : Int(result.http_status)
    self.init(Code(status: result.status), result.message.string, httpStatus: status)
  }
}
