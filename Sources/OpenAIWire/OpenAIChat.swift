import Bytes
public import ProviderAPI

/// Runs the HTTP exchanges of one chat: sends a body, hands on what the answer says, and returns only when its end was
/// seen.
public struct OpenAIChat: ~Copyable {
  /// Bytes of an error's body that are read.
  static let errorBodyBytes = 256 << 10
  /// Bytes of an answer that came whole.
  static let wholeBodyBytes = 32 << 20

  private let endpoint: Endpoint
  private let dialect: Dialect
  /// Tokens of the exchanges before this one.
  private var spent = TokenUsage(inputTokens: 0, outputTokens: 0)

  public init(_ endpoint: Endpoint, _ dialect: Dialect) {
    self.endpoint = endpoint
    self.dialect = dialect
  }

  /// One request and its answer. Usage is reported once, the sum of all exchanges so far, also when the answer broke.
  ///
  /// - Throws: what the upstream says is wrong; `.network` when its answer stopped before the end.
  public mutating func exchange(_ body: [UInt8], to stream: inout ChatStream) async throws(ProviderError) -> ChatRound {
    var decoder = ChatChunkDecoder(dialect)
    var round = ChatRound(keepsTexts: dialect.echoedTool != nil)
    let failure: ProviderError?
    do throws(ProviderError) {
      round.reason = try await read(body, &decoder, &round, &stream)
      failure = nil
    } catch {
      failure = error
    }
    if let usage = decoder.usage, failure?.code != .cancelled {
      spent = spent + usage
      try await stream.usage(spent)
    }
    if let failure { throw failure }
    round.echoedCalls = decoder.echoedCalls
    round.shownCallCount = decoder.shownCallCount
    return round
  }

  private func read(
    _ body: [UInt8], _ decoder: inout ChatChunkDecoder, _ round: inout ChatRound, _ stream: inout ChatStream
  ) async throws(ProviderError) -> FinishReason {
    let context = stream.context
    var exchange = try await context.http(endpoint.post("/chat/completions", body))
    guard exchange.isSuccess else { throw await dialect.errors.error(of: &exchange, context) }
    if exchange.isEventStream {
      while let message = try await next(&exchange, decoder) {
        if message.isEvent("error") { throw dialect.errors.error(inEvent: message.data) }
        try await take(message, &decoder, &round, &stream)
        if message.isData("[DONE]") { break }
      }
    } else {
      let whole = try await exchange.collectBody(limitBytes: Self.wholeBodyBytes)
      try whole.withUnsafeBufferPointer { (bytes) throws(ProviderError) in
        try decoder.decodeWhole(UnsafeRawBufferPointer(bytes))
      }
      try await emit(decoder, &round, &stream)
    }
    let reason = try decoder.end()
    try await emit(decoder, &round, &stream)
    return reason
  }

  /// The next event. A connection that breaks after the answer's end was seen has merely ended.
  private func next(_ exchange: inout HTTPExchange, _ decoder: borrowing ChatChunkDecoder)
    async throws(ProviderError) -> SSEMessage?
  {
    do throws(ProviderError) {
      return try await exchange.nextEvent()
    } catch {
      guard decoder.hasEnded, error.code != .cancelled else { throw error }
      return nil
    }
  }

  /// Hands on what a message says; also what stands before the failure that it tells of.
  private func take(
    _ message: SSEMessage, _ decoder: inout ChatChunkDecoder, _ round: inout ChatRound, _ stream: inout ChatStream
  ) async throws(ProviderError) {
    do throws(ProviderError) {
      try decoder.decode(message.data)
    } catch {
      try await emit(decoder, &round, &stream)
      throw error
    }
    try await emit(decoder, &round, &stream)
  }

  private func emit(_ decoder: borrowing ChatChunkDecoder, _ round: inout ChatRound, _ stream: inout ChatStream)
    async throws(ProviderError)
  {
    for event in decoder.events {
      switch event {
      case .text(let piece):
        try round.keep(text: decoder.bytes(piece))
        try await stream.text(decoder.bytes(piece))
      case .reasoning(let piece):
        try round.keep(reasoning: decoder.bytes(piece))
        try await stream.reasoning(decoder.bytes(piece))
      case .refusal(let piece): try await stream.refusal(decoder.bytes(piece))
      case .toolCall(let index, let id, let name): try await stream.toolCall(index, id: id, name: name)
      case .toolArguments(let index, let piece): try await stream.toolArguments(index, decoder.bytes(piece))
      case .modelUsed(let model): try await stream.modelUsed(model)
      case .annotation(let name, let piece):
        try await stream.annotation(name, json: String(decoding: decoder.bytes(piece), as: UTF8.self))
      }
    }
  }
}

extension HTTPExchange {
  /// Whether the host hands the answer over as events.
  fileprivate var isEventStream: Bool {
    headers["content-type"]?.lowercased().hasPrefix("text/event-stream") ?? false
  }
}

extension ErrorMapping {
  /// The error of an answer that is not 2xx; when its body cannot be read, what the status alone says.
  func error(of exchange: inout HTTPExchange, _ context: CallContext) async -> ProviderError {
    var body: [UInt8] = []
    do throws(ProviderError) {
      body = try await exchange.collectBody(limitBytes: OpenAIChat.errorBodyBytes)
    } catch {
      if error.code == .cancelled { return error }
    }
    let now = Int64(clamping: context.host.unixNanoseconds / 1_000_000_000)
    return body.withUnsafeBytes {
      error(status: exchange.status, headers: exchange.headers, body: $0, nowUnixSeconds: now)
    }
  }
}
