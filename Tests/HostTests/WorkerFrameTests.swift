import Bytes
import CProviderABI
import Decisions
import ProviderContract
import Testing

@testable import Host

/// The stream between a host and a worker: whole messages at whatever boundary it is cut, and nothing that breaks it.
@Suite struct WorkerFrameTests {
  private struct Seen: Equatable {
    var kind: WorkerFrame.Kind
    var call: UInt64
    var payload: [UInt8]
  }

  private static let all = Set(WorkerFrame.Kind.allCases)

  private func decode(_ pieces: [[UInt8]], accepting kinds: Set<WorkerFrame.Kind> = all) throws -> [Seen] {
    var decoder = WorkerFrameDecoder(accepting: kinds)
    var seen: [Seen] = []
    for piece in pieces {
      try piece.withUnsafeBytes { bytes in
        try decoder.feed(bytes) { message throws(WorkerFrameFault) in
          seen.append(Seen(kind: message.kind, call: message.call, payload: [UInt8](message.payload)))
        }
      }
    }
    return seen
  }

  private func fault(_ bytes: [UInt8], accepting kinds: Set<WorkerFrame.Kind> = all) -> WorkerFrameFault? {
    #expect(throws: WorkerFrameFault.self) { try decode([bytes], accepting: kinds) }
  }

  private func frame(
    length: UInt32, kind: UInt16 = WorkerFrame.Kind.event.rawValue, flags: UInt16 = 0, call: UInt64 = 1,
    payload: [UInt8] = []
  ) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.appendField(length)
    withUnsafeBytes(of: kind.littleEndian) { buffer.append($0) }
    withUnsafeBytes(of: flags.littleEndian) { buffer.append($0) }
    buffer.appendField(call)
    buffer.append(payload)
    return buffer.copy()
  }

  private func messages() -> (bytes: [UInt8], seen: [Seen]) {
    var out = ByteBuffer()
    let payloads: [(WorkerFrame.Kind, UInt64, [UInt8])] = [
      (.event, 7, [1, 2, 3]), (.done, .max, []), (.exchangeBody, 0, [UInt8](repeating: 9, count: 40)),
    ]
    for (kind, call, payload) in payloads { out.appendMessage(kind, call: call) { $0.append(payload) } }
    return (out.copy(), payloads.map { Seen(kind: $0, call: $1, payload: $2) })
  }

  @Test func `messages come whole, cut at any two places`() throws {
    let (bytes, expected) = messages()
    for first in 0...bytes.count {
      for second in first...bytes.count {
        let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
        #expect(try decode(pieces) == expected)
      }
    }
  }

  @Test func `messages come whole, byte for byte`() throws {
    let (bytes, expected) = messages()
    #expect(try decode(bytes.map { [$0] }) == expected)
  }

  @Test func `the head of a frame is what it is said to be`() {
    var out = ByteBuffer()
    out.appendMessage(.event, call: 0x0102_0304_0506_0708) { $0.append([0xAA]) }
    #expect(out.copy() == [1, 0, 0, 0, 65, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0xAA])
  }

  @Test(arguments: [-1, 0, 1])
  func `a message around the limit of a frame comes whole`(beyond: Int) throws {
    let payload = (0..<WorkerFrame.payloadBytesLimit + beyond).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var out = ByteBuffer()
    out.appendMessage(.exchangeRequest, call: 3) { $0.append(payload) }
    out.appendMessage(.done, call: 3)
    #expect(out.count == payload.count + WorkerFrame.headerBytes * (beyond > 0 ? 3 : 2))
    let bytes = out.copy()
    let half = bytes.count / 2
    #expect(
      try decode([Array(bytes[..<half]), Array(bytes[half...])])
        == [Seen(kind: .exchangeRequest, call: 3, payload: payload), Seen(kind: .done, call: 3, payload: [])])
  }

  @Test func `a frame of a byte too many is refused by its head alone`() {
    let limit = UInt32(WorkerFrame.payloadBytesLimit)
    #expect(throws: Never.self) { try decode([frame(length: limit)]) }
    #expect(fault(frame(length: limit + 1))?.found == "a frame of \(limit + 1) bytes")
    #expect(fault(frame(length: .max))?.found == "a frame of \(UInt32.max) bytes")
  }

  @Test func `a message is bounded by its kind`() {
    let limit = WorkerFrame.Kind.done.messageBytesLimit
    let payload = [UInt8](repeating: 0, count: limit)
    #expect(throws: Never.self) {
      try decode([frame(length: UInt32(limit), kind: WorkerFrame.Kind.done.rawValue, payload: payload)])
    }
    #expect(
      fault(frame(length: UInt32(limit) + 1, kind: WorkerFrame.Kind.done.rawValue))?.expected == "at most \(limit)")
    let first = frame(
      length: UInt32(limit), kind: WorkerFrame.Kind.done.rawValue, flags: WorkerFrame.moreFlag, payload: payload)
    let second = frame(length: 1, kind: WorkerFrame.Kind.done.rawValue, payload: [0])
    #expect(fault(first + second)?.expected == "at most \(limit)")
  }

  @Test func `kinds that are unknown, or are not the other side's to send, are refused`() {
    #expect(fault(frame(length: 0, kind: 999))?.found == "a frame of kind 999")
    #expect(fault(frame(length: 0, kind: WorkerFrame.Kind.open.rawValue), accepting: WorkerChannel.accepted) != nil)
    for kind in WorkerFrame.Kind.allCases {
      let isAccepted = (try? decode([frame(length: 0, kind: kind.rawValue)], accepting: [.ping])) != nil
      #expect(isAccepted == (kind == .ping))
    }
  }

  @Test func `flags that are unknown are refused`() {
    #expect(fault(frame(length: 0, flags: 2))?.found == "a frame with flags 2")
  }

  @Test func `nothing may stand between the frames of a message`() {
    let first = frame(length: 1, flags: WorkerFrame.moreFlag, payload: [1])
    #expect(fault(first + frame(length: 0, kind: WorkerFrame.Kind.done.rawValue)) != nil)
    #expect(fault(first + frame(length: 0, call: 2)) != nil)
    #expect(throws: Never.self) { try decode([first + frame(length: 0)]) }
  }

  @Test func `no damaged byte harms the reader`() {
    let (bytes, _) = messages()
    for index in bytes.indices {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var damaged = bytes
        damaged[index] = value
        _ = try? decode([damaged])
      }
    }
  }
}

/// What is said of calls and exchanges, as fields, and read back trusting none of it.
@Suite struct WorkerMessageTests {
  private func laidOut(_ kind: WorkerFrame.Kind, _ write: (inout ByteBuffer) -> Void) -> [UInt8] {
    var out = ByteBuffer()
    write(&out)
    return out.copy()
  }

  /// Reads `payload` with `read`, which must not accept it when it is cut or has a byte more.
  private func check<Value>(
    _ kind: WorkerFrame.Kind, _ payload: [UInt8],
    _ read: (WorkerFrameDecoder.Message) throws(WorkerFrameFault) -> Value
  ) throws -> Value {
    func parse(_ bytes: [UInt8]) throws -> Value {
      try bytes.withUnsafeBytes { try read(.init(kind: kind, call: 1, payload: $0)) }
    }
    for count in payload.indices {
      #expect(throws: WorkerFrameFault.self) { _ = try parse(Array(payload[..<count])) }
    }
    #expect(throws: WorkerFrameFault.self) { _ = try parse(payload + [0]) }
    for index in payload.indices {
      for value: UInt8 in [0, 0x7F, 0xFF] {
        var damaged = payload
        damaged[index] = value
        _ = try? parse(damaged)
      }
    }
    return try parse(payload)
  }

  private func texts(_ event: ProviderEvent) -> [String] {
    [event.text, event.id, event.name].map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func `an event comes back as it went`() throws {
    let bytes = Array("grüßidname".utf8)
    let payload = bytes.withUnsafeBytes { bytes in
      laidOut(.event) { out in
        ProviderEvent(
          kind: .toolCall, index: 3, text: UnsafeRawBufferPointer(rebasing: bytes[..<6]),
          id: UnsafeRawBufferPointer(rebasing: bytes[6..<8]), name: UnsafeRawBufferPointer(rebasing: bytes[8...])
        ).write(to: &out)
      }
    }
    let seen = try check(.event, payload) { (message) throws(WorkerFrameFault) -> [String] in
      let event = try ProviderEvent(message)
      return ["\(event.kind)", "\(event.index)", "\(event.workerCost)"] + texts(event)
    }
    #expect(seen == ["toolCall", "3", "\(64 + 6 + 2 + 4)", "grüß", "id", "name"])
  }

  @Test func `usage comes back as it went, and only with its kind`() throws {
    let usage = TokenUsage(inputTokens: 1, outputTokens: .max, cachedInputTokens: 3, reasoningTokens: 4)
    let payload = laidOut(.event) { ProviderEvent(kind: .usage, usage: usage).write(to: &$0) }
    #expect(try check(.event, payload) { m throws(WorkerFrameFault) in try ProviderEvent(m).usage } == usage)
  }

  @Test func `text that is not UTF-8 is refused`() {
    var out = ByteBuffer()
    out.appendField(UInt32(1))
    out.appendField(UInt32(0))
    out.appendField([0xC3])
    out.appendField("")
    out.appendField("")
    let fault = #expect(throws: WorkerFrameFault.self) {
      _ = try ProviderEvent(.init(kind: .event, call: 1, payload: out.readable))
    }
    #expect(fault?.found == "a text in event that is not UTF-8")
  }

  @Test func `an end comes back as it went`() throws {
    for end in [ProviderEnd.succeeded, .cancelled] {
      let back = try check(.done, laidOut(.done) { end.write(to: &$0) }) { m throws(WorkerFrameFault) in
        try ProviderEnd(m)
      }
      #expect("\(back)" == "\(end)")
    }
    var failure = ProviderFailure(status: PRV_E_TIMEOUT, message: "no answer")
    failure.httpStatus = 504
    failure.isRetryable = true
    failure.clock = .firstByte
    failure.retryAfterNanoseconds = 12
    failure.providerCode = "1302"
    failure.upstreamRequestID = "req-1"
    let back = try check(.done, laidOut(.done) { ProviderEnd.failed(failure).write(to: &$0) }) {
      m throws(WorkerFrameFault) in try ProviderEnd(m)
    }
    guard case .failed(let read) = back else { throw WorkerFrameFault(found: "\(back)", expected: "a failure") }
    #expect(read == failure)
  }

  @Test func `a status that nobody knows is an internal one, and a worker cannot say that it crashed`() throws {
    var failure = ProviderFailure(status: -999, message: "")
    failure.isCrash = true
    let payload = laidOut(.done) { ProviderEnd.failed(failure).write(to: &$0) }
    guard
      case .failed(let read) = try payload.withUnsafeBytes({ try ProviderEnd(.init(kind: .done, call: 1, payload: $0)) }
      )
    else { throw WorkerFrameFault(found: "another end", expected: "a failure") }
    #expect(read.status == PRV_E_INTERNAL)
    #expect(!read.isCrash)
  }

  @Test func `a call to open comes back as it went`() throws {
    let text = Array("request-1model-1{}".utf8)
    let payload = text.withUnsafeBytes { text in
      laidOut(.open) { out in
        WorkerOpen.write(
          ProviderRequest(
            kind: .chat, wantsStream: true, attempt: 2, deadline: Instant(nanoseconds: 99),
            connectTimeoutNanoseconds: 5, requestID: UnsafeRawBufferPointer(rebasing: text[..<9]),
            model: UnsafeRawBufferPointer(rebasing: text[9..<16]), bodySchema: "prv.chat/1",
            body: UnsafeRawBufferPointer(rebasing: text[16...])), to: &out)
      }
    }
    let seen = try check(.open, payload) { (message) throws(WorkerFrameFault) -> [String] in
      let open = try WorkerOpen(message)
      return [
        "\(open.kind)", "\(open.wantsStream)", "\(open.attempt)", "\(open.deadline.nanoseconds)",
        "\(open.connectTimeoutNanoseconds)", String(decoding: open.requestID, as: UTF8.self),
        String(decoding: open.model, as: UTF8.self), "\(open.bodySchema)", String(decoding: open.body, as: UTF8.self),
      ]
    }
    #expect(seen == ["chat", "true", "2", "99", "5", "request-1", "model-1", "prv.chat/1", "{}"])
  }

  @Test func `a call of a tool comes back with its files, whatever bytes they have`() throws {
    let empty = UnsafeRawBufferPointer(start: nil, count: 0)
    let files = [
      ProviderFile(name: "grüße", mediaType: "a/b", content: [0, 255, 128]),
      ProviderFile(name: "x", mediaType: "", content: []),
    ]
    let payload = laidOut(.open) { out in
      WorkerOpen.write(
        ProviderRequest(
          kind: .tool, wantsStream: false, attempt: 1, deadline: .never, connectTimeoutNanoseconds: 0,
          requestID: empty, model: empty, bodySchema: "prv.tool-call/1", body: empty, files: files), to: &out)
    }
    let seen = try check(.open, payload) { (message) throws(WorkerFrameFault) -> [String] in
      let open = try WorkerOpen(message)
      return ["\(open.bodySchema)"]
        + open.files.map { file in
          let name = String(decoding: file.name, as: UTF8.self) + "|" + String(decoding: file.mediaType, as: UTF8.self)
          return "\(name)|\([UInt8](file.content))"
        }
    }
    #expect(seen == ["prv.tool-call/1", "grüße|a/b|[0, 255, 128]", "x||[]"])
  }

  @Test func `a request upstream keeps to its origins on the host's side, whatever the worker says`() throws {
    let reader = HTTPRequestReader(origins: [UpstreamOrigin("https://api.example.org")!])
    func read(_ url: String, _ scheme: String?, headers: [(name: String, value: String)] = []) throws
      -> UpstreamRequest
    {
      var request = UpstreamRequest(method: "POST", url: url, headers: headers, body: [1, 2])
      request.mode = .serverSentEvents
      let payload = laidOut(.exchangeRequest) {
        WorkerExchangeRequest.write(request, number: 9, authScheme: scheme, to: &$0)
      }
      let back = try check(.exchangeRequest, payload) { m throws(WorkerFrameFault) in try WorkerExchangeRequest(m) }
      #expect(back.number == 9)
      return UpstreamRequest(
        try back.checked(by: reader), key: "sk-secret", connectTimeout: 7, deadline: .never)
    }
    let allowed = try read("https://api.example.org/v1", "bearer", headers: [("a", "b")])
    #expect(allowed.credential?.name == "Authorization" && allowed.credential?.value == "Bearer sk-secret")
    #expect(allowed.headers.map(\.name) == ["a"] && allowed.body == [1, 2] && allowed.connectTimeout == 7)
    #expect(allowed.mode == .serverSentEvents)
    #expect(try read("https://api.example.org/v1", nil).credential == nil)
    let raw = try read("https://api.example.org/v1", "header:X-Key").credential
    #expect(raw?.name == "X-Key" && raw?.value == "sk-secret")
    for (url, scheme, headers, status) in [
      ("https://evil.example.org/", "bearer", [], PRV_E_PERMISSION),
      ("http://api.example.org/", "bearer", [], PRV_E_PERMISSION),
      ("https://api.example.org:8443/", "bearer", [], PRV_E_PERMISSION),
      ("file:///etc/passwd", "bearer", [], PRV_E_INVALID_ARGUMENT),
      ("https://api.example.org/", "header:a\r\nb", [], PRV_E_INVALID_ARGUMENT),
      ("https://api.example.org/", "bearer", [("Host", "evil")], PRV_E_INVALID_ARGUMENT),
    ] as [(String, String, [(name: String, value: String)], Int32)] {
      let fault = #expect(throws: HTTPRequestFault.self) { _ = try read(url, scheme, headers: headers) }
      #expect(fault?.status == status)
    }
  }

  @Test func `the result of an exchange comes back as it went`() throws {
    var failure = ProviderFailure(status: PRV_E_TIMEOUT, message: "example.org: no answer")
    failure.clock = .idle
    let result = UpstreamResult(
      failure: failure, isCancelled: false, httpStatus: 200, bytesReceived: 5, connectNanoseconds: 6,
      firstByteNanoseconds: 7, totalNanoseconds: 8)
    let (number, back) = try check(.exchangeComplete, laidOut(.exchangeComplete) { result.write(number: 4, to: &$0) }) {
      m throws(WorkerFrameFault) in try UpstreamResult.read(m)
    }
    #expect(number == 4 && back.failure == failure && back.httpStatus == 200 && back.totalNanoseconds == 8)
  }

  @Test func `a head comes back as it went`() throws {
    let payload = laidOut(.exchangeHead) {
      WorkerExchangeHead.write(number: 4, status: 429, headers: [("Retry-After", "3"), ("x", "")], to: &$0)
    }
    let head = try check(.exchangeHead, payload) { m throws(WorkerFrameFault) in try WorkerExchangeHead(m) }
    #expect(head.number == 4 && head.status == 429 && head.headers.map(\.value) == ["3", ""])
  }

  @Test func `what a worker is told to make has no key in it`() throws {
    var settings = ProviderSettings(id: "mine", plugin: "kimi")
    settings.apiKey = Secret(value: "sk-0123456789")
    settings.baseURL = "https://api.example.org/v1"
    settings.allowedOrigins = ["http://127.0.0.1:8080"]
    let found = FoundPlugin(path: "/a/x.so", copyPath: "/b/x.so", sha256: "00", description: PluginDescription())
    var description = ProviderDescription()
    description.id = "kimi"
    let plan = try InstancePlan((found, description), settings)
    let create = WorkerCreate(plan: plan, hasUpstream: true, graceMilliseconds: 2000, logLevel: .warning)
    let payload = laidOut(.create) { create.write(to: &$0) }
    #expect(!String(decoding: payload, as: UTF8.self).contains("sk-0123456789"))
    let back = try check(.create, payload) { m throws(WorkerFrameFault) in try WorkerCreate(m) }
    #expect(back.plan.origins == plan.origins && back.plan.settings.json == plan.settings.json)
    #expect(back.plan.settings.json.contains("\"has_key\":true"))
    #expect(back.plan.key == WorkerCreate.keyPlaceholder && back.plan.plugin.copyPath == "/b/x.so")
    #expect(back.graceMilliseconds == 2000 && back.logLevel == .warning && back.hasUpstream)
  }
}
