import Bytes
import Testing
import Wire

struct WebSocketDecoderTests {
  private static let golden: [UInt8] =
    text("hello") + text("") + text("frag", final: false) + frame(9, Array("ping".utf8))
    + frame(0, Array("mented ä€😀".utf8), final: false) + frame(10, []) + frame(0, Array(" end".utf8))
    + frame(2, (0..<200).map { UInt8($0) }) + text(String(repeating: "x€", count: 20_000))
    + frame(8, [0x03, 0xE8] + Array("bye".utf8))

  private static let goldenEvents: [SeenFrame] = [
    .text("hello"), .text(""), .ping("ping"), .pong(""), .text("fragmented ä€😀 end"),
    .binary((0..<200).map { UInt8($0) }), .text(String(repeating: "x€", count: 20_000)), .close(1000, "bye"),
  ]

  @Test func `a stream gives the same events in one piece`() {
    let (events, error) = decode(Self.golden)
    #expect(events == Self.goldenEvents)
    #expect(error == nil)
  }

  @Test func `a stream gives the same events split at every byte boundary`() {
    // The long message is left out: what matters are the boundaries of the heads and of the characters.
    let bytes = Array(Self.golden[..<(Self.golden.count - 80_000 - 14 - 11)])
    let whole = decode(bytes)
    for cut in 0...bytes.count {
      let halves = decode(bytes, pieces: [cut, bytes.count - cut])
      #expect(halves.events == whole.events && halves.error == nil, "cut at \(cut)")
    }
  }

  @Test func `a stream gives the same events byte by byte`() {
    let (events, error) = decode(Self.golden, pieces: Array(repeating: 1, count: Self.golden.count))
    #expect(events == Self.goldenEvents)
    #expect(error == nil)
  }

  @Test(
    arguments: [
      (frame(1, [0x61], reserved: 0x40), 1002), (frame(1, [0x61], reserved: 0x20), 1002),
      (frame(1, [0x61], reserved: 0x10), 1002), (frame(3, []), 1002), (frame(7, []), 1002), (frame(11, []), 1002),
      (frame(15, []), 1002), (frame(1, [0x61], masked: false), 1002), (frame(9, [], final: false), 1002),
      (frame(9, [UInt8](repeating: 0, count: 126)), 1002), (frame(0, [0x61]), 1002),
      (text("a", final: false) + text("b"), 1002), (frame(1, [0x61], lengthBytes: 2), 1002),
      (frame(1, [UInt8](repeating: 0x61, count: 200), lengthBytes: 8), 1002),
      ([0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002), (frame(8, [0x03]), 1002), (frame(8, [0x03, 0xED]), 1002),
      (frame(8, [0x03, 0xE7]), 1002), (frame(8, [0x0B, 0xB7]), 1002), (frame(8, [0x13, 0x88]), 1002),
      (frame(8, [0x03, 0xE8, 0xFF]), 1007), (frame(1, [0xFF]), 1007), (frame(1, [0xE2, 0x82]), 1007),
      (frame(1, [0xE2, 0x82], final: false) + frame(0, [0x41]), 1007),
    ] as [([UInt8], UInt16)])
  func `what breaks the protocol is refused with its code`(bytes: [UInt8], code: UInt16) {
    #expect(decode(bytes).error?.closeCode == code)
    #expect(decode(bytes, pieces: Array(repeating: 1, count: bytes.count)).error?.closeCode == code)
  }

  @Test func `of all close codes those that may be sent are taken, and no others`() {
    let allowed = Set<UInt16>(1000...1003).union(1007...1014).union(3000...4999)
    for code in UInt16.min...UInt16.max {
      let seen = decode(frame(8, [UInt8(code >> 8), UInt8(code & 255)]))
      let isRight = allowed.contains(code) ? seen.events == [.close(code, "")] : seen.error?.closeCode == 1002
      #expect(isRight, "code \(code)")
    }
  }

  @Test(
    arguments: [1, 2, 0] as [UInt8],
    [126, 65_536, 1 << 31, 1 << 32, 1 << 62, 1 << 63 - 1, 1 << 63, UInt64.max] as [UInt64])
  func `a length that no memory has is refused at its head, also inside a message`(opcode: UInt8, length: UInt64) {
    var head: [UInt8] = opcode == 0 ? frame(2, [0x61, 0x62], final: false) : []
    head += [0x80 | opcode, 0xFF] + (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
    // Below what needs 64 bits, and with the top bit, the way of writing is wrong, whatever the limit.
    let code: UInt16 = length <= 65_535 || length >> 63 == 1 ? 1002 : 1009
    for pieces in [[head.count + 4], Array(repeating: 1, count: head.count + 4)] {
      let seen = decode(head + [1, 2, 3, 4], pieces: pieces, limit: 1_000)
      #expect(seen.error?.closeCode == code && seen.events.isEmpty)
    }
  }

  @Test(arguments: [8, 9, 10] as [UInt8])
  func `a control frame may have 125 bytes, and no long length`(opcode: UInt8) {
    let code: [UInt8] = opcode == 8 ? [0x03, 0xE8] : []
    let longest = code + [UInt8](repeating: 0x61, count: 125 - code.count)
    #expect(decode(frame(opcode, longest)).events.count == 1)
    #expect(decode([0x80 | opcode, 0xFE]).error?.closeCode == 1002)
    #expect(decode([0x80 | opcode, 0xFF]).error?.closeCode == 1002)
  }

  @Test func `bad UTF-8 fails before its frame is whole`() {
    let bytes = frame(1, Array("ab".utf8) + [0xF5] + [UInt8](repeating: 0x61, count: 50))
    let head = Array(bytes[..<9])
    #expect(decode(head, pieces: [8, 1]).error?.closeCode == 1007)
  }

  @Test(arguments: [(99, true), (100, true), (101, false)])
  func `a message is taken up to its limit, and refused at its head beyond`(size: Int, fits: Bool) {
    let payload = [UInt8](repeating: 0x61, count: size)
    let whole = decode(frame(1, payload), limit: 100)
    #expect((whole.error == nil) == fits)
    // In two fragments the sum counts.
    let fragments = decode(
      frame(1, Array(payload[..<50]), final: false) + frame(0, Array(payload[50...])), limit: 100)
    #expect((fragments.error?.closeCode == 1009) == !fits)
    // The head alone is enough to refuse.
    if !fits { #expect(decode(Array(frame(1, payload)[..<6]), limit: 100).error?.closeCode == 1009) }
  }

  @Test func `fragments are counted up to their limit`() {
    var decoder = WebSocketDecoder(role: .server, messageBytesLimit: 100)
    var input = ByteBuffer()
    func feed(_ bytes: [UInt8]) throws(WebSocketError) {
      input.append(bytes)
      while try decoder.next(&input) != nil {}
    }
    #expect(throws: Never.self) {
      try feed(text("", final: false))
      for _ in 1..<WebSocketDecoder.tinyFragmentsLimit { try feed(frame(0, [], final: false)) }
    }
    #expect(throws: WebSocketError.self) { try feed(frame(0, [], final: true)) }
  }

  @Test(arguments: [(0, true), (1, false)])
  func `fragments that carry enough may be many`(missing: Int, fits: Bool) {
    let many = 3 * WebSocketDecoder.tinyFragmentsLimit
    let full = [UInt8](repeating: 0x61, count: WebSocketDecoder.fragmentBytes)
    let message =
      frame(1, Array(full.dropLast(missing)), final: false)
      + (1..<many).flatMap { frame(0, full, final: $0 == many - 1) }
    let result = decode(message, limit: 1 << 20)
    #expect(result.events.count == (fits ? 1 : 0))
    #expect(result.error?.closeCode == (fits ? nil : 1009))
  }

  @Test func `binary is refused at its first byte where only text is spoken`() {
    #expect(decode(frame(2, [1, 2, 3]), acceptsBinary: false).error?.closeCode == 1003)
    #expect(decode(frame(1, [0x61]), acceptsBinary: false).events == [.text("a")])
  }

  @Test func `a whole message is handed over where it came in, and lets go of it at the next call`() throws {
    var decoder = WebSocketDecoder(role: .server, messageBytesLimit: 100)
    var input = ByteBuffer()
    input.append(text("hello") + text("again"))
    let start = try #require(input.readable.baseAddress)
    for offset in [6, 17] {
      guard case .text(let payload)? = try decoder.next(&input) else {
        Issue.record("no text")
        return
      }
      #expect(payload.baseAddress == start + offset)
    }
    let held = input.count
    let event = try decoder.next(&input)
    let isNothing = if case nil = event { true } else { false }
    let left = input.count
    #expect(held == 11 && isNothing && left == 0)
  }

  @Test(arguments: 0..<24)
  func `a payload is unmasked whatever its length and the place it was cut at`(size: Int) {
    let payload = (0..<size).map { UInt8(0x41 + $0) }
    let bytes = frame(1, payload)
    for cut in 0...bytes.count {
      let seen = decode(bytes, pieces: [cut, bytes.count - cut])
      #expect(seen.events == [.text(String(decoding: payload, as: UTF8.self))], "cut at \(cut)")
    }
  }

  @Test func `a client refuses masked frames and takes plain ones`() {
    #expect(decode(frame(1, [0x61]), role: .client).error?.closeCode == 1002)
    #expect(decode(frame(1, [0x61], masked: false), role: .client).events == [.text("a")])
  }
}

struct WebSocketEncoderTests {
  @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
  func `a frame reads back whatever its length, in every way of writing it`(size: Int) {
    let payload = [UInt8](repeating: 0x61, count: size)
    let expected = [SeenFrame.text(String(repeating: "a", count: size))]
    var plain = ByteBuffer()
    payload.withUnsafeBytes { WebSocketEncoder.append(.text, $0, to: &plain) }
    #expect(decode(plain.copy(), role: .client).events == expected)

    var masked = ByteBuffer()
    payload.withUnsafeBytes { WebSocketEncoder.appendMasked(.text, $0, key: 0x1234_5678, to: &masked) }
    #expect(decode(masked.copy()).events == expected)

    var composed = ByteBuffer()
    composed.append("before")
    let mark = WebSocketEncoder.beginMessage(in: &composed)
    composed.append(payload)
    WebSocketEncoder.endMessage(mark, opcode: .text, in: &composed)
    composed.consume(6)
    #expect(composed.copy() == plain.copy())
  }

  @Test func `a close reason is cut between characters`() {
    for padding in 118...124 {
      var buffer = ByteBuffer()
      WebSocketEncoder.appendClose(code: 1008, reason: String(repeating: "x", count: padding) + "€", to: &buffer)
      let kept = padding <= 120 ? padding + 3 : min(padding, 123)
      #expect(buffer.count == 2 + 2 + kept)
      #expect(decode(buffer.copy(), role: .client).error == nil)
    }
  }
}
