/// What a face asks for, validated: everything a call needs but its body.
struct CallPlan {
  /// The client's id as a JSON string with its quotes, to be written back as it came.
  var requestID: [UInt8]
  var model: ModelEntry
  /// What the client called the model; nil: it named none.
  var requestedModel: String?
  var wantsStream: Bool
  /// Nanoseconds.
  var total: UInt64
  var session: Int
  var receivedAt: Instant
}

extension CallPlan {
  /// Opens the provider with this plan; the buffers are borrowed for the call of `open`.
  func open(
    _ provider: any ProviderInstance, body: UnsafeRawBufferPointer, deadline: Instant, connect: UInt64,
    sink: any ProviderCallSink, on loop: EventLoop
  ) throws(ProviderFailure) -> ProviderCallID {
    // The id's content between its quotes; an escaped id reaches the plugin as it was escaped, which only logs it.
    let result: Result<ProviderCallID, ProviderFailure> = requestID.withUnsafeBytes { quoted in
      var model = model.id
      return model.withUTF8 { name in
        let request = ProviderRequest(
          kind: .chat, wantsStream: wantsStream, attempt: 1, deadline: deadline, connectTimeoutNanoseconds: connect,
          requestID: UnsafeRawBufferPointer(rebasing: quoted[1..<max(1, quoted.count - 1)]),
          model: UnsafeRawBufferPointer(name), bodySchema: "prv.chat/1", body: body)
        return Result { () throws(ProviderFailure) in try provider.open(request, sink: sink, on: loop) }
      }
    }
    return try result.get()
  }
}
