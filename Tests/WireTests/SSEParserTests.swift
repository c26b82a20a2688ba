import Bytes
import Testing
import Wire

private struct Seen: Equatable {
  var name: String
  var id: String
  var data: String
}

private func parse(_ pieces: [ArraySlice<UInt8>], limit: Int = 1 << 20) throws(SSEError) -> [Seen] {
  var parser = SSEParser(eventBytesLimit: limit)
  var seen: [Seen] = []
  for piece in pieces {
    let bytes = Array(piece)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    try parser.feed(UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count])) { event in
      func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
      seen.append(Seen(name: text(event.name), id: text(event.id), data: text(event.data)))
    }
  }
  return seen
}

struct SSEParserTests {
  private static let stream =
    "\u{FEFF}: comment\ndata: one\n\nevent: delta\nid: 7\ndata:two\ndata: lines €\n\ndata\n\nretry: 5\nunknown: x\n\n"
    + "data:  spaced\n\nid: bad\u{0}id\ndata: [DONE]\n\ndata: unfinished\n"
  private static let events = [
    Seen(name: "message", id: "", data: "one"), Seen(name: "delta", id: "7", data: "two\nlines €"),
    Seen(name: "message", id: "7", data: ""), Seen(name: "message", id: "7", data: " spaced"),
    Seen(name: "message", id: "7", data: "[DONE]"),
  ]

  @Test(arguments: ["\n", "\r\n", "\r"])
  func `a stream gives the same events whatever ends its lines and wherever it is cut`(end: String) throws {
    var text = ""
    for character in Self.stream { text += character == "\n" ? end : String(character) }
    let bytes = Array(text.utf8)
    for cut in 0...bytes.count {
      #expect(try parse([bytes[..<cut], bytes[cut...]]) == Self.events, "cut at \(cut)")
    }
    #expect(try parse(bytes.map { [$0][...] }) == Self.events)
  }

  @Test(arguments: [(99, true), (100, true), (101, false)])
  func `a line is bounded`(size: Int, fits: Bool) {
    let bytes = Array("data: ".utf8) + [UInt8](repeating: 0x78, count: size - 6) + Array("\n\n".utf8)
    for pieces in [[bytes[...]], [bytes[..<50], bytes[50...]]] {
      if fits {
        #expect(throws: Never.self) { try parse(pieces, limit: 100) }
      } else {
        #expect(throws: SSEError.self) { try parse(pieces, limit: 100) }
      }
    }
  }

  @Test func `an event of many lines is bounded`() {
    let lines = Array(String(repeating: "data: xxxxxxxxxx\n", count: 20).utf8)
    #expect(throws: SSEError.self) { try parse([lines[...]], limit: 100) }
  }
}
