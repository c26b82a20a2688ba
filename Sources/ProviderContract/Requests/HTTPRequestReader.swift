package import CProviderABI

/// A prv_http_request as it was read and checked: copied, within the bounds, and for an origin that is allowed.
package struct CheckedHTTPRequest: Sendable {
  /// The header that carries the instance's key.
  package enum Credential: Sendable, Equatable {
    case none
    case bearer
    /// The raw key in the header of this name.
    case header(String)
  }

  package var method: String
  package var url: String
  package var headers: [(name: String, value: String)]
  package var body: [UInt8]
  package var credential: Credential
  package var wantsEvents: Bool
  package var responseBytesLimit: UInt64
  /// Nanoseconds; 0: what the operator configured for the call.
  package var connectTimeout: UInt64
  package var firstByteTimeout: UInt64
  package var idleTimeout: UInt64
  package var totalTimeout: UInt64
}

/// Why a prv_http_request is not carried out.
package struct HTTPRequestFault: Error, Sendable, Equatable {
  /// PRV_E_INVALID_ARGUMENT or PRV_E_PERMISSION.
  package var status: Int32
  package var expected: String
  package var found: String

  init(_ status: Int32 = PRV_E_INVALID_ARGUMENT, expected: String, found: String) {
    self.status = status
    self.expected = expected
    self.found = found
  }
}

/// Reads a prv_http_request and holds it against what its instance may do.
package struct HTTPRequestReader: Sendable {
  package static let headersLimit: UInt64 = 64
  package static let headerBytesLimit = 64 << 10
  package static let bodyBytesLimit = 64 << 20
  package static let urlBytesLimit = 8192
  private static let answerBytes: UInt64 = 64 << 20
  private static let methods: Set<String> = ["GET", "POST", "PUT", "DELETE", "HEAD"]
  /// Headers that say where a request goes or where it ends: the host's alone.
  private static let ownHeaders: Set<String> = [
    "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect",
    "proxy-authorization", "proxy-connection",
  ]

  package let origins: Set<UpstreamOrigin>

  package init(origins: Set<UpstreamOrigin>) { self.origins = origins }

  package func read(_ source: UnsafePointer<prv_http_request>) throws(HTTPRequestFault) -> CheckedHTTPRequest {
    let needed = UInt32(MemoryLayout<prv_http_request>.offset(of: \.headers)!)
    guard source.pointee.size >= needed else {
      throw HTTPRequestFault(expected: "a prv_http_request of \(needed) bytes or more", found: "\(source.pointee.size)")
    }
    let raw = copyHead(source, size: source.pointee.size, over: prv_http_request())
    guard let method = raw.method.string(limit: 16), Self.methods.contains(method) else {
      throw HTTPRequestFault(expected: "the method GET, POST, PUT, DELETE or HEAD", found: raw.method.quote)
    }
    guard raw.response_mode <= PRV_HTTP_SSE else {
      throw HTTPRequestFault(expected: "a known response_mode", found: "\(raw.response_mode)")
    }
    return CheckedHTTPRequest(
      method: method, url: try url(raw), headers: try Self.headers(raw), body: try Self.body(raw),
      credential: try Self.credential(raw), wantsEvents: raw.response_mode == PRV_HTTP_SSE,
      responseBytesLimit: raw.max_response_bytes == 0 ? Self.answerBytes : raw.max_response_bytes,
      connectTimeout: raw.connect_timeout_ns, firstByteTimeout: raw.first_byte_timeout_ns,
      idleTimeout: raw.idle_timeout_ns, totalTimeout: raw.total_timeout_ns)
  }

  private func url(_ raw: prv_http_request) throws(HTTPRequestFault) -> String {
    guard let url = raw.url.string(limit: Self.urlBytesLimit), let origin = UpstreamOrigin(url) else {
      throw HTTPRequestFault(
        expected: "an absolute http or https URL of at most \(Self.urlBytesLimit) bytes, without user information",
        found: "another text of \(raw.url.len) bytes")
    }
    guard origins.contains(origin) else {
      throw HTTPRequestFault(
        PRV_E_PERMISSION, expected: "the origin of base_url, or one of allowed_origins",
        found: "\(origin.scheme)://\(origin.host):\(origin.port)")
    }
    return url
  }

  private static func credential(_ raw: prv_http_request) throws(HTTPRequestFault) -> CheckedHTTPRequest.Credential {
    guard raw.auth_ref.len > 0 else { return .none }
    guard raw.auth_ref.string(limit: 64) == "api_key" else {
      throw HTTPRequestFault(expected: "an auth_ref of \"api_key\" or none", found: "another")
    }
    let scheme = raw.auth_scheme.string(limit: 128)
    if scheme == "" || scheme == "bearer" { return .bearer }
    guard let scheme, scheme.hasPrefix("header:"), isName(scheme.utf8.dropFirst(7)) else {
      throw HTTPRequestFault(expected: "the auth_scheme \"bearer\" or \"header:NAME\"", found: raw.auth_scheme.quote)
    }
    return .header(String(scheme.dropFirst(7)))
  }

  private static func headers(_ raw: prv_http_request) throws(HTTPRequestFault) -> [(name: String, value: String)] {
    guard raw.header_count > 0 else { return [] }
    guard raw.header_count <= headersLimit, let first = raw.headers else {
      throw HTTPRequestFault(
        expected: "an array of at most \(headersLimit) headers",
        found: "\(raw.header_count)\(raw.headers == nil ? " at a null pointer" : "")")
    }
    var result: [(name: String, value: String)] = []
    var total = 0
    for index in 0..<Int(raw.header_count) {
      let header = first[index]
      guard let name = header.name.bytes(limit: headerBytesLimit), isName(name) else {
        throw HTTPRequestFault(expected: "header names that are tokens (RFC 9110 §5.6.2)", found: header.name.quote)
      }
      let text = String(decoding: name, as: UTF8.self)
      guard let value = header.value.bytes(limit: headerBytesLimit),
        value.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F })
      else { throw HTTPRequestFault(expected: "a value of \(text) without control characters", found: "another") }
      total += name.count + value.count
      guard total <= headerBytesLimit else {
        throw HTTPRequestFault(expected: "headers of at most \(headerBytesLimit) bytes", found: "more")
      }
      guard !ownHeaders.contains(text.lowercased()) else {
        throw HTTPRequestFault(expected: "no header that the host sets itself", found: text)
      }
      result.append((text, String(decoding: value, as: UTF8.self)))
    }
    return result
  }

  private static func body(_ raw: prv_http_request) throws(HTTPRequestFault) -> [UInt8] {
    guard raw.body.len > 0 else { return [] }
    guard let start = raw.body.ptr, raw.body.len <= UInt64(bodyBytesLimit) else {
      throw HTTPRequestFault(
        expected: "a body of at most \(bodyBytesLimit) bytes",
        found: "\(raw.body.len)\(raw.body.ptr == nil ? " at a null pointer" : "")")
    }
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

extension prv_str {
  /// A short text for a message: cut, and without what would break a line.
  fileprivate var quote: String {
    "\"\(String(excerpt.unicodeScalars.prefix(64).map { $0.value < 0x20 ? "?" : Character($0) }))\""
  }
}
