internal import Bytes
internal import CProviderABI
internal import ProviderContract

// What is said of an exchange: the worker asks for it, the host makes it and tells what comes.

/// An exchange that a plugin asks for, as the worker sends it and the host reads it. The key is not in it: only where it
/// would stand.
struct WorkerExchangeRequest {
  private static let headersLimit = 64
  private static let headerBytesLimit = 64 << 10
  private static let bodyBytesLimit = 64 << 20

  var number: UInt32
  var method: String
  var url: String
  var headers: [(name: String, value: String)]
  var body: [UInt8]
  /// As prv_http_request has it; nil: the exchange carries no key.
  var authScheme: String?
  var wantsEvents: Bool
  var responseBytesLimit: UInt64
  var connectTimeout: UInt64
  var firstByteTimeout: UInt64
  var idleTimeout: UInt64
  var totalTimeout: UInt64

  static func write(
    _ request: UpstreamRequest, number: UInt32, authScheme: String?, to message: inout ByteBuffer
  ) {
    message.appendField(number)
    message.appendField(request.method)
    message.appendField(request.url)
    message.appendField(UInt32(truncatingIfNeeded: request.headers.count))
    for header in request.headers {
      message.appendField(header.name)
      message.appendField(header.value)
    }
    message.appendField(UInt32(authScheme == nil ? 0 : 1))
    message.appendField(authScheme ?? "")
    message.appendField(UInt32(request.mode == .serverSentEvents ? 1 : 0))
    for value in [
      request.responseBytesLimit, request.connectTimeout, request.firstByteTimeout, request.idleTimeout,
      request.totalTimeout,
    ] { message.appendField(value) }
    message.appendField(request.body)
  }

  init(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    number = try fields.u32()
    method = try fields.text(limit: 16)
    url = try fields.text(limit: 8192)
    let count = Int(try fields.u32())
    guard count <= Self.headersLimit else {
      throw WorkerFrameFault(found: "\(count) headers", expected: "at most \(Self.headersLimit)")
    }
    headers = []
    for _ in 0..<count {
      let name = try fields.text(limit: Self.headerBytesLimit)
      headers.append((name, try fields.text(limit: Self.headerBytesLimit)))
    }
    let hasKey = try fields.flag()
    let scheme = try fields.text(limit: 128)
    authScheme = hasKey ? scheme : nil
    wantsEvents = try fields.flag()
    responseBytesLimit = try fields.u64()
    connectTimeout = try fields.u64()
    firstByteTimeout = try fields.u64()
    idleTimeout = try fields.u64()
    totalTimeout = try fields.u64()
    body = [UInt8](try fields.bytes(limit: Self.bodyBytesLimit))
    try fields.end()
  }

  /// Holds it against what the instance may do, with the same code that reads a plugin's own request.
  func checked(by reader: HTTPRequestReader) throws(HTTPRequestFault) -> CheckedHTTPRequest {
    var texts = ByteBuffer()
    for (name, value) in headers {
      texts.append(name)
      texts.append(value)
    }
    var (method, url, reference, scheme) = (method, url, "api_key", authScheme ?? "")
    let checked: Result<CheckedHTTPRequest, HTTPRequestFault> = method.withUTF8 { method in
      url.withUTF8 { url in
        reference.withUTF8 { reference in
          scheme.withUTF8 { scheme in
            body.withUnsafeBytes { body in
              var raw = prv_http_request()
              raw.size = UInt32(MemoryLayout<prv_http_request>.size)
              raw.method = prv_str(UnsafeRawBufferPointer(method))
              raw.url = prv_str(UnsafeRawBufferPointer(url))
              if authScheme != nil {
                raw.auth_ref = prv_str(UnsafeRawBufferPointer(reference))
                raw.auth_scheme = prv_str(UnsafeRawBufferPointer(scheme))
              }
              raw.body = prv_bytes(
                ptr: body.baseAddress?.assumingMemoryBound(to: UInt8.self), len: UInt64(body.count))
              raw.response_mode = UInt32(wantsEvents ? PRV_HTTP_SSE : PRV_HTTP_BODY)
              raw.max_response_bytes = responseBytesLimit
              raw.connect_timeout_ns = self.connectTimeout
              raw.first_byte_timeout_ns = firstByteTimeout
              raw.idle_timeout_ns = idleTimeout
              raw.total_timeout_ns = totalTimeout
              return withHeaders(texts.readable) { headers, count in
                raw.headers = headers
                raw.header_count = count
                return Result { () throws(HTTPRequestFault) in try reader.read(&raw) }
              }
            }
          }
        }
      }
    }
    return try checked.get()
  }

  private func withHeaders<Result>(
    _ texts: UnsafeRawBufferPointer, _ body: (UnsafePointer<prv_header>?, UInt64) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(of: prv_header.self, capacity: max(1, headers.count)) { raw in
      var rest = texts
      func next(_ count: Int) -> prv_str {
        defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
        return prv_str(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      }
      for (index, header) in headers.enumerated() {
        let name = next(header.name.utf8.count)
        raw.initializeElement(at: index, to: prv_header(name: name, value: next(header.value.utf8.count)))
      }
      return body(raw.baseAddress, UInt64(headers.count))
    }
  }
}

/// The head of an answer.
struct WorkerExchangeHead {
  var number: UInt32
  var status: UInt32
  var headers: [(name: String, value: String)]

  static func write(
    number: UInt32, status: UInt32, headers: [(name: String, value: String)], to message: inout ByteBuffer
  ) {
    message.appendField(number)
    message.appendField(status)
    message.appendField(UInt32(truncatingIfNeeded: headers.count))
    for header in headers {
      message.appendField(header.name)
      message.appendField(header.value)
    }
  }

  init(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    number = try fields.u32()
    status = try fields.u32()
    headers = []
    for _ in 0..<(try fields.u32()) {
      let name = try fields.text(limit: 1 << 20)
      headers.append((name, try fields.text(limit: 1 << 20)))
    }
    try fields.end()
  }
}

extension UpstreamResult {
  func write(number: UInt32, to message: inout ByteBuffer) {
    message.appendField(number)
    message.appendField(UInt32(isCancelled ? 1 : 0))
    message.appendField(UInt32(failure == nil ? 0 : 1))
    message.appendField(UInt32(bitPattern: failure?.status ?? 0))
    message.appendField(failure?.clock.rawValue ?? 0)
    message.appendField(failure?.message ?? "")
    message.appendField(httpStatus)
    for value in [bytesReceived, connectNanoseconds, firstByteNanoseconds, totalNanoseconds] {
      message.appendField(value)
    }
  }

  /// The number of the exchange, and how it ended.
  static func read(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) -> (UInt32, UpstreamResult) {
    var fields = WorkerFieldReader(message)
    let number = try fields.u32()
    var result = UpstreamResult(failure: nil, isCancelled: try fields.flag())
    let isFailure = try fields.flag()
    let status = Int32(bitPattern: try fields.u32())
    let clock = ProviderFailure.Clock(rawValue: try fields.u32()) ?? .none
    let text = try fields.text(limit: 32 << 10)
    if isFailure {
      var failure = ProviderFailure(status: status, message: text)
      failure.clock = clock
      result.failure = failure
    }
    result.httpStatus = try fields.u32()
    result.bytesReceived = try fields.u64()
    result.connectNanoseconds = try fields.u64()
    result.firstByteNanoseconds = try fields.u64()
    result.totalNanoseconds = try fields.u64()
    try fields.end()
    return (number, result)
  }
}
