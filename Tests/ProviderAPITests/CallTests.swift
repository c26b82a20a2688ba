import CProviderABI
import Glibc
import ProviderAPI
import ProviderTesting
import Synchronization
import Testing

@Suite struct `A call` {
  let host = MockHost()

  @Test func `emits in order, finishes, is done once, and is closed`() throws {
    let instance = try Scripted.instance(on: host) {
      (request: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try await stream.modelUsed("m-1")
      try await stream.reasoning("hm")
      try await stream.text("Hel")
      try await stream.text("lo")
      try await stream.toolCall(0, id: "t1", name: "add")
      try await stream.toolArguments(0, "{}")
      try await stream.refusal("no")
      try await stream.annotation("web_search", json: "[]")
      try await stream.usage(
        TokenUsage(inputTokens: 1, outputTokens: 2, cachedInputTokens: 3, reasoningTokens: 4))
      return stream.finish(.toolCalls)
    }
    let call = try instance.chat("hi")
    // Nothing had to wait: the answer is complete before call_open returned.
    #expect(host.jobsWaiting == 1)
    host.run()
    #expect(
      call.events.map(\.kind) == [
        PRV_EVENT_MODEL_USED, PRV_EVENT_REASONING, PRV_EVENT_TEXT, PRV_EVENT_TEXT, PRV_EVENT_TOOL_CALL,
        PRV_EVENT_TOOL_ARGUMENTS, PRV_EVENT_REFUSAL, PRV_EVENT_ANNOTATION, PRV_EVENT_USAGE, PRV_EVENT_FINISH,
      ])
    #expect(call.text == "Hello")
    #expect(call.events[0].name == "m-1")
    #expect(call.events[4] == MockEvent(kind: PRV_EVENT_TOOL_CALL, id: "t1", name: "add"))
    #expect(call.events[5].text == "{}")
    #expect(call.events[7].name == "web_search")
    #expect(call.events[8].usage == [1, 2, 3, 4])
    #expect(call.finishReason == "tool_calls")
    #expect(call.dones.map(\.status) == [PRV_OK])
    #expect(call.isClosed)
    #expect(host.violations.isEmpty)
  }

  @Test func `sees the request as the host gave it, also after it waited`() throws {
    let instance = try Scripted.instance(on: host) {
      (request: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try await stream.context.sleep(nanoseconds: 5)
      let roles = request.messages.map { "\($0.role.map { "\($0)" } ?? "?"):\($0.text)" }.joined(separator: "|")
      try await stream.text("\(request.model) \(request.wantsStream) \(request.attempt) \(request.context.requestID) ")
      try await stream.text(roles)
      return stream.finish(.stop)
    }
    let body = """
      {"messages": [{"role": "developer", "content": "be\\n"}, {"role": "user", "content": [
        {"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]}, {"role": "x"}]}
      """
    let call = try instance.open(PRV_CALL_CHAT, body: body, model: "m-1", streams: false)
    host.advance(nanoseconds: 5)
    #expect(call.text == "m-1 false 1 request-\(call.handle & 0xFFFF) system:be\n|user:ab|?:")
  }

  @Test func `that throws is done once, with everything the error says`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try await stream.text("half")
      throw ProviderError(
        .rateLimited, "slow down", httpStatus: 429, providerCode: "1302", isRetryable: true,
        retryAfter: .milliseconds(1500), requestID: "up-7")
    }
    let call = try instance.chat("hi")
    host.run()
    let done = try #require(call.dones.first)
    #expect(call.dones.count == 1)
    #expect(done.status == PRV_E_RATE_LIMITED)
    #expect(done.message == "slow down")
    #expect(done.httpStatus == 429)
    #expect(done.providerCode == "1302")
    #expect(done.retryable == PRV_RETRY_YES)
    #expect(done.retryAfterNanoseconds == 1_500_000_000)
    #expect(done.requestID == "up-7")
    #expect(call.finishReason == nil)
    #expect(call.isClosed)
  }

  @Test func `cancelled before its task went on is done once, as cancelled`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try await stream.context.sleep(nanoseconds: 1_000)
      try await stream.text("late")
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi")
    instance.cancel(call)
    host.run()
    #expect(call.events.isEmpty)
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
    #expect(call.isClosed)
    #expect(host.timersWaiting == 0)
  }

  @Test func `cancelled midway is done once, as cancelled`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      while true {
        try await stream.text("more ")
        try await stream.context.sleep(nanoseconds: 10)
      }
    }
    let call = try instance.chat("hi")
    host.advance(nanoseconds: 30)
    instance.cancel(call, reason: PRV_CANCEL_DEADLINE)
    host.run()
    #expect(call.text == "more more more more ")
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
    #expect(call.isClosed)
    #expect(host.violations.isEmpty)
  }

  @Test func `learns of its cancel from the answer to an event`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      for _ in 0..<5 { try await stream.text("x") }
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi", answering: [PRV_OK, PRV_CANCELLED])
    host.run()
    #expect(call.text == "xx")
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
    #expect(call.isClosed)
  }

  @Test func `paused waits in emit until it is resumed`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      for piece in ["a", "b", "c"] { try await stream.text(piece) }
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi", answering: [PRV_OK, PRV_PAUSE, PRV_PAUSE])
    host.run()
    #expect(call.text == "ab")
    instance.resume(call)
    host.run()
    #expect(call.text == "abc")
    #expect(call.dones.isEmpty)
    instance.resume(call)
    host.run()
    #expect(call.finishReason == "stop")
    #expect(call.dones.map(\.status) == [PRV_OK])
  }

  @Test func `resumed more often than paused pauses all the same`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try await stream.context.sleep(nanoseconds: 1)
      for piece in ["a", "b"] { try await stream.text(piece) }
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi", answering: [PRV_PAUSE])
    instance.resume(call)
    host.advance(nanoseconds: 1)
    #expect(call.text == "a")
    instance.resume(call)
    host.run()
    #expect(call.text == "ab")
    #expect(call.dones.count == 1)
  }

  @Test func `cancelled while paused is done as cancelled`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try await stream.text("a")
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi", answering: [PRV_PAUSE])
    instance.cancel(call)
    host.run()
    #expect(call.dones.map(\.status) == [PRV_CANCELLED])
    #expect(call.finishReason == nil)
  }

  @Test(arguments: [false, true])
  func `that the host has forgotten runs to its end, also when the host stops`(isStopping: Bool) throws {
    final class Flag: Sendable { let ended = Mutex(false) }
    let flag = Flag()
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      defer { flag.ended.withLock { $0 = true } }
      try await stream.text("a")
      try await stream.text("b")
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi", answering: [PRV_PAUSE])
    instance.forget(call)
    host.isStopping = isStopping
    instance.resume(call)
    host.run()
    #expect(flag.ended.withLock { $0 })
    #expect(call.text == "a")
    #expect(call.dones.isEmpty)
    instance.close(call)
    #expect(host.violations.isEmpty)
  }

  @Test func `with child tasks runs them on the host's thread too`() throws {
    let thread = UInt(pthread_self())
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      let context = stream.context
      let threads = await withTaskGroup(of: UInt.self) { group in
        for delay in 0..<4 {
          group.addTask {
            try? await context.sleep(nanoseconds: UInt64(delay))
            return UInt(pthread_self())
          }
        }
        return await group.reduce(into: [UInt]()) { $0.append($1) }
      }
      try await stream.text(threads.allSatisfy { $0 == thread } ? "same" : "other")
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi")
    host.advance(nanoseconds: 10)
    #expect(call.text == "same")
    #expect(call.dones.map(\.status) == [PRV_OK])
  }

  @Test func `starts no thread`() async {
    await #expect(processExitsWith: .success) {
      let host = MockHost()
      let instance = try Scripted.instance(on: host) {
        (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
        for _ in 0..<3 {
          try await stream.context.sleep(nanoseconds: 10)
          try await stream.text("tick ")
        }
        return stream.finish(.stop)
      }
      let before = threadCount()
      for _ in 0..<100 {
        let call = try instance.chat("hi")
        host.advance(nanoseconds: 40)
        guard call.text == "tick tick tick ", call.isClosed else { exit(2) }
      }
      exit(threadCount() == before ? EXIT_SUCCESS : 3)
    }
  }

  @Test func `of an unknown kind or without a body is not accepted`() throws {
    let instance = try Scripted.instance(on: host, Scripted.Script())
    #expect(throws: MockFailure(status: PRV_E_UNSUPPORTED, message: "calls of kind 99 are not known to this provider"))
    {
      try instance.open(99)
    }
    #expect(throws: MockFailure(status: PRV_E_INVALID_ARGUMENT, message: "a chat has no body; expected prv.chat/1")) {
      try instance.open(PRV_CALL_CHAT)
    }
    #expect(host.violations.isEmpty)
  }
}

/// The threads of this process.
private func threadCount() -> Int {
  guard let directory = opendir("/proc/self/task") else { return -1 }
  defer { closedir(directory) }
  var count = 0
  while readdir(directory) != nil { count += 1 }
  return count - 2
}
