import CLinux

/// An easy handle of curl with its header list and error text; made once, used for one exchange after another.
///
/// Thread: its loop's.
final class CurlEasy {
  /// Seconds of silence on a connection before the kernel asks whether the peer is still there.
  private static let keepAliveIdleSeconds = 30
  private static let keepAliveIntervalSeconds = 10
  /// The largest piece of a body handed over at once, and so what may still come after a pause.
  private static let receiveBytes = 16_384

  let handle: CurlLibrary.Handle
  private let library: CurlLibrary
  private let errorBuffer: UnsafeMutablePointer<CChar>
  private var headers: CurlLibrary.Handle?
  /// What the first option that was refused answered.
  private var setStatus: Int32 = 0

  /// nil: out of memory.
  init?(library: CurlLibrary) {
    guard let handle = library.easyInit() else { return nil }
    self.handle = handle
    self.library = library
    errorBuffer = .allocate(capacity: CLINUX_CURL_ERROR_SIZE)
    errorBuffer.pointee = 0
  }

  deinit {
    library.easyCleanup(handle)
    library.listFree(headers)
    errorBuffer.deallocate()
  }

  /// Sets everything for one exchange; `user` is handed to the callbacks. Answers a CURLcode.
  func prepare(_ request: UpstreamRequest, callbacks: CurlCallbacks, user: UnsafeMutableRawPointer) -> Int32 {
    setStatus = 0
    errorBuffer.pointee = 0
    setConnection(connectTimeout: request.connectTimeout)
    set(CLINUX_CURLOPT_URL, request.url)
    setMethod(request)
    setHeaders(request)
    setCallbacks(callbacks, user)
    return setStatus
  }

  /// Forgets the exchange, and the secrets in its headers; connections stay with the multi handle.
  func reset() {
    library.easyReset(handle)
    library.listFree(headers)
    headers = nil
    errorBuffer.pointee = 0
  }

  /// What curl has to say about `code`, the particular before the general.
  func errorText(_ code: Int32) -> String {
    if errorBuffer.pointee != 0 { return String(cString: errorBuffer) }
    return library.easyError(code).map { String(cString: $0) } ?? "curl error \(code)"
  }

  /// Whether the exchange had to make a connection of its own.
  var madeConnection: Bool {
    var count = 0
    return clinux_curl_get_long(library.easyGet, handle, Int32(CLINUX_CURLINFO_NUM_CONNECTS), &count) == 0 && count > 0
  }

  private func setConnection(connectTimeout: UInt64) {
    set(CLINUX_CURLOPT_NOSIGNAL, 1)
    set(CLINUX_CURLOPT_PROTOCOLS, CLINUX_CURLPROTO_HTTP | CLINUX_CURLPROTO_HTTPS)
    set(CLINUX_CURLOPT_HTTP_VERSION, CLINUX_CURL_HTTP_VERSION_1_1)
    set(CLINUX_CURLOPT_FOLLOWLOCATION, 0)
    set(CLINUX_CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    set(CLINUX_CURLOPT_BUFFERSIZE, Self.receiveBytes)
    set(CLINUX_CURLOPT_TCP_NODELAY, 1)
    set(CLINUX_CURLOPT_TCP_KEEPALIVE, 1)
    set(CLINUX_CURLOPT_TCP_KEEPIDLE, Self.keepAliveIdleSeconds)
    set(CLINUX_CURLOPT_TCP_KEEPINTVL, Self.keepAliveIntervalSeconds)
    // curl shares this time out among a name's addresses; our own clock runs beside it.
    let milliseconds = min(connectTimeout / 1_000_000 + 1, UInt64(Int32.max))
    set(CLINUX_CURLOPT_CONNECTTIMEOUT_MS, connectTimeout == 0 ? Int(Int32.max) : Int(milliseconds))
    // Without it a cancel waits for the name server on the loop's thread. Older ones than 7.87 do not know it.
    _ = clinux_curl_set_long(library.easySet, handle, Int32(CLINUX_CURLOPT_QUICK_EXIT), 1)
  }

  private func setMethod(_ request: UpstreamRequest) {
    switch request.method {
    case "GET" where request.body.isEmpty: set(CLINUX_CURLOPT_HTTPGET, 1)
    case "HEAD": set(CLINUX_CURLOPT_NOBODY, 1)
    case "DELETE" where request.body.isEmpty: set(CLINUX_CURLOPT_CUSTOMREQUEST, request.method)
    default:
      set(CLINUX_CURLOPT_POST, 1)
      note(
        clinux_curl_set_offset(
          library.easySet, handle, Int32(CLINUX_CURLOPT_POSTFIELDSIZE_LARGE), Int64(request.body.count)))
      request.body.withUnsafeBytes { body in
        withUnsafePointer(to: 0 as UInt8) { nothing in
          set(CLINUX_CURLOPT_COPYPOSTFIELDS, pointer: body.baseAddress ?? UnsafeRawPointer(nothing))
        }
      }
      if request.method != "POST" { set(CLINUX_CURLOPT_CUSTOMREQUEST, request.method) }
    }
  }

  private func setHeaders(_ request: UpstreamRequest) {
    var hasContentType = false
    for header in request.headers {
      append(header)
      if header.name.isEqualHeaderName("content-type") { hasContentType = true }
    }
    if let credential = request.credential { append(credential) }
    // An empty value takes back what curl adds by itself: a form's type, and a second's wait for "100 Continue".
    if !hasContentType { appendLine("Content-Type:") }
    appendLine("Expect:")
    set(CLINUX_CURLOPT_HTTPHEADER, pointer: headers)
  }

  /// For curl "Name:" means to leave the header out, "Name;" to send it empty.
  private func append(_ header: (name: String, value: String)) {
    appendLine(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
  }

  private func appendLine(_ line: String) {
    guard let longer = library.listAppend(headers, line) else { return note(Int32(CLINUX_CURLE_OUT_OF_MEMORY)) }
    headers = longer
  }

  private func setCallbacks(_ callbacks: CurlCallbacks, _ user: UnsafeMutableRawPointer) {
    set(CLINUX_CURLOPT_ERRORBUFFER, pointer: errorBuffer)
    set(CLINUX_CURLOPT_PRIVATE, pointer: user)
    set(CLINUX_CURLOPT_WRITEDATA, pointer: user)
    set(CLINUX_CURLOPT_HEADERDATA, pointer: user)
    set(CLINUX_CURLOPT_PREREQDATA, pointer: user)
    note(clinux_curl_set_data_function(library.easySet, handle, Int32(CLINUX_CURLOPT_WRITEFUNCTION), callbacks.body))
    note(clinux_curl_set_data_function(library.easySet, handle, Int32(CLINUX_CURLOPT_HEADERFUNCTION), callbacks.head))
    note(
      clinux_curl_set_prereq_function(
        library.easySet, handle, Int32(CLINUX_CURLOPT_PREREQFUNCTION), callbacks.connected))
  }

  private func set(_ option: Int, _ value: Int) {
    note(clinux_curl_set_long(library.easySet, handle, Int32(option), value))
  }

  /// curl copies the text.
  private func set(_ option: Int, _ value: String) {
    note(value.withCString { clinux_curl_set_pointer(library.easySet, handle, Int32(option), $0) })
  }

  private func set(_ option: Int, pointer: UnsafeRawPointer?) {
    note(clinux_curl_set_pointer(library.easySet, handle, Int32(option), pointer))
  }

  private func note(_ status: Int32) {
    if setStatus == 0 { setStatus = status }
  }
}

/// What curl calls for an exchange, each with the exchange as its user pointer.
struct CurlCallbacks {
  var head: clinux_curl_data_function
  var body: clinux_curl_data_function
  var connected: clinux_curl_prereq_function
}
