/// The answer to an HTTP request, read at the provider's own pace.
///
/// While the client is slow the host stops reading the upstream's socket, so little waits here; the limit
/// (`HTTPRequest.Limits.unreadBytes`) is for a provider that stops reading for another reason. An exchange that is
/// dropped before its end is aborted.
public struct HTTPExchange: ~Copyable, @unchecked Sendable {  // owned by one task at a time, as it cannot be copied
  /// The HTTP status.
  public let status: Int
  public let headers: HTTPHeaders
  private let inbox: ExchangeInbox
  private var unread = ExchangePieces()

  /// Whether the status is 2xx.
  public var isSuccess: Bool { (200..<300).contains(status) }

  static func begin(_ request: HTTPRequest, of call: Call) async throws(ProviderError) -> HTTPExchange {
    let inbox = try ExchangeInbox(request, of: call)
    do throws(ProviderError) {
      let head = try await inbox.head()
      return HTTPExchange(status: head.status, headers: head.headers, inbox: inbox)
    } catch {
      inbox.abort()
      throw error
    }
  }

  private init(status: Int, headers: HTTPHeaders, inbox: ExchangeInbox) {
    self.status = status
    self.headers = headers
    self.inbox = inbox
  }

  deinit { inbox.abort() }

  /// The next event of an event stream; nil at the end of the answer. What it points to is valid until the next call.
  ///
  /// - Throws: `.badResponse` when the answer is not an event stream; else as `nextChunk`.
  public mutating func nextEvent() async throws(ProviderError) -> SSEMessage? {
    guard let piece = try await nextPiece() else { return nil }
    guard case .event(let message) = piece else {
      throw ProviderError(
        .badResponse, "expected an event stream, got \(headers["content-type"] ?? "no content type"), status \(status)",
        httpStatus: status)
    }
    return message
  }

  /// The next bytes of the body; nil at its end. Valid until the next call.
  ///
  /// - Throws: `.network` when the connection broke, `.timeout`, `.limit`, `.cancelled`.
  public mutating func nextChunk() async throws(ProviderError) -> UnsafeRawBufferPointer? {
    guard let piece = try await nextPiece() else { return nil }
    guard case .chunk(let bytes) = piece else {
      throw ProviderError(.internal, "expected the bytes of a body, got an event: read it with nextEvent")
    }
    return bytes
  }

  /// The rest of the body.
  ///
  /// - Throws: `.limit` beyond `limitBytes`; else as `nextChunk`.
  public mutating func collectBody(limitBytes: Int = 8 << 20) async throws(ProviderError) -> [UInt8] {
    var body: [UInt8] = []
    while let chunk = try await nextChunk() {
      guard chunk.count <= limitBytes - body.count else {
        throw ProviderError(.limit, "the answer is longer than \(limitBytes) bytes", httpStatus: status)
      }
      body.append(contentsOf: chunk)
    }
    return body
  }

  private mutating func nextPiece() async throws(ProviderError) -> ExchangePiece? {
    while true {
      if let piece = unread.next() { return piece }
      guard try await inbox.receive(into: &unread) else { return nil }
    }
  }
}

/// One event of an event stream (WHATWG HTML §9.2.6), borrowed from its exchange.
public struct SSEMessage {
  /// `message` when the stream named none.
  public let event: UnsafeRawBufferPointer
  public let id: UnsafeRawBufferPointer
  public let data: UnsafeRawBufferPointer

  public func isEvent(_ name: StaticString) -> Bool { event.elementsEqual(UnsafeRawBufferPointer(name)) }

  /// Whether the data is just this text: `[DONE]`.
  public func isData(_ text: StaticString) -> Bool { data.elementsEqual(UnsafeRawBufferPointer(text)) }

  /// A copy of the data.
  public var text: String { String(decoding: data, as: UTF8.self) }
}

extension UnsafeRawBufferPointer {
  fileprivate init(_ text: StaticString) { self.init(start: text.utf8Start, count: text.utf8CodeUnitCount) }
}
