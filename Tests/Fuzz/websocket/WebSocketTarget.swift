import Bytes
import Wire

// WebSocketDecoder and WebSocketEncoder. Options: bit 0 a client decodes, bit 1 no binary, bits 2 and 3 the limit.
//
// Promised: the slow reader of RFC 6455 finds the same messages and the same close code; so does the decoder however
// the stream is cut; what was taken can be written by the encoder and is read back the same.

nonisolated(unsafe) private var whole = Trace()
nonisolated(unsafe) private var other = Trace()
nonisolated(unsafe) private var stream = ByteBuffer()
nonisolated(unsafe) private var written = ByteBuffer()

private struct Settings {
  var role: WebSocketDecoder.Role
  var limit: Int
  var acceptsBinary: Bool

  func decoder() -> WebSocketDecoder {
    WebSocketDecoder(role: role, messageBytesLimit: limit, acceptsBinary: acceptsBinary)
  }
}

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let input = FuzzInput(start, count) else { return -1 }
  let settings = Settings(
    role: input.option(0) ? .client : .server, limit: [65_536, 125, 16, 200][input.choice(2)],
    acceptsBinary: !input.option(1))
  whole.clear()
  written.removeAll(keeping: 1 << 20)
  run(settings, &whole, writesBack: true) { feed in feed(input.bytes) }

  other.clear()
  var reference = WebSocketReference(
    isServer: settings.role == .server, limit: settings.limit, acceptsBinary: settings.acceptsBinary)
  reference.read(input.bytes, &other)
  promise("the slow reader finds the same", whole.equals(other), "\(whole.text) against \(other.text)")

  other.clear()
  run(settings, &other) { feed in input.cuts.forEachPiece(of: input.bytes, feed) }
  promise("cuts do not matter", whole.equals(other), "\(whole.text) against \(other.text)")

  other.clear()
  stream.removeAll(keeping: 1 << 20)
  swap(&stream, &written)
  decode(settings, &other)
  promise(
    "what was taken can be written and read back", whole.bytes.readable.starts(with: other.bytes.readable),
    "\(whole.text) against \(other.text)")
  return 0
}

/// Decodes what `source` feeds, in one go or in pieces, and notes what comes.
private func run(
  _ settings: Settings, _ trace: inout Trace, writesBack: Bool = false,
  _ source: ((UnsafeRawBufferPointer) -> Void) -> Void
) {
  stream.removeAll(keeping: 1 << 20)
  var decoder = settings.decoder()
  var isOver = false
  source { piece in
    guard !isOver else { return }
    stream.append(piece)
    isOver = !stream.withoutSpareRoom { drain(&decoder, &$0, settings, &trace, writesBack) }
  }
}

/// Decodes what stands in `stream`, which must have nothing wrong in it and nothing left over.
private func decode(_ settings: Settings, _ trace: inout Trace) {
  var decoder = settings.decoder()
  let isGood = drain(&decoder, &stream, settings, &trace, false)
  promise("what was written has no error in it", isGood, trace.text)
  promise("what was written is whole", stream.isEmpty, "\(stream.count) bytes are left")
}

/// false: an error, after which nothing may be fed.
private func drain(
  _ decoder: inout WebSocketDecoder, _ input: inout ByteBuffer, _ settings: Settings, _ trace: inout Trace,
  _ writesBack: Bool
) -> Bool {
  do throws(WebSocketError) {
    while let event = try decoder.next(&input) {
      note(event, settings, &trace)
      if writesBack { write(event, settings.role) }
    }
    return true
  } catch {
    promise("a close code is one that may be sent", [1002, 1003, 1007, 1009].contains(error.closeCode))
    promise("a reason fits into a close frame", (1...123).contains(error.reason.utf8.count), error.reason)
    trace.note(UInt8(ascii: "!"), Int(error.closeCode))
    return false
  }
}

private func note(_ event: WebSocketEvent, _ settings: Settings, _ trace: inout Trace) {
  switch event {
  case .text(let payload):
    promise("a message keeps its limit", payload.count <= settings.limit, "\(payload.count)")
    trace.note(1, payload)
  case .binary(let payload):
    promise("a message keeps its limit", payload.count <= settings.limit, "\(payload.count)")
    promise("binary comes only where it is taken", settings.acceptsBinary)
    trace.note(2, payload)
  case .close(let code, let reason): trace.note(8, Int(code ?? 0), reason)
  case .ping(let payload): trace.note(9, payload)
  case .pong(let payload): trace.note(10, payload)
  }
}

/// Writes the event as the other side would have.
private func write(_ event: WebSocketEvent, _ role: WebSocketDecoder.Role) {
  switch event {
  case .text(let payload): write(.text, payload, role)
  case .binary(let payload): write(.binary, payload, role)
  case .ping(let payload): write(.ping, payload, role)
  case .pong(let payload): write(.pong, payload, role)
  case .close(let code, let reason):
    if role == .client {
      let text = String(decoding: reason, as: UTF8.self)
      return WebSocketEncoder.appendClose(code: code, reason: text, to: &written)
    }
    withUnsafeTemporaryAllocation(byteCount: 125, alignment: 1) { payload in
      guard let code else { return write(.close, UnsafeRawBufferPointer(rebasing: payload[..<0]), role) }
      (payload[0], payload[1]) = (UInt8(code >> 8), UInt8(truncatingIfNeeded: code))
      UnsafeMutableRawBufferPointer(rebasing: payload[2...]).copyMemory(from: reason)
      write(.close, UnsafeRawBufferPointer(rebasing: payload[..<(2 + reason.count)]), role)
    }
  }
}

private func write(_ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, _ role: WebSocketDecoder.Role) {
  switch role {
  case .server:
    let key = UInt32(truncatingIfNeeded: written.count) &* 0x9E37_79B9
    WebSocketEncoder.appendMasked(opcode, payload, key: key, to: &written)
  case .client where payload.count & 1 == 1:
    let mark = WebSocketEncoder.beginMessage(in: &written)
    written.append(payload)
    WebSocketEncoder.endMessage(mark, opcode: opcode, in: &written)
  case .client: WebSocketEncoder.append(opcode, payload, to: &written)
  }
}

extension Trace {
  mutating func note(_ kind: UInt8, _ number: Int, _ payload: UnsafeRawBufferPointer) {
    note(kind, number)
    note(kind, payload)
  }
}
