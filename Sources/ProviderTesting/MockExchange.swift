public import CProviderABI

/// An HTTP exchange that the plugin began; the test plays the upstream.
public final class MockExchange {
  public let handle: prv_exchange
  public let call: prv_call
  public let method: String
  public let url: String
  public let headers: [(name: String, value: String)]
  public let body: String
  public let authReference: String
  public let authScheme: String
  public let wantsEvents: Bool
  /// Whether `on_complete` came.
  public private(set) var isComplete = false
  /// Whether the plugin or the host aborted it.
  public private(set) var isAborted = false
  private let callbacks: prv_http_callbacks
  private let owner: UnsafeMutableRawPointer?
  private unowned let host: MockHost

  init(
    handle: prv_exchange, call: prv_call, request: prv_http_request, callbacks: prv_http_callbacks,
    owner: UnsafeMutableRawPointer?, host: MockHost
  ) {
    self.handle = handle
    self.call = call
    method = request.method.string
    url = request.url.string
    headers = UnsafeBufferPointer(start: request.headers, count: Int(request.header_count)).map {
      ($0.name.string, $0.value.string)
    }
    body = String(
      decoding: UnsafeBufferPointer(start: request.body.ptr, count: Int(request.body.len)), as: UTF8.self)
    authReference = request.auth_ref.string
    authScheme = request.auth_scheme.string
    wantsEvents = request.response_mode == PRV_HTTP_SSE
    self.callbacks = callbacks
    self.owner = owner
    self.host = host
  }

  public func answer(status: UInt32 = 200, headers: [(String, String)] = [("Content-Type", "text/event-stream")]) {
    precondition(!isComplete, "the exchange is complete")
    var fields: [prv_header] = []
    func add(_ rest: ArraySlice<(String, String)>) {
      guard let (name, value) = rest.first else {
        callbacks.on_headers?(owner, handle, status, fields, UInt64(fields.count))
        return
      }
      lend(name) { name in
        lend(value) { value in
          fields.append(prv_header(name: name, value: value))
          add(rest.dropFirst())
        }
      }
    }
    add(headers[...])
  }

  public func send(body text: String) {
    precondition(!isComplete, "the exchange is complete")
    lend(text) { text in
      let bytes = UnsafeRawPointer(text.ptr)?.assumingMemoryBound(to: UInt8.self)
      callbacks.on_body?(owner, handle, prv_bytes(ptr: bytes, len: text.len))
    }
  }

  public func send(event data: String, named name: String = "message") {
    precondition(!isComplete, "the exchange is complete")
    lend(name) { name in lend(data) { callbacks.on_sse?(owner, handle, name, prv_str(), $0) } }
  }

  public func complete(status: Int32 = PRV_OK, httpStatus: UInt32 = 200, message: String = "") {
    guard !isComplete else { return }
    isComplete = true
    lend(message) { message in
      var result = prv_http_result()
      result.size = UInt32(MemoryLayout<prv_http_result>.size)
      result.status = status
      result.http_status = httpStatus
      result.message = message
      callbacks.on_complete?(owner, handle, &result)
    }
  }

  /// Ends it from our side; `on_complete` follows from the queue.
  func abort() {
    guard !isComplete, !isAborted else { return }
    isAborted = true
    host.enqueue(.work { self.complete(status: PRV_CANCELLED, httpStatus: 0) })
  }
}
