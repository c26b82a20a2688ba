import Bytes
import Wire

// permessage-deflate: the offers of a client, messages that come compressed, and ours that go out so. Options: bit 0 the
// input is a Sec-WebSocket-Extensions header, bit 1 contexts are kept, bits 2 and 3 the limit of a message, bit 4 the
// input is messages of ours, one a line.
//
// Promised: no message is larger than its limit, whatever its bytes become; cuts do not matter; what we agree on is no
// more than we grant, and says the same when it is read; what we compress is read back the same. zlib itself is not
// instrumented.

nonisolated(unsafe) private var whole = Trace()
nonisolated(unsafe) private var other = Trace()
nonisolated(unsafe) private var stream = ByteBuffer()
nonisolated(unsafe) private let contexts = makeContexts()

private func makeContexts() -> DeflateContexts {
  do {
    return DeflateContexts(zlib: try Zlib.load())
  } catch {
    broken("zlib can be opened", "\(error)")
  }
}

private struct Settings {
  var keepsContext: Bool
  var limit: Int

  /// With whole windows: of a client that reaches beyond a smaller one, zlib finds more when its bytes come in pieces.
  func deflate() -> MessageDeflate {
    MessageDeflate(
      DeflateTerms(keepsContext: keepsContext, windowBits: 15),
      limits: DeflateLimits(thresholdBytes: 0, ratio: 64), contexts: contexts)
  }
}

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let input = FuzzInput(start, count) else { return -1 }
  if input.option(0) {
    offers(input)
    return 0
  }
  let settings = Settings(keepsContext: input.option(1), limit: [65_536, 125, 16, 1 << 20][input.choice(2)])
  if input.option(4) {
    compress(input.bytes, settings)
    return 0
  }
  whole.clear()
  run(settings, &whole) { feed in feed(input.bytes) }
  other.clear()
  run(settings, &other) { feed in input.cuts.forEachPiece(of: input.bytes, feed) }
  promise("cuts do not matter", whole.equals(other), "\(whole.text) against \(other.text)")
  return 0
}

/// Decodes what `source` feeds and notes what comes.
private func run(_ settings: Settings, _ trace: inout Trace, _ source: ((UnsafeRawBufferPointer) -> Void) -> Void) {
  stream.removeAll(keeping: 1 << 20)
  var decoder = WebSocketDecoder(role: .server, messageBytesLimit: settings.limit, deflate: settings.deflate())
  var isOver = false
  source { piece in
    guard !isOver else { return }
    stream.append(piece)
    isOver = !stream.withoutSpareRoom { drain(&decoder, &$0, settings, &trace) }
  }
}

private func drain(
  _ decoder: inout WebSocketDecoder, _ input: inout ByteBuffer, _ settings: Settings, _ trace: inout Trace
) -> Bool {
  do throws(WebSocketError) {
    while let event = try decoder.next(&input) { note(event, settings, &trace) }
    promise(
      "memory is bounded by the limit", decoder.heldBytes <= max(4 * settings.limit, 65_536), "\(decoder.heldBytes)")
    return true
  } catch {
    promise("a close code is one that may be sent", [1002, 1003, 1007, 1009].contains(error.closeCode))
    // A text can be wrong and too long, and which of the two is met first is up to the pieces.
    trace.note(UInt8(ascii: "!"), error.closeCode == 1009 ? 1007 : Int(error.closeCode))
    return false
  }
}

private func note(_ event: WebSocketEvent, _ settings: Settings, _ trace: inout Trace) {
  switch event {
  case .text(let payload):
    promise("a message keeps its limit", payload.count <= settings.limit, "\(payload.count)")
    promise("a text is UTF-8", ReferenceUTF8.check(payload) == .whole)
    trace.note(1, payload)
  case .binary(let payload):
    promise("a message keeps its limit", payload.count <= settings.limit, "\(payload.count)")
    trace.note(2, payload)
  case .close(let code, let reason):
    trace.note(8, Int(code ?? 0))
    trace.note(8, reason)
  case .ping(let payload): trace.note(9, payload)
  case .pong(let payload): trace.note(10, payload)
  }
}

/// Each line is a message of the server, which its client must read as it was.
private func compress(_ bytes: UnsafeRawBufferPointer, _ settings: Settings) {
  whole.clear()
  other.clear()
  stream.removeAll(keeping: 1 << 20)
  let server = settings.deflate()
  for (number, line) in bytes.split(separator: 0x0A).enumerated() {
    let message = UnsafeRawBufferPointer(rebasing: line)
    whole.note(2, message)
    if number & 1 == 0 {
      server.append(.binary, message, to: &stream)
    } else {
      let mark = WebSocketEncoder.beginMessage(in: &stream)
      stream.append(message)
      server.endMessage(mark, opcode: .binary, in: &stream)
    }
  }
  var client = WebSocketDecoder(role: .client, messageBytesLimit: 1 << 20, deflate: settings.deflate())
  let isGood = drain(&client, &stream, Settings(keepsContext: settings.keepsContext, limit: 1 << 20), &other)
  promise(
    "what was compressed is read back", isGood && stream.isEmpty && whole.equals(other),
    "\(whole.text) against \(other.text)")
}

/// Lines are fields of the header.
private func offers(_ input: FuzzInput) {
  let fields = input.bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    .map { String(decoding: $0, as: UTF8.self) }
  let granted = DeflateTerms(keepsContext: input.option(1), windowBits: [15, 9, 12, 10][input.choice(2)])
  guard case .agreed(let terms, let header) = DeflateAnswer(to: fields, granting: granted) else { return }
  promise("no more is agreed than granted", terms.serverWindowBits <= granted.serverWindowBits, header)
  promise("a context is not kept against our will", granted.serverKeepsContext || !terms.serverKeepsContext, header)
  promise(
    "a client's context is not kept against our will", granted.clientKeepsContext || !terms.clientKeepsContext, header)
  promise("zlib has the windows", DeflateTerms.windowBits.contains(terms.serverWindowBits), header)
  promise("zlib has the client's windows", DeflateTerms.windowBits.contains(terms.clientWindowBits), header)
  promise("a header is one line", header.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, header)
  guard case .agreed(let again, _) = DeflateAnswer(to: [header], granting: granted) else {
    broken("our answer is an offer that can be taken", header)
  }
  promise("our answer says what was agreed", again.serverWindowBits == terms.serverWindowBits, header)
  promise("our answer says whose context is kept", again.serverKeepsContext == terms.serverKeepsContext, header)
}
