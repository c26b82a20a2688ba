import Decisions
import Wire

/// What a face asks for, validated: everything a call needs but its body. Moved into its call, never copied.
struct CallPlan: ~Copyable {
  /// The client's id as a JSON string with its quotes, to be written back as it came.
  var requestID: [UInt8]
  var model: ModelEntry
  /// A plugin's tool, whose `place` is `model`; nil: a chat.
  var tool: ProviderTool?
  var files: [ProviderFile] = []
  /// Models that may answer instead, in order; usually none.
  var fallbacks: [ModelEntry] = []
  /// What the client called the model; nil: it named none.
  var requestedModel: String?
  var wantsStream: Bool
  /// Nanoseconds.
  var total: UInt64
  /// Whether the client asked for less than the configured total: then its end says nothing about the provider.
  var isShortened = false
  var session: Int
  /// Its number; nil: nobody needs a token here.
  var principal: Int?
  var receivedAt: Instant
  /// What the upstream is told of the client's trace, with a span of this call; nil: it is in none.
  var trace: TraceContext?

  /// As frames name the call.
  var name: String { tool?.name ?? "chat" }
  var modelCount: Int { 1 + fallbacks.count }
  func model(_ number: Int) -> ModelEntry { number == 0 ? model : fallbacks[number - 1] }
}

extension CallPlan {
  /// Opens the provider of `model` with this plan; the buffers are borrowed for the call of `open`.
  func open(
    _ provider: any ProviderInstance, model: ModelEntry, attempt: Int, body: UnsafeRawBufferPointer, deadline: Instant,
    connect: UInt64, sink: any ProviderCallSink, on loop: EventLoop
  ) throws(ProviderFailure) -> ProviderCallID {
    // The id's content between its quotes; an escaped id reaches the plugin as it was escaped, which only logs it.
    let result: Result<ProviderCallID, ProviderFailure> = requestID.withUnsafeBytes { quoted in
      var model = tool == nil ? model.id : ""
      return model.withUTF8 { name in
        let request = ProviderRequest(
          kind: tool == nil ? .chat : .tool, wantsStream: wantsStream, attempt: UInt32(attempt), deadline: deadline,
          connectTimeoutNanoseconds: connect,
          requestID: UnsafeRawBufferPointer(rebasing: quoted[1..<max(1, quoted.count - 1)]),
          model: UnsafeRawBufferPointer(name), bodySchema: tool == nil ? "prv.chat/1" : "prv.tool-call/1",
          body: body, files: files, trace: trace)
        return Result { () throws(ProviderFailure) in try provider.open(request, sink: sink, on: loop) }
      }
    }
    return try result.get()
  }
}
