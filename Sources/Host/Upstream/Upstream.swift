/// What an exchange with an upstream server asks for; copied by `start`.
package struct UpstreamRequest: Sendable {
  package enum Mode: Sendable { case body, serverSentEvents }

  package var method: String
  package var url: String
  package var headers: [(name: String, value: String)]
  package var body: [UInt8]
  /// The header that carries the key, already built: `("Authorization", "Bearer …")`. Never logged.
  package var credential: (name: String, value: String)?
  package var mode: Mode
  package var responseBytesLimit: UInt64
  package var headerBytesLimit: UInt64
  /// Nanoseconds; 0: no such clock.
  package var connectTimeout: UInt64
  package var firstByteTimeout: UInt64
  package var idleTimeout: UInt64
  package var totalTimeout: UInt64

  package init(
    method: String, url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
    credential: (name: String, value: String)? = nil, mode: Mode = .body, responseBytesLimit: UInt64 = 64 << 20,
    headerBytesLimit: UInt64 = 64 << 10, connectTimeout: UInt64 = 0, firstByteTimeout: UInt64 = 0,
    idleTimeout: UInt64 = 0, totalTimeout: UInt64 = 0
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.credential = credential
    self.mode = mode
    self.responseBytesLimit = responseBytesLimit
    self.headerBytesLimit = headerBytesLimit
    self.connectTimeout = connectTimeout
    self.firstByteTimeout = firstByteTimeout
    self.idleTimeout = idleTimeout
    self.totalTimeout = totalTimeout
  }
}

/// How an exchange ended.
package struct UpstreamResult: Sendable {
  package var failure: ProviderFailure?
  package var isCancelled: Bool
  package var httpStatus: UInt32
  package var bytesReceived: UInt64
  package var connectNanoseconds: UInt64
  package var firstByteNanoseconds: UInt64
  package var totalNanoseconds: UInt64

  package init(
    failure: ProviderFailure?, isCancelled: Bool = false, httpStatus: UInt32 = 0, bytesReceived: UInt64 = 0,
    connectNanoseconds: UInt64 = 0, firstByteNanoseconds: UInt64 = 0, totalNanoseconds: UInt64 = 0
  ) {
    self.failure = failure
    self.isCancelled = isCancelled
    self.httpStatus = httpStatus
    self.bytesReceived = bytesReceived
    self.connectNanoseconds = connectNanoseconds
    self.firstByteNanoseconds = firstByteNanoseconds
    self.totalNanoseconds = totalNanoseconds
  }
}

/// Who hears of an exchange. Always on the loop, never from inside `start`, `cancel`, `pause` or `resume`.
package protocol UpstreamExchangeDelegate: AnyObject {
  func upstreamConnected(_ exchange: UpstreamExchangeID)
  func upstreamHead(_ exchange: UpstreamExchangeID, status: UInt32, headers: [(name: String, value: String)])
  func upstreamBody(_ exchange: UpstreamExchangeID, _ bytes: UnsafeRawBufferPointer)
  func upstreamEvent(
    _ exchange: UpstreamExchangeID, name: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer,
    data: UnsafeRawBufferPointer)
  /// Exactly once, the last.
  func upstreamComplete(_ exchange: UpstreamExchangeID, _ result: UpstreamResult)
}

/// Index and generation of an exchange on its loop; a stale one is ignored.
package struct UpstreamExchangeID: Hashable, Sendable {
  package var rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Speaks HTTP to upstream servers on one event loop. Thread: the loop's.
package protocol UpstreamClient: AnyObject {
  /// Starts an exchange; the delegate is held until `upstreamComplete` was delivered. Throws only when no exchange
  /// can be made at all (no HTTP library, malformed URL).
  func start(_ request: UpstreamRequest, delegate: any UpstreamExchangeDelegate) throws(ProviderFailure)
    -> UpstreamExchangeID
  /// Closes the exchange's connection now; `upstreamComplete` follows with `isCancelled`.
  func cancel(_ exchange: UpstreamExchangeID)
  /// Stops reading its socket; the idle and first-byte clocks stand still.
  func pause(_ exchange: UpstreamExchangeID)
  func resume(_ exchange: UpstreamExchangeID)
}
