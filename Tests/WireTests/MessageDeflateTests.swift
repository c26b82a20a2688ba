import Bytes
import SystemLibraries
import Testing

@testable import Wire

/// A client's side of permessage-deflate, and the server's that is under test.
private struct Deflated {
  let zlib: Zlib
  let contexts: DeflateContexts
  let deflate: MessageDeflate
  private let client: Deflater
  private let clientForgets: Bool

  init(keepsContext: Bool = true, windowBits: Int = 15, threshold: Int = 0, ratio: Int = 1_032) throws {
    zlib = try Zlib.load()
    contexts = DeflateContexts(zlib: zlib)
    clientForgets = !keepsContext
    deflate = MessageDeflate(
      DeflateTerms(keepsContext: keepsContext, windowBits: windowBits),
      limits: DeflateLimits(thresholdBytes: threshold, ratio: ratio), contexts: contexts)
    client = try #require(Deflater(zlib, windowBits: windowBits))
  }

  /// The compressed form of the client's next message.
  func compressed(_ message: [UInt8]) -> [UInt8] {
    if clientForgets { client.reset() }
    // Nothing at all is a stored block of nothing, without its four last bytes (RFC 7692 §7.2.3.6).
    if message.isEmpty { return [0] }
    var output = ByteBuffer()
    let isWhole = message.withUnsafeBytes { client.deflate($0, into: &output) }
    #expect(isWhole)
    return output.copy()
  }

  func compressed(_ text: String) -> [UInt8] { compressed(Array(text.utf8)) }

  /// The client's next text message in one frame.
  func text(_ text: String) -> [UInt8] { frame(1, compressed(text), reserved: 0x40) }

  /// The server's messages as a client with the same terms reads them.
  func sent(_ messages: [[UInt8]]) throws -> (wire: [UInt8], events: [SeenFrame]) {
    var wire = ByteBuffer()
    for message in messages {
      message.withUnsafeBytes { deflate.append(.binary, $0, to: &wire) }
      let mark = WebSocketEncoder.beginMessage(in: &wire)
      wire.append(message)
      deflate.endMessage(mark, opcode: .binary, in: &wire)
    }
    let peer = try Deflated(keepsContext: deflate.terms.serverKeepsContext, windowBits: deflate.terms.serverWindowBits)
    let seen = decode(wire.copy(), role: .client, deflate: peer.deflate)
    #expect(seen.error == nil)
    return (wire.copy(), seen.events)
  }
}

/// Pseudo-random bytes, the same in every run.
private func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var state = seed
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt8(truncatingIfNeeded: state >> 56)
  }
}

private let speech = String(repeating: "Ein Stück weiter ist es ä€😀, und immer so fort. ", count: 4)

struct MessageDeflateTests {
  @Test(
    arguments: [
      ([[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]], ["Hello"]),
      // In two fragments; the same again with the window of before; a stored block; a last block; two blocks.
      ([[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], [0xF2, 0x00, 0x11, 0x00, 0x00]], ["Hello", "Hello"]),
      ([[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]], ["Hello"]),
      ([[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]], ["Hello"]),
      ([[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00]], ["Hello"]),
      ([[0x00], [0x00]], ["", ""]),
      // After a last block another one, and the window is still there for the next message.
      (
        [
          [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
          [0xF2, 0x00, 0x11, 0x00, 0x00],
        ], ["HelloHello", "Hello"]
      ),
    ] as [([[UInt8]], [String])])
  func `the examples of RFC 7692 read as it says, in any two fragments`(messages: [[UInt8]], texts: [String]) throws {
    for cut in 0...messages[0].count {
      var bytes = frame(1, Array(messages[0][..<cut]), final: false, reserved: 0x40) + frame(9, [0x70])
      bytes += frame(0, Array(messages[0][cut...]))
      for message in messages.dropFirst() { bytes += frame(1, message, reserved: 0x40) }
      let seen = decode(bytes, deflate: try Deflated().deflate)
      #expect(seen.events == [.ping("p")] + texts.map { SeenFrame.text($0) }, "cut at \(cut)")
      #expect(seen.error == nil)
    }
  }

  @Test(arguments: [true, false])
  func `a stream gives the same events cut at every byte boundary, and byte by byte`(keepsContext: Bool) throws {
    let side = try Deflated(keepsContext: keepsContext)
    // In the order in which they are sent: each may refer to those before it.
    var bytes = side.text(speech) + text("plain") + side.text("")
    let long = side.compressed(speech + speech)
    bytes += frame(1, Array(long[..<3]), final: false, reserved: 0x40)
    bytes += frame(9, [0x61]) + frame(0, [], final: false) + frame(0, Array(long[3...]))
    bytes += frame(2, side.compressed([1, 2, 3]), reserved: 0x40) + frame(1, Array("a".utf8), final: false)
    bytes += frame(0, Array("b".utf8)) + frame(8, [0x03, 0xE8])
    let expected: [SeenFrame] = [
      .text(speech), .text("plain"), .text(""), .ping("a"), .text(speech + speech), .binary([1, 2, 3]), .text("ab"),
      .close(1000, ""),
    ]
    func fresh() throws -> MessageDeflate { try Deflated(keepsContext: keepsContext).deflate }
    for cut in 0...bytes.count {
      let seen = decode(bytes, pieces: [cut, bytes.count - cut], deflate: try fresh())
      #expect(seen.events == expected && seen.error == nil, "cut at \(cut)")
    }
    let seen = decode(bytes, pieces: Array(repeating: 1, count: bytes.count), deflate: try fresh())
    #expect(seen.events == expected && seen.error == nil)
  }

  @Test(
    arguments: [
      (frame(0, [0x00], reserved: 0x40), 1002), (frame(9, [], reserved: 0x40), 1002),
      (frame(10, [], reserved: 0x40), 1002), (frame(8, [0x03, 0xE8], reserved: 0x40), 1002),
      (frame(1, [0x00], reserved: 0x20), 1002), (frame(1, [0x00], reserved: 0x10), 1002),
      (frame(1, [0x00], reserved: 0x60), 1002),
      (frame(1, [0x00], final: false, reserved: 0x40) + frame(0, [], reserved: 0x40), 1002),
      (frame(1, [0x00], final: false, reserved: 0x40) + frame(1, [0x00], reserved: 0x40), 1002),
      (frame(1, [0x00], final: false, reserved: 0x40) + text("x"), 1002),
    ] as [([UInt8], UInt16)])
  func `the compressed bit stands on the first frame of a message only`(bytes: [UInt8], code: UInt16) throws {
    #expect(decode(bytes, deflate: try Deflated().deflate).error?.closeCode == code)
    let pieces = Array(repeating: 1, count: bytes.count)
    #expect(decode(bytes, pieces: pieces, deflate: try Deflated().deflate).error?.closeCode == code)
  }

  @Test func `without agreement a compressed message is a violation at its first byte`() {
    #expect(decode([0xC1]).error?.closeCode == 1002)
  }

  @Test func `a compressed binary message is refused with 1003 where only text is spoken`() throws {
    let seen = decode(frame(2, [0], reserved: 0x40), acceptsBinary: false, deflate: try Deflated().deflate)
    #expect(seen.error?.closeCode == 1003)
  }

  // MARK: - Bounds

  @Test(arguments: [-1, 0, 1])
  func `a message inflates up to its limit and not one byte more`(beyond: Int) throws {
    let side = try Deflated()
    let bytes = frame(1, side.compressed([UInt8](repeating: 0x61, count: 5_000 + beyond)), reserved: 0x40)
    for pieces in [[bytes.count], Array(repeating: 1, count: bytes.count)] {
      let seen = decode(bytes, pieces: pieces, limit: 5_000, deflate: try Deflated().deflate)
      if beyond > 0 {
        #expect(seen.error == WebSocketError(closeCode: 1009, reason: "message exceeds limit of 5000 bytes"))
      } else {
        #expect(seen.events == [.text(String(repeating: "a", count: 5_000 + beyond))] && seen.error == nil)
      }
    }
  }

  @Test func `the limit is of all fragments together, and may be one byte`() throws {
    let side = try Deflated()
    let bytes = side.compressed("abc")
    for (limit, isTaken) in [(3, true), (2, false), (1, false)] {
      for cut in 0...bytes.count {
        let stream = frame(1, Array(bytes[..<cut]), final: false, reserved: 0x40) + frame(0, Array(bytes[cut...]))
        #expect((decode(stream, limit: limit, deflate: try Deflated().deflate).error == nil) == isTaken)
      }
    }
  }

  @Test(arguments: [1, 100, 4_096, 65_536, 100_000])
  func `what inflates never takes more than its limit, whatever the bomb is cut into`(limit: Int) throws {
    let zlib = try Zlib.load()
    // 8 MiB of one byte: 8 KiB on the wire.
    let bomb = try Deflated().compressed([UInt8](repeating: 0, count: 8 << 20))
    for size in [1, 7, 1_000, bomb.count] {
      let inflater = try #require(Inflater(zlib, windowBits: 15))
      var output = ByteBuffer()
      var outcome = Inflater.Outcome.drained
      var start = 0
      while outcome == .drained, start < bomb.count {
        let piece = Array(bomb[start..<min(start + size, bomb.count)])
        outcome = piece.withUnsafeBytes { inflater.inflate($0, into: &output, Inflater.Bounds(limit: limit)) }
        start += size
        #expect(output.count <= limit)
      }
      let (count, allocated) = (output.count, output.allocatedBytes)
      #expect(outcome == .full && count == limit && allocated <= max(512, 2 * limit))
    }
  }

  @Test(arguments: [(1 << 20, 10, true), (1 << 20 + 1, 10, false), (3 << 20, 1_032, true), (3 << 20, 100, false)])
  func `a ratio over the limit is refused beyond the first MiB`(size: Int, ratio: Int, isTaken: Bool) throws {
    let side = try Deflated(ratio: ratio)
    // Zeros come at more than 200 to one.
    let bytes = frame(2, side.compressed([UInt8](repeating: 0, count: size)), reserved: 0x40)
    let seen = decode(bytes, limit: 16 << 20, deflate: side.deflate)
    #expect(seen.error?.closeCode == (isTaken ? nil : 1009))
    #expect(isTaken || seen.error?.reason == "message inflates to more than \(ratio) times its bytes")
  }

  @Test func `a ratio is that of the bytes read so far, whatever comes behind them`() throws {
    // 2 MiB of one byte, and then what does not shrink: the average of all is under the ratio, that of the bomb is not.
    let side = try Deflated(ratio: 100)
    let payload = side.compressed([UInt8](repeating: 0, count: 2 << 20) + noise(100_000))
    #expect(payload.count * 100 > 3 << 20)
    let seen = decode(frame(2, payload, reserved: 0x40), limit: 16 << 20, deflate: side.deflate)
    #expect(seen.error?.reason == "message inflates to more than 100 times its bytes")
  }

  @Test func `a head that says more than any such message has is refused`() throws {
    // 100 bytes may come as 189; nothing is added to what the head says before it is compared.
    for (length, isTaken) in [([0xFE, 0, 189], true), ([0xFE, 0, 190], false)] as [([UInt8], Bool)] {
      let seen = decode([0xC1] + length + [0, 0, 0, 0], limit: 100, deflate: try Deflated().deflate)
      #expect((seen.error == nil) == isTaken)
    }
    let huge: [UInt8] = [0xC1, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]
    #expect(decode(huge, limit: 100, deflate: try Deflated().deflate).error?.closeCode == 1009)
  }

  @Test func `empty blocks are counted as bytes of the message, empty fragments as fragments`() throws {
    // 1,000 stored blocks of nothing make nothing, but are more than a message of 100 bytes may have.
    let blocks = [UInt8](repeating: 0, count: 1_000).flatMap { _ in [0x00, 0x00, 0x00, 0xFF, 0xFF] as [UInt8] }
    let stream = blocks.chunked(50).enumerated().flatMap {
      frame($0 == 0 ? 1 : 0, $1, final: false, reserved: $0 == 0 ? 0x40 : 0)
    }
    #expect(decode(stream, limit: 100, deflate: try Deflated().deflate).error?.closeCode == 1009)
    let empty = frame(0, [], final: false)
    var decoder = WebSocketDecoder(role: .server, messageBytesLimit: 100, deflate: try Deflated().deflate)
    var input = ByteBuffer()
    input.append(frame(1, [], final: false, reserved: 0x40))
    for _ in 1..<WebSocketDecoder.tinyFragmentsLimit { input.append(empty) }
    let none = try decoder.next(&input)
    let isNothing = if case nil = none { true } else { false }
    #expect(isNothing)
    input.append(empty)
    let reason = "message exceeds limit of 4096 fragments of less than 16 bytes"
    #expect(throws: WebSocketError(closeCode: 1009, reason: reason)) {
      _ = try decoder.next(&input)
    }
  }

  // MARK: - Wrong streams

  @Test func `a stream that was cut short is refused wherever it was cut`() throws {
    for message in [Array(speech.utf8), noise(300).map { $0 & 0x7F }, [UInt8](repeating: 0x61, count: 70_000)] {
      let whole = try Deflated().compressed(message)
      for count in 0..<whole.count {
        let seen = decode(frame(1, Array(whole[..<count]), reserved: 0x40), deflate: try Deflated().deflate)
        #expect(seen.events.isEmpty && seen.error?.closeCode == 1007, "cut at \(count)")
      }
    }
  }

  @Test func `bytes behind the end of a stream are another stream, and refused if they are none`() throws {
    let hello: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
    let reserved = hello + [0x06]  // a block of the third kind, which there is not
    #expect(decode(frame(1, reserved, reserved: 0x40), deflate: try Deflated().deflate).error?.closeCode == 1007)
    // Without anything behind it the four bytes that follow every message stand there alone.
    #expect(decode(frame(1, hello, reserved: 0x40), deflate: try Deflated().deflate).error?.closeCode == 1007)
  }

  @Test func `every flipped bit is refused or makes another message, and nothing else`() throws {
    let whole = try Deflated().compressed(speech)
    for bit in 0..<whole.count * 8 {
      var bytes = whole
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      let seen = decode(frame(2, bytes, reserved: 0x40), limit: 10_000, deflate: try Deflated().deflate)
      #expect(seen.events.count == 1 || seen.error?.closeCode == 1007 || seen.error?.closeCode == 1009)
    }
  }

  @Test func `noise ends with 1007, 1009 or a message, and never takes more than its limit`() throws {
    for seed in 0..<2_000 as Range<UInt64> {
      let bytes = noise(1 + Int(seed % 200), seed: seed)
      let seen = decode(
        frame(2, bytes, reserved: 0x40), pieces: [9, 1, 1_000], limit: 5_000, deflate: try Deflated().deflate)
      #expect(seen.events.count == 1 || seen.error?.closeCode == 1007 || seen.error?.closeCode == 1009)
    }
  }

  @Test func `a window that was not agreed on cannot be reached back into`() throws {
    // The second message refers to the first, which a server that forgets has forgotten.
    let client = try Deflated(keepsContext: true)
    let bytes = client.text(speech) + client.text(speech)
    let seen = decode(bytes, deflate: try Deflated(keepsContext: false).deflate)
    #expect(seen.events == [.text(speech)] && seen.error?.closeCode == 1007)
  }

  @Test func `of two faults the first one counts, wherever the stream is cut`() throws {
    // Bad UTF-8, and then more bytes than a message may have; bad UTF-8, and then no deflate.
    let text = [0x61, 0xFF] + [UInt8](repeating: 0x61, count: 1_000)
    let broken = try Deflated().compressed(text) + [0x06, 0xFF]
    for bytes in [frame(1, try Deflated().compressed(text), reserved: 0x40), frame(1, broken, reserved: 0x40)] {
      for pieces in [[bytes.count], Array(repeating: 1, count: bytes.count)] {
        let seen = decode(bytes, pieces: pieces, limit: 100, deflate: try Deflated().deflate)
        #expect(seen.error?.reason == "text is not UTF-8")
      }
    }
  }

  @Test func `bad UTF-8 fails before its frame is whole`() throws {
    let bytes = frame(1, try Deflated().compressed([0x61, 0xFF] + noise(500).map { $0 & 0x7F }), reserved: 0x40)
    // The text is far from its end when the first block is; a fifth of it is enough here.
    let seen = decode(Array(bytes[..<(bytes.count - 1)]), deflate: try Deflated().deflate)
    #expect(seen.error?.closeCode == 1007 && seen.error?.reason == "text is not UTF-8")
    let unfinished = frame(1, try Deflated().compressed([0x61, 0xC3]), reserved: 0x40)
    #expect(decode(unfinished, deflate: try Deflated().deflate).error?.reason == "text is not UTF-8")
  }

  // MARK: - Out

  @Test(arguments: [9, 12, 15], [true, false])
  func `what the server sends is read by a client with the same terms`(windowBits: Int, keepsContext: Bool) throws {
    let side = try Deflated(keepsContext: keepsContext, windowBits: windowBits)
    let messages: [[UInt8]] = [
      Array(speech.utf8), [], [0x61], noise(3_000), Array(speech.utf8), [UInt8](repeating: 7, count: 100_000),
      noise(3_000), Array((speech + "!").utf8),
    ]
    let (wire, events) = try side.sent(messages)
    #expect(events == messages.flatMap { [SeenFrame.binary($0), .binary($0)] })
    #expect(wire[0] == 0xC2)
  }

  @Test(arguments: [(99, false), (100, true), (101, true)])
  func `a message under the threshold goes as it is`(size: Int, isCompressed: Bool) throws {
    let (wire, _) = try Deflated(threshold: 100).sent([[UInt8](repeating: 0x61, count: size)])
    #expect(wire[0] == (isCompressed ? 0xC2 : 0x82))
  }

  @Test func `what does not shrink goes as it is`() throws {
    let (wire, _) = try Deflated().sent([noise(1_000)])
    #expect(wire[0] == 0x82)
  }

  @Test func `with a window that is kept the same message is short the second time`() throws {
    for (keepsContext, isShort) in [(true, true), (false, false)] {
      let side = try Deflated(keepsContext: keepsContext)
      var wire = ByteBuffer()
      let message = noise(400).map { $0 & 0x3F }
      message.withUnsafeBytes { side.deflate.append(.binary, $0, to: &wire) }
      let first = wire.count
      message.withUnsafeBytes { side.deflate.append(.binary, $0, to: &wire) }
      #expect((wire.count - first < first / 4) == isShort)
    }
  }

  // MARK: - Memory

  @Test func `a connection owns no state before its first compressed message, nor after it unless it was agreed on`()
    throws
  {
    for keepsContext in [true, false] {
      let side = try Deflated(keepsContext: keepsContext)
      #expect(side.contexts.keepers == (keepsContext ? 1 : 0))
      #expect(decode(text("plain"), deflate: side.deflate).error == nil)
      #expect(side.deflate.inflater == nil && side.deflate.deflater == nil)
      #expect(decode(side.text(speech), deflate: side.deflate).error == nil)
      var wire = ByteBuffer()
      Array(speech.utf8).withUnsafeBytes { side.deflate.append(.text, $0, to: &wire) }
      #expect((side.deflate.inflater != nil) == keepsContext && (side.deflate.deflater != nil) == keepsContext)
      #expect((side.deflate.heldBytes > 300_000) == keepsContext)
    }
  }

  @Test func `who keeps states is counted as long as it lives`() throws {
    let contexts = DeflateContexts(zlib: try Zlib.load())
    let limits = DeflateLimits(thresholdBytes: 0, ratio: 100)
    func make(_ terms: DeflateTerms) -> MessageDeflate { MessageDeflate(terms, limits: limits, contexts: contexts) }
    var first: MessageDeflate? = make(DeflateTerms(keepsContext: true, windowBits: 15))
    let second = make(DeflateTerms(keepsContext: false, windowBits: 15))
    #expect(contexts.keepers == 1 && first != nil)
    first = nil
    #expect(contexts.keepers == 0)
    withExtendedLifetime(second) {}
  }

  @Test func `the layout is that of zlib's header on 64 bits`() {
    #expect(MemoryLayout<ZlibStream>.size == 112)
    #expect(MemoryLayout<ZlibStream>.offset(of: \.nextOut) == 24)
    #expect(MemoryLayout<ZlibStream>.offset(of: \.state) == 56)
    #expect(MemoryLayout<ZlibStream>.offset(of: \.dataType) == 88)
  }

  @Test func `a library that is missing, or is another, says what to install`() {
    let missing = #expect(throws: SharedLibrary.LoadError.self) { _ = try Zlib("libnone.so.1") }
    #expect(missing.map { "\($0)".contains("libnone.so.1") && "\($0)".contains("zlib1g") } == true)
    let another = #expect(throws: SharedLibrary.LoadError.self) { _ = try Zlib("libm.so.6") }
    #expect(another?.reason == .symbolMissing("zlibVersion"))
  }
}

extension Array {
  fileprivate func chunked(_ size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
