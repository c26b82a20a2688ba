import CProviderABI
import ProviderAPI
import ProviderTesting
import Testing

@Suite struct `A text piece` {
  let host = MockHost()

  /// One- to four-byte characters, and what a careless splitter takes apart.
  static let text = "aé€😀z\u{301}👩‍👩‍👧"

  @Test(arguments: 1..<text.utf8.count)
  func `split at any byte arrives whole`(position: Int) throws {
    let instance = try Scripted.instance(on: host, name: "split \(position)") {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      let bytes = [UInt8](Self.text.utf8)
      for part in [bytes[..<position], bytes[position...]] { try await stream.text([UInt8](part)) }
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi")
    host.run()
    #expect(call.text == Self.text)
    #expect(call.dones.map(\.status) == [PRV_OK])
    #expect(host.violations.isEmpty)
  }

  @Test func `sent byte by byte arrives whole, beside another text`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      for byte in Self.text.utf8 {
        try await stream.text([byte])
        try await stream.toolArguments(0, [byte])
        try await stream.toolArguments(1, [byte])
      }
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi")
    host.run()
    #expect(call.text == Self.text)
    for index in 0..<2 as Range<UInt32> {
      let pieces = call.events.filter { $0.kind == PRV_EVENT_TOOL_ARGUMENTS && $0.index == index }
      #expect(pieces.map(\.text).joined() == Self.text)
    }
    #expect(host.violations.isEmpty)
  }

  @Test func `that never becomes whole is shown as U+FFFD`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try await stream.text([0x61, 0xF0, 0x9F])
      return stream.finish(.length)
    }
    let call = try instance.chat("hi")
    host.run()
    #expect(call.text == "a\u{FFFD}")
    #expect(call.finishReason == "length")
  }

  @Test func `that is not UTF-8 fails the call`() throws {
    let instance = try Scripted.instance(on: host) {
      (_: ChatRequest, stream: consuming ChatStream) async throws(ProviderError) -> ChatEnd in
      try await stream.text([0x61, 0xFF, 0x62])
      return stream.finish(.stop)
    }
    let call = try instance.chat("hi")
    host.run()
    #expect(call.events.isEmpty)
    #expect(call.dones.map(\.status) == [PRV_E_BAD_RESPONSE])
  }
}

extension ChatStream {
  /// The bytes of `piece`; the pointer lives for the call.
  fileprivate mutating func text(_ piece: [UInt8]) async throws(ProviderError) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: piece)
    try await text(UnsafeRawBufferPointer(memory))
  }

  fileprivate mutating func toolArguments(_ index: Int, _ piece: [UInt8]) async throws(ProviderError) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: piece)
    try await toolArguments(index, UnsafeRawBufferPointer(memory))
  }
}
