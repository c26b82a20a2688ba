/// One service that answers chats: what a plugin implements.
///
/// An instance serves many calls at once, on several event loops, so it keeps what it shares behind a `Mutex`. A call
/// begins on the host's event loop inside the host's own function and runs there until it first waits, then continues
/// on the same loop: no thread is started, and nothing here may block or compute for more than a millisecond.
///
/// Waiting goes through the host: `CallContext.sleep`, `CallContext.http`, the functions of `ChatStream`. Child tasks
/// stay on the loop too; `Task.sleep`, `Task { }` and `Task.detached` would start threads of the Swift runtime.
public protocol Provider: AnyObject, Sendable {
  /// Who this provider is; the same each time it is read.
  static var descriptor: ProviderDescriptor { get }

  /// Makes an instance. Takes at most a second, uses no network (PRV-R004).
  ///
  /// - Throws: `.invalidArgument` with a message that names the setting.
  init(settings: ProviderSettings, host: ProviderHost) throws(ProviderError)

  /// Answers one chat. Ends either with `stream.finish(_:)` once the upstream's end was really seen, or by throwing.
  /// A cancelled call throws `.cancelled` out of whatever it waits for; let it pass through.
  func chat(_ request: ChatRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd

  /// The models the upstream offers now; nil when it cannot be asked. Declared by `Capabilities.listModels`.
  func models(_ context: CallContext) async throws(ProviderError) -> [ModelDescription]?

  /// Returns when the upstream answers, throws why it does not. Declared by `Capabilities.checkHealth`.
  func checkHealth(_ context: CallContext) async throws(ProviderError)

  /// What the provider offers beside chats; the same each time it is read. At most 64 of a plugin.
  static var tools: [ToolDescription] { get }

  /// Answers a call of one of `tools`, as `chat` answers a chat: the texts join to the result.
  func callTool(_ request: ToolRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd
}

extension Provider {
  public static var tools: [ToolDescription] { [] }

  public func callTool(_ request: ToolRequest, to stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd {
    throw ProviderError(.unsupported, "the provider has no tool \(request.name)")
  }

  public func models(_ context: CallContext) async throws(ProviderError) -> [ModelDescription]? { nil }

  /// Asks for the models: whoever lists them is healthy.
  public func checkHealth(_ context: CallContext) async throws(ProviderError) {
    guard try await models(context) == nil else { return }
    throw ProviderError(.unsupported, "the provider has no health check")
  }
}
