public import CProviderABI
import ProviderContract
import Wire

/// An HTTP exchange that the plugin began; the test or a script plays the upstream.
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
  /// Bytes of a scripted body that were handed to the plugin so far.
  public internal(set) var bytesSent = 0
  private let callbacks: prv_http_callbacks
  private let owner: UnsafeMutableRawPointer?
  private unowned let host: MockHost
  // What a script still has to send.
  let parent: MockCall
  var steps: ArraySlice<UpstreamAnswer.Step> = []
  var script: UpstreamAnswer?
  var parser: SSEParser?
  var wait: UInt64?
  /// A step that waits for the end of a pause.
  var held: (() -> Void)?
  /// How long nothing may come; 0: any time.
  let idleNanoseconds: UInt64

  init(
    handle: prv_exchange, of parent: MockCall, request: CheckedHTTPRequest, raw: prv_http_request,
    callbacks: prv_http_callbacks, owner: UnsafeMutableRawPointer?, host: MockHost
  ) {
    self.handle = handle
    self.parent = parent
    call = parent.handle
    method = request.method
    url = request.url
    headers = request.headers
    body = String(decoding: request.body, as: UTF8.self)
    authReference = raw.auth_ref.string
    authScheme = raw.auth_scheme.string
    wantsEvents = request.wantsEvents
    idleNanoseconds = request.idleTimeout
    self.callbacks = callbacks
    self.owner = owner
    self.host = host
  }

  var mock: MockHost { host }

  // MARK: - By hand

  public func answer(status: UInt32 = 200, headers: [(String, String)] = [("Content-Type", "text/event-stream")]) {
    precondition(!isComplete, "the exchange is complete")
    var fields: [prv_header] = []
    func add(_ rest: ArraySlice<(String, String)>) {
      guard let (name, value) = rest.first else {
        Loan.lend(array: fields) { lent in
          host.enter(.onHeaders, handle) { callbacks.on_headers?(owner, handle, status, lent, UInt64(fields.count)) }
        }
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

  public func send(body text: String) { send(bytes: Array(text.utf8)) }

  public func send(bytes: [UInt8]) {
    precondition(!isComplete, "the exchange is complete")
    Loan.lend(bytes) { lent in
      let bytes = prv_bytes(ptr: lent.baseAddress?.assumingMemoryBound(to: UInt8.self), len: UInt64(lent.count))
      host.enter(.onBody, handle) { callbacks.on_body?(owner, handle, bytes) }
    }
  }

  public func send(event data: String, named name: String = "message") { send(data: Array(data.utf8), named: name) }

  func send(data: [UInt8], named name: String) {
    precondition(!isComplete, "the exchange is complete")
    lend(name) { name in
      Loan.lend(data) { data in
        host.enter(.onSSE, handle) { callbacks.on_sse?(owner, handle, name, prv_str(), prv_str(data)) }
      }
    }
  }

  public func complete(status: Int32 = PRV_OK, httpStatus: UInt32 = 200, message: String = "") {
    guard !isComplete else { return }
    isComplete = true
    host.dropAlarm(wait)
    lend(message) { message in
      var result = prv_http_result()
      result.size = UInt32(MemoryLayout<prv_http_result>.size)
      result.status = status
      result.http_status = httpStatus
      result.clock = status == PRV_E_TIMEOUT ? PRV_CLOCK_IDLE : PRV_CLOCK_NONE
      result.message = message
      result.bytes_received = UInt64(bytesSent)
      Loan.lend(value: result) { result in
        host.enter(.onComplete, handle) { callbacks.on_complete?(owner, handle, result) }
      }
    }
  }

  /// Ends it from our side; `on_complete` follows from the queue.
  func abort() {
    guard !isComplete, !isAborted else { return }
    isAborted = true
    host.dropAlarm(wait)
    host.enqueue(.work { self.complete(status: PRV_CANCELLED, httpStatus: 0) }, of: call)
  }
}
