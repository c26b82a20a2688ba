import CProviderABI

// What the host calls while an exchange runs: on the call's loop, one at a time.
extension ExchangeInbox {
  static let callbacks: prv_http_callbacks = {
    var callbacks = prv_http_callbacks.sized()
    callbacks.on_headers = { inbox, _, status, headers, count in
      var fields: [(name: String, value: String)] = []
      for field in UnsafeBufferPointer(start: headers, count: Int(clamping: count)) {
        fields.append((field.name.string, field.value.string))
      }
      ExchangeInbox.of(inbox).receive(Head(status: Int(status), headers: HTTPHeaders(fields)))
    }
    callbacks.on_body = { inbox, _, bytes in
      ExchangeInbox.of(inbox).receive(chunk: UnsafeRawBufferPointer(start: bytes.ptr, count: Int(clamping: bytes.len)))
    }
    callbacks.on_sse = { inbox, _, event, id, data in
      ExchangeInbox.of(inbox).receive(event: event.bytes, id: id.bytes, data: data.bytes)
    }
    callbacks.on_complete = { inbox, _, result in
      guard let inbox, let result else { return }
      Unmanaged<ExchangeInbox>.fromOpaque(inbox).takeRetainedValue().complete(prv_http_result(copying: result))
    }
    return callbacks
  }()

  private static func of(_ pointer: UnsafeMutableRawPointer?) -> ExchangeInbox {
    Unmanaged<ExchangeInbox>.fromOpaque(pointer.unsafelyUnwrapped).takeUnretainedValue()
  }
}

extension HTTPRequest {
  /// Lays the request out for the host, valid during `body`.
  func withCRequest<Result>(_ body: (UnsafePointer<prv_http_request>) -> Result) -> Result {
    withCPairs(headers.lazy.map { ($0.name, $0.value) }, prv_header.init(name:value:)) { headers in
      withCPairs([(method, url), authFields], { ($0, $1) }) { texts in
        self.body.withUnsafeBufferPointer { bytes in
          var request = prv_http_request.sized()
          request.method = texts[0].0
          request.url = texts[0].1
          request.auth_ref = texts[1].0
          request.auth_scheme = texts[1].1
          request.headers = headers.baseAddress
          request.header_count = UInt64(headers.count)
          request.body = prv_bytes(ptr: bytes.baseAddress, len: UInt64(bytes.count))
          request.response_mode = mode == .sse ? PRV_HTTP_SSE : PRV_HTTP_BODY
          request.max_response_bytes = limits.responseBytes ?? 0
          request.connect_timeout_ns = limits.connect?.wholeNanoseconds ?? 0
          request.first_byte_timeout_ns = limits.firstByte?.wholeNanoseconds ?? 0
          request.idle_timeout_ns = limits.idle?.wholeNanoseconds ?? 0
          request.total_timeout_ns = limits.total?.wholeNanoseconds ?? 0
          return withUnsafePointer(to: request, body)
        }
      }
    }
  }

  private var authFields: (String, String) {
    switch auth {
    case .none: ("", "")
    case .apiKey(.bearer): ("api_key", "bearer")
    case .apiKey(.header(let name)): ("api_key", "header:\(name)")
    }
  }

  /// Scheme, host and port: what may stand in a message.
  var origin: String {
    let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[1].isEmpty else { return "an address that is no absolute URL" }
    return "\(parts[0])//\(parts[2].split(separator: "@").last ?? "")"
  }
}
