import JSON
public import ProviderAPI

/// A provider that speaks the OpenAI chat format: says where it answers and how it differs, and has the rest.
public protocol OpenAIProvider: Provider {
  var endpoint: Endpoint { get }
  /// The models that the operator listed; nil: whatever the upstream lists.
  var configuredModels: [ModelDescription]? { get }

  func dialect(for model: String) -> Dialect
}

extension OpenAIProvider {
  public func chat(_ request: ChatRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    let dialect = dialect(for: request.model)
    let body = try ChatRequestBody.write(request.body, model: request.model, in: dialect)
    var chat = OpenAIChat(endpoint, dialect)
    let round = try await chat.exchange(body, to: &stream)
    return stream.finish(round.reason)
  }

  /// What the operator listed, else what the upstream lists; both with what the catalogue knows of it.
  public func models(_ context: CallContext) async throws(ProviderError) -> [ModelDescription]? {
    let catalogue = Self.descriptor.models
    if let configuredModels { return ModelList.merge(configuredModels, with: catalogue) }
    return ModelList.merge(try await listedModels(context), with: catalogue)
  }

  /// Asks the upstream for its models. One that answers, but has no such list, is healthy too.
  public func checkHealth(_ context: CallContext) async throws(ProviderError) {
    do throws(ProviderError) {
      _ = try await listedModels(context)
    } catch {
      guard error.httpStatus == 404 || error.httpStatus == 405 else { throw error }
    }
  }

  private func listedModels(_ context: CallContext) async throws(ProviderError) -> [ModelDescription] {
    var exchange = try await context.http(endpoint.get("/models"))
    guard exchange.isSuccess else { throw await dialect(for: "").errors.error(of: &exchange, context) }
    let body = try await exchange.collectBody()
    return try body.withUnsafeBufferPointer { (bytes) throws(ProviderError) in
      try ModelList.decode(UnsafeRawBufferPointer(bytes))
    }
  }
}
