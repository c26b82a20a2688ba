import Bytes
import CProviderABI

/// A provider behind the function table that the host calls.
final class Instance: Sendable {
  private let provider: any Provider
  private let host: ProviderHost

  init(_ provider: any Provider, host: ProviderHost) {
    self.provider = provider
    self.host = host
  }

  /// The table; its `self` owns the instance until `destroy`.
  var table: prv_provider {
    var table = prv_provider.sized()
    table.`self` = Unmanaged.passRetained(self).toOpaque()
    table.destroy = { instance in
      guard let instance else { return }
      Unmanaged<Instance>.fromOpaque(instance).release()
    }
    table.call_open = { instance, request, handle, context, error in
      guard let instance, let request, let context else { return PRV_E_INVALID_ARGUMENT }
      let target = Unmanaged<Instance>.fromOpaque(instance).takeUnretainedValue()
      do throws(ProviderError) {
        try target.open(prv_call_request(copying: request), handle, context)
        return PRV_OK
      } catch let failure {
        error(failure.message)
        return failure.code.rawValue
      }
    }
    table.call_cancel = { _, context, _ in Call.of(context)?.cancel() }
    table.call_resume = { _, context in Call.of(context)?.resume() }
    table.call_close = { _, context in
      guard let context else { return }
      // A host that closes a call which is not done has given it up: nothing may wait for it any longer.
      Unmanaged<Call>.fromOpaque(context).takeRetainedValue().cancel()
    }
    return table
  }

  private func open(
    _ request: prv_call_request, _ handle: prv_call, _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) throws(ProviderError) {
    guard [PRV_CALL_CHAT, PRV_CALL_MODELS, PRV_CALL_HEALTH, PRV_CALL_TOOL].contains(request.kind) else {
      throw ProviderError(.unsupported, "calls of kind \(request.kind) are not known to this provider")
    }
    let call = Call(request, handle: handle, host: host)
    guard request.kind != PRV_CALL_CHAT || call.body != nil else {
      throw ProviderError(.invalidArgument, "a chat has no body; expected prv.chat/1")
    }
    let tool = request.kind == PRV_CALL_TOOL ? ToolRequest(call: call) : nil
    guard request.kind != PRV_CALL_TOOL || tool != nil else {
      throw ProviderError(.invalidArgument, "a tool is called without its name and arguments; expected prv.tool-call/1")
    }
    // From here on the call is accepted. The task may end it before this returns.
    context.pointee = Unmanaged.passRetained(call).toOpaque()
    let provider = provider
    switch request.kind {
    case PRV_CALL_CHAT:
      call.start { () async throws(ProviderError) in
        _ = try await provider.chat(ChatRequest(call: call), to: ChatStream(call: call))
      }
    case PRV_CALL_TOOL:
      guard let tool else { return }
      call.start { () async throws(ProviderError) in
        _ = try await provider.callTool(tool, to: ChatStream(call: call))
      }
    case PRV_CALL_MODELS:
      call.start { () async throws(ProviderError) in try await Self.listModels(of: provider, call) }
    default:
      call.start { () async throws(ProviderError) in
        try await provider.checkHealth(CallContext(call: call))
        _ = ChatStream(call: call).finish(.stop)
      }
    }
  }

  private static func listModels(of provider: any Provider, _ call: Call) async throws(ProviderError) {
    guard let models = try await provider.models(CallContext(call: call)) else {
      throw ProviderError(.unsupported, "the provider has no list of its models")
    }
    var stream = ChatStream(call: call)
    for model in models { try await stream.model(model) }
    _ = stream.finish(.stop)
  }
}

extension Call {
  /// The call behind the context that the host keeps for it.
  fileprivate static func of(_ context: UnsafeMutableRawPointer?) -> Call? {
    context.map { Unmanaged<Call>.fromOpaque($0).takeUnretainedValue() }
  }
}
