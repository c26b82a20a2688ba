internal import CProviderABI
import Decisions

/// Reads a prv_http_request and holds it against what its instance may do.
struct HTTPRequestReader {
  private static let headersLimit: UInt64 = 64
  private static let headerBytesLimit = 64 << 10
  private static let bodyBytesLimit = 64 << 20
  private static let answerBytes: UInt64 = 64 << 20
  private static let methods: Set<String> = ["GET", "POST", "PUT", "DELETE", "HEAD"]
  /// Headers that say where a request goes or where it ends: the host's alone.
  private static let ownHeaders: Set<String> = [
    "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect",
    "proxy-authorization", "proxy-connection",
  ]

  let origins: Set<UpstreamOrigin>
  let key: String?

  enum Reading {
    case request(UpstreamRequest)
    /// A PRV_E_* code.
    case refused(Int32)
  }

  /// `connectTimeout` in nanoseconds, and `deadline`, are the call's, for clocks that the plugin left at 0.
  func read(_ source: UnsafePointer<prv_http_request>, connectTimeout: UInt64, deadline: Instant) -> Reading {
    let needed = UInt32(MemoryLayout<prv_http_request>.offset(of: \.headers)!)
    guard source.pointee.size >= needed else { return .refused(PRV_E_INVALID_ARGUMENT) }
    let raw = copyHead(source, size: source.pointee.size, over: prv_http_request())
    guard let method = raw.method.string(limit: 16), Self.methods.contains(method),
      let url = raw.url.string(limit: 8192), let headers = Self.headers(raw), let body = Self.body(raw),
      raw.response_mode <= PRV_HTTP_SSE
    else { return .refused(PRV_E_INVALID_ARGUMENT) }
    guard let origin = UpstreamOrigin(url) else { return .refused(PRV_E_INVALID_ARGUMENT) }
    guard origins.contains(origin) else { return .refused(PRV_E_PERMISSION) }
    var request = UpstreamRequest(method: method, url: url, headers: headers, body: body)
    switch credential(raw) {
    case .none(let status?): return .refused(status)
    case .none(nil): break
    case .header(let name, let value): request.credential = (name, value)
    }
    request.mode = raw.response_mode == PRV_HTTP_SSE ? .serverSentEvents : .body
    request.responseBytesLimit = raw.max_response_bytes == 0 ? Self.answerBytes : raw.max_response_bytes
    request.connectTimeout = raw.connect_timeout_ns == 0 ? connectTimeout : raw.connect_timeout_ns
    request.firstByteTimeout = raw.first_byte_timeout_ns
    request.idleTimeout = raw.idle_timeout_ns
    request.totalTimeout = raw.total_timeout_ns
    if raw.total_timeout_ns == 0 && deadline != .never {
      request.totalTimeout = max(1, deadline.nanoseconds(since: .now()))
    }
    return .request(request)
  }

  private enum Credential {
    case none(Int32?)
    case header(String, String)
  }

  /// The header with the key; none when the operator configured no key.
  private func credential(_ raw: prv_http_request) -> Credential {
    guard raw.auth_ref.len > 0 else { return .none(nil) }
    guard raw.auth_ref.string(limit: 64) == "api_key", let scheme = raw.auth_scheme.string(limit: 128) else {
      return .none(PRV_E_INVALID_ARGUMENT)
    }
    let header: String?
    if scheme.isEmpty || scheme == "bearer" {
      header = nil
    } else if scheme.hasPrefix("header:"), Self.isName(scheme.utf8.dropFirst(7)) {
      header = String(scheme.dropFirst(7))
    } else {
      return .none(PRV_E_INVALID_ARGUMENT)
    }
    guard let key else { return .none(nil) }
    if let header { return .header(header, key) }
    return .header("Authorization", "Bearer " + key)
  }

  private static func headers(_ raw: prv_http_request) -> [(name: String, value: String)]? {
    guard raw.header_count > 0 else { return [] }
    guard raw.header_count <= headersLimit, let first = raw.headers else { return nil }
    var result: [(name: String, value: String)] = []
    var total = 0
    for index in 0..<Int(raw.header_count) {
      let header = first[index]
      guard let name = header.name.bytes(limit: headerBytesLimit),
        let value = header.value.bytes(limit: headerBytesLimit),
        isName(name), value.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F })
      else { return nil }
      total += name.count + value.count
      guard total <= headerBytesLimit else { return nil }
      let text = String(decoding: name, as: UTF8.self)
      guard !ownHeaders.contains(text.lowercased()) else { return nil }
      result.append((text, String(decoding: value, as: UTF8.self)))
    }
    return result
  }

  private static func body(_ raw: prv_http_request) -> [UInt8]? {
    guard raw.body.len > 0 else { return [] }
    guard let start = raw.body.ptr, raw.body.len <= UInt64(bodyBytesLimit) else { return nil }
    return [UInt8](UnsafeBufferPointer(start: start, count: Int(raw.body.len)))
  }

  /// RFC 9110 §5.6.2: a token.
  private static func isName(_ bytes: some Collection<UInt8>) -> Bool {
    !bytes.isEmpty
      && bytes.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E:
          true
        default: false
        }
      }
  }
}
