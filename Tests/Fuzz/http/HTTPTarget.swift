import Bytes
import Wire

// HTTPRequestStream with what it is made of, HTTPResponseParser with HTTPBodyDecoder, and HTTPResponse. Options: bit 0 a
// client reads responses, bit 1 small limits of the head, bits 2 and 3 the body's limit, bit 4 the response answers a
// HEAD, bit 5 the input is put into a response of ours, bit 6 nobody wants the bodies, bit 7 answers come early.
//
// Promised: cuts do not matter; what was taken holds no byte that a stricter reader would cut elsewhere (smuggling); it
// can be written and is read back the same; nothing put into our own response can make it two.

nonisolated(unsafe) private var whole = Trace()
nonisolated(unsafe) private var other = Trace()
nonisolated(unsafe) private var stream = ByteBuffer()
nonisolated(unsafe) private var written = ByteBuffer()

private struct Settings {
  var isClient: Bool
  var limits = HTTPLimits()
  var bodyLimit: Int
  var method: String
  var dropsBodies: Bool
  var answersEarly: Bool

  init(_ input: FuzzInput) {
    isClient = input.option(0)
    if input.option(1) { (limits.headBytes, limits.headers, limits.lineBytes) = (128, 3, 48) }
    bodyLimit = [65_536, 100, 16, 0][input.choice(2)]
    method = input.option(4) ? "HEAD" : "GET"
    dropsBodies = input.option(6)
    answersEarly = input.option(7)
  }
}

/// One side of a connection that reads messages one after another, as Connection does.
private struct Reader: ~Copyable {
  private enum Stage { case head, body, over }

  let settings: Settings
  private var requests: HTTPRequestStream
  private var responses: HTTPResponseParser
  private var body: HTTPBodyDecoder?
  private var stage = Stage.head
  /// Where the body begins in the trace.
  private var bodyStart: Int?
  /// Whether what was read is written again, to be read back.
  let writesBack: Bool

  init(_ settings: Settings, writesBack: Bool) {
    self.settings = settings
    self.writesBack = writesBack
    requests = HTTPRequestStream(limits: settings.limits)
    responses = HTTPResponseParser(limits: settings.limits)
  }

  /// Takes all that can be taken.
  mutating func drain(_ input: inout ByteBuffer, _ trace: inout Trace) {
    do throws(HTTPError) {
      while try step(&input, &trace) {}
    } catch {
      stage = .over
      promise("a refusal has a status of an error", (400...599).contains(error.status), "\(error.status)")
      promise("a reason is one line", !error.reason.isEmpty && !error.reason.utf8.contains { $0 < 0x20 })
      // Of a body that ends with its connection, how much comes before the limit is found is up to the pieces.
      if error.status == 413, let bodyStart { trace.cut(to: bodyStart) }
      trace.note(UInt8(ascii: "!"), error.status)
      trace.note(UInt8(ascii: "!"), error.reason)
    }
  }

  /// false: more bytes are needed, or nothing can come.
  private mutating func step(_ input: inout ByteBuffer, _ trace: inout Trace) throws(HTTPError) -> Bool {
    switch stage {
    case .over: return false
    case .head where settings.isClient: return try response(&input, &trace)
    case .body:
      bodyStart = bodyStart ?? trace.bytes.count
      guard let event = try body!.next(&input) else { return false }
      switch event {
      case .bytes(let piece): take(piece, &trace)
      case .end:
        promise("a body that ended is whole", body!.isWholeAtClose())
        end(&trace)
        stage = .head
      }
    case .head:
      let isFresh = requests.isBetweenRequests
      let before = input.count
      let start = input.readable.baseAddress
      guard let event = try requests.next(&input) else { return false }
      switch event {
      case .head(let head):
        // Behind a body that was dropped, where the head began is not known here.
        let raw = UnsafeRawBufferPointer(start: start, count: isFresh ? before - input.count : 0)
        try request(head, raw, &trace)
      case .body(let piece): take(piece, &trace)
      case .end:
        end(&trace)
        if !settings.answersEarly { requests.answered() }
      }
    }
    return true
  }

  private mutating func take(_ piece: UnsafeRawBufferPointer, _ trace: inout Trace) {
    promise("a piece of a body is not empty", !piece.isEmpty)
    trace.extend(piece)
    if writesBack { HTTPResponse.appendChunk(piece, to: &written) }
  }

  private func end(_ trace: inout Trace) {
    trace.note(UInt8(ascii: "."), 0)
    if writesBack { HTTPResponse.endChunks(to: &written) }
  }

  private mutating func request(_ head: HTTPRequestHead, _ raw: UnsafeRawBufferPointer, _ trace: inout Trace)
    throws(HTTPError)
  {
    let line = "\(head.method) \(head.target) HTTP/1.\(head.minorVersion)"
    if !raw.isEmpty { check(raw, line, head.headers) }
    let rest = head.query.map { "\(head.path)?\($0)" } ?? head.path
    promise(
      "the path and the query end the target", head.target.hasSuffix(rest) || ["/", "*"].contains(rest), head.target)
    promise("there is one Host", head.headers.all("host").count == 1 || head.minorVersion == 0)
    note(line, head.headers, &trace)
    trace.note(UInt8(ascii: "b"), "\(head.bodyLength) \(head.keepsAlive) \(head.expectation)")
    begin(head.bodyLength, line, head.headers)
    if settings.dropsBodies {
      let canGoOn = requests.dropBody()
      trace.note(UInt8(ascii: "d"), canGoOn ? 1 : 0)
      if !canGoOn { stage = .over } else { requests.answered() }
      if writesBack { HTTPResponse.endChunks(to: &written) }
    } else {
      try requests.takeBody(upTo: settings.bodyLimit)
      if settings.answersEarly { requests.answered() }
    }
  }

  private mutating func response(_ input: inout ByteBuffer, _ trace: inout Trace) throws(HTTPError) -> Bool {
    let before = input.count
    let start = input.readable.baseAddress
    guard let head = try responses.nextHead(&input) else { return false }
    let raw = UnsafeRawBufferPointer(start: start, count: before - input.count)
    let line = "HTTP/1.\(head.minorVersion) \(head.status)"
    promise("a status has three digits", (100...599).contains(head.status))
    check(raw, line, head.headers)
    note(line, head.headers, &trace)
    let length = try head.bodyLength(method: settings.method)
    trace.note(UInt8(ascii: "b"), "\(length)")
    begin(length, line, head.headers)
    body = try HTTPBodyDecoder(length, bodyBytesLimit: settings.bodyLimit, limits: settings.limits)
    stage = .body
    bodyStart = nil
    return true
  }

  private func begin(_ length: HTTPBodyLength, _ line: String, _ headers: HTTPHeaders) {
    let isDoubtful = headers.all("content-length").count + headers.all("transfer-encoding").count > 1
    promise("one header says where the body ends", !isDoubtful || length == .none)
    if writesBack { rewrite(line, headers) }
  }

  /// What every reader of HTTP must agree on: where lines end, and what is a header.
  private func check(_ raw: UnsafeRawBufferPointer, _ line: String, _ headers: HTTPHeaders) {
    // One empty line may stand before a request (RFC 9112 §2.2).
    let raw = settings.isClient || raw[0] != 0x0D ? raw : UnsafeRawBufferPointer(rebasing: raw.dropFirst(2))
    promise(
      "a head keeps its limits",
      raw.count <= settings.limits.headBytes && headers.fields.count <= settings.limits.headers)
    var ends = 0
    for index in raw.indices where raw[index] == 0x0A || raw[index] == 0x0D || raw[index] == 0 {
      promise("no NUL is taken", raw[index] != 0, shown(raw))
      let isPair =
        raw[index] == 0x0A ? index > 0 && raw[index - 1] == 0x0D : index + 1 < raw.count && raw[index + 1] == 0x0A
      promise("a line ends with CRLF, and CR and LF stand nowhere else", isPair, shown(raw))
      ends += raw[index] == 0x0A ? 1 : 0
    }
    promise("each line is a header, but the first and the last", ends == headers.fields.count + 2, shown(raw))
    promise("the first line is what was read", raw.starts(with: line.utf8), shown(raw))
    for field in headers.fields {
      promise(
        "a header has a name",
        !field.name.isEmpty && !field.name.utf8.contains { $0 <= 0x20 || $0 == 0x3A || $0 >= 0x7F })
      promise("a value has no control character", !field.value.utf8.contains { ($0 < 0x20 && $0 != 9) || $0 == 0x7F })
    }
  }

  private func note(_ line: String, _ headers: HTTPHeaders, _ trace: inout Trace) {
    trace.note(UInt8(ascii: "h"), line)
    for field in headers.fields {
      trace.note(UInt8(ascii: "n"), field.name)
      trace.note(UInt8(ascii: "v"), field.value)
    }
  }

  /// The same message with its body in chunks.
  private func rewrite(_ line: String, _ headers: HTTPHeaders) {
    written.append(line)
    written.append(settings.isClient ? " Fine\r\n" : "\r\n")
    for field in headers.fields where !["content-length", "transfer-encoding"].contains(field.name.lowercased()) {
      written.append(field.name)
      written.append(":\t")
      written.append(field.value)
      written.append(" \r\n")
    }
    written.append("Transfer-Encoding: chunked\r\n\r\n")
  }
}

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let input = FuzzInput(start, count) else { return -1 }
  let settings = Settings(input)
  whole.clear()
  written.removeAll(keeping: 1 << 20)
  run(settings, &whole, writesBack: true) { feed in feed(input.bytes) }

  other.clear()
  run(settings, &other) { feed in input.cuts.forEachPiece(of: input.bytes, feed) }
  promise("cuts do not matter", whole.equals(other), "\(whole.text) against \(other.text)")

  if !written.isEmpty { readBack(settings) }
  if input.option(5) { respond(input.bytes) }
  return 0
}

private func run(
  _ settings: Settings, _ trace: inout Trace, writesBack: Bool = false,
  _ source: ((UnsafeRawBufferPointer) -> Void) -> Void
) {
  stream.removeAll(keeping: 1 << 20)
  var reader = Reader(settings, writesBack: writesBack)
  source { piece in
    stream.append(piece)
    stream.withoutSpareRoom { reader.drain(&$0, &trace) }
  }
}

/// Reads what was written: the same lines and headers, but for the body's length, which is now in its chunks.
private func readBack(_ settings: Settings) {
  var settings = settings
  settings.limits = HTTPLimits()
  var isLast = false
  var messages = 0
  var requests = HTTPRequestParser()
  var responses = HTTPResponseParser()
  do throws(HTTPError) {
    while !written.isEmpty, !isLast {
      let length: HTTPBodyLength
      if settings.isClient {
        guard let head = try responses.nextHead(&written) else { broken("what was written is whole") }
        length = try head.bodyLength(method: "GET")
      } else {
        guard let head = try requests.next(&written) else { broken("what was written is whole") }
        length = head.bodyLength
      }
      messages += 1
      // A response of a kind that has no body is followed by our chunks all the same: what follows is not read.
      guard length == .chunked else { return }
      var body = try HTTPBodyDecoder(length, bodyBytesLimit: settings.bodyLimit)
      reading: while true {
        switch try body.next(&written) {
        case .bytes: continue
        case .end: break reading
        case nil:
          isLast = true
          break reading
        }
      }
    }
  } catch {
    // The one thing that was not written again is a version: HTTP/1.0 has no chunks.
    promise("what was taken can be written and read back", error.reason.contains("HTTP/1.0"), "\(error)")
  }
}

/// Puts the input into a response of ours.
private func respond(_ bytes: UnsafeRawBufferPointer) {
  let text = String(decoding: bytes, as: UTF8.self)
  stream.removeAll(keeping: 1 << 20)
  HTTPResponse.append(
    status: 426, headers: [("X-Reason", text), ("Allow", text)], body: bytes, persistence: .stays, to: &stream)
  var limits = HTTPLimits()
  (limits.headBytes, limits.lineBytes) = (1 << 20, 1 << 20)
  do throws(HTTPError) {
    var parser = HTTPResponseParser(limits: limits)
    guard let head = try parser.nextHead(&stream) else { broken("our own response has a head") }
    promise("a header's value adds no header", head.headers.fields.count == 3, "\(head.headers.fields)")
    promise("the body is what was given", stream.readable.elementsEqual(bytes))
  } catch {
    // A control character that ends no line stays what it is, and is the peer's to refuse.
    promise("our own response can be read", error.reason.contains("control character"), "\(error)")
  }
}
