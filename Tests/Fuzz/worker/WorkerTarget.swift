import Bytes
import CProviderABI
import ProviderContract
@testable import Host

// What a host and a worker say to each other: WorkerFrameDecoder and the reader of every kind of message. Options: bit 0
// what the host takes from a worker, whose plugin may have written it; else what a worker takes from its host; bit 1
// any kind; bit 2 the stream is one message of the kind that its first byte says, without a frame's header; bit 3
// it is what a process says that looked at a stranger's plugin.
//
// Promised: a slow reader of the frames finds the same messages; cuts do not matter; a message that was taken can be written and is read back the same; nothing is kept that
// was not sent.

nonisolated(unsafe) private var whole = Trace()
nonisolated(unsafe) private var other = Trace()
nonisolated(unsafe) private var written = ByteBuffer()
nonisolated(unsafe) private var again = ByteBuffer()
private let origin = UpstreamOrigin("https://api.example/v1")!
private let requests = HTTPRequestReader(origins: [origin])
private let kinds = WorkerFrame.Kind.allCases

private typealias Message = WorkerFrameDecoder.Message

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let input = FuzzInput(start, count) else { return -1 }
  if input.option(3) {
    scan(input.bytes)
    return 0
  }
  if input.option(2) {
    guard let first = input.bytes.first else { return -1 }
    let payload = UnsafeRawBufferPointer(rebasing: input.bytes[1...])
    _ = try? take(Message(kind: kinds[Int(first) % kinds.count], call: 7, payload: payload))
    return 0
  }
  let accepted: Set<WorkerFrame.Kind> =
    input.option(1) ? Set(kinds) : input.option(0) ? WorkerChannel.accepted : hostSays
  whole.clear()
  written.removeAll(keeping: 1 << 20)
  run(accepted, &whole, writesBack: true) { feed in feed(input.bytes) }
  other.clear()
  run(accepted, &other) { feed in input.cuts.forEachPiece(of: input.bytes, feed) }
  promise("cuts do not matter", whole.equals(other), "\(whole.text) against \(other.text)")
  other.clear()
  readSlowly(input.bytes, accepted, &other)
  promise("the slow reader finds the same", whole.equals(other), "\(whole.text) against \(other.text)")
  other.clear()
  run(accepted, &other) { feed in feed(written.readable) }
  promise("what was taken can be written and read back", whole.bytes.readable.starts(with: other.bytes.readable))
  return 0
}

/// The frames of a whole stream, one after the other, as the head of WorkerFrame.swift has them.
private func readSlowly(_ stream: UnsafeRawBufferPointer, _ accepted: Set<WorkerFrame.Kind>, _ trace: inout Trace) {
  var rest = stream[...]
  func number(_ place: Int, _ count: Int) -> UInt64 {
    rest.dropFirst(place).prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
  var begun: (kind: UInt64, call: UInt64, payload: [UInt8])?
  while rest.count >= 16 {
    let (length, kind, flags, call) = (Int(number(0, 4)), number(4, 2), number(6, 2), number(8, 8))
    guard let known = WorkerFrame.Kind(rawValue: UInt16(kind)), accepted.contains(known), flags <= 1, length <= 1 << 20,
      length <= known.messageBytesLimit
    else { return trace.note(UInt8(ascii: "!"), 0) }
    guard rest.count >= 16 + length else { return }
    let payload = (begun?.payload ?? []) + rest.dropFirst(16).prefix(length)
    rest = rest.dropFirst(16 + length)
    let goesOn = begun.map { $0.kind == kind && $0.call == call } ?? true
    guard goesOn, payload.count <= known.messageBytesLimit else { return trace.note(UInt8(ascii: "!"), 0) }
    begun = (kind, call, payload)
    guard flags == 0 else { continue }
    begun = nil
    trace.note(UInt8(kind), Int(truncatingIfNeeded: call))
    payload.withUnsafeBytes { trace.note(0, $0) }
  }
}

/// An answer about a plugin: a description that keeps every rule, or why there is none.
private func scan(_ text: UnsafeRawBufferPointer) {
  do throws(PluginFault) {
    let description = try ScanAnswer.read(text)
    again.removeAll(keeping: 1 << 20)
    description.write(to: &again)
    let copy = try ScanAnswer.read(again.readable)
    written.removeAll(keeping: 1 << 20)
    copy.write(to: &written)
    promise("a description is read back", written.readable.elementsEqual(again.readable), shown(again.readable))
  } catch {
    promise("a fault has a reason", !error.reason.isEmpty)
  }
}

private let hostSays: Set<WorkerFrame.Kind> = [
  .open, .cancel, .credit, .exchangeConnected, .exchangeHead, .exchangeBody, .exchangeEvent, .exchangeComplete,
]

private func run(
  _ accepted: Set<WorkerFrame.Kind>, _ trace: inout Trace, writesBack: Bool = false,
  _ source: ((UnsafeRawBufferPointer) -> Void) -> Void
) {
  var decoder = WorkerFrameDecoder(accepting: accepted)
  var (isOver, fed) = (false, 0)
  source { piece in
    guard !isOver else { return }
    fed += piece.count
    do throws(WorkerFrameFault) {
      try decoder.feed(piece) { message throws(WorkerFrameFault) in
        promise("only what may be sent is taken", accepted.contains(message.kind))
        promise("a message keeps its limit", message.payload.count <= message.kind.messageBytesLimit)
        trace.note(UInt8(truncatingIfNeeded: message.kind.rawValue), Int(truncatingIfNeeded: message.call))
        trace.note(0, message.payload)
        if writesBack {
          written.appendMessage(message.kind, call: message.call) { $0.append(message.payload) }
          // What is wrong with its fields is for its receiver to say; the stream goes on here.
          _ = try? take(message)
        }
      }
      promise("nothing waits that was not sent", decoder.waitingBytes <= fed)
    } catch {
      isOver = true
      promise("a fault says what was found and what was expected", !error.found.isEmpty && !error.expected.isEmpty)
      trace.note(UInt8(ascii: "!"), 0)
    }
  }
}

/// Reads a message as its receiver would, writes what was read, and reads that.
private func take(_ message: Message) throws(WorkerFrameFault) {
  switch message.kind {
  case .create:
    let create = try WorkerCreate(message)
    let copy = try back(
      message.kind, { create.write(to: &$0) }, { message throws(WorkerFrameFault) in try WorkerCreate(message) })
    promise(
      "a plan is read back",
      copy.plan.settings.json == create.plan.settings.json && copy.plan.origins == create.plan.origins)
  case .hello:
    let hello = try WorkerHello(message)
    let copy = try back(
      message.kind, { hello.write(to: &$0) }, { message throws(WorkerFrameFault) in try WorkerHello(message) })
    promise("a hello is read back", copy == hello)
  case .refusedToCreate:
    let fault = try PluginFault(message)
    let copy = try back(
      message.kind, { fault.write(to: &$0) }, { message throws(WorkerFrameFault) in try PluginFault(message) })
    promise("a fault is read back", copy.reason == fault.reason && copy.remedy == fault.remedy)
  case .open: try takeOpen(message)
  case .event:
    let event = try ProviderEvent(message)
    promise(
      "what an event costs is bounded", event.workerCost >= 64 && event.workerCost <= 64 + Int64(message.payload.count))
    let rewritten = rewrite(message.kind) { event.write(to: &$0) }
    promise("an event is read back", rewritten.elementsEqual(message.payload), shown(message.payload))
  case .done, .refused:
    let end = try ProviderEnd(message)
    let copy = try back(
      message.kind, { end.write(to: &$0) }, { message throws(WorkerFrameFault) in try ProviderEnd(message) })
    promise("an end is read back", isSame(end, copy))
  case .exchangeRequest: try takeRequest(message)
  case .exchangeHead:
    let head = try WorkerExchangeHead(message)
    let rewritten = rewrite(message.kind) {
      WorkerExchangeHead.write(number: head.number, status: head.status, headers: head.headers, to: &$0)
    }
    promise("a head is read back", rewritten.elementsEqual(message.payload), shown(message.payload))
  case .exchangeComplete:
    let (number, result) = try UpstreamResult.read(message)
    let copy = try back(
      message.kind, { result.write(number: number, to: &$0) },
      { message throws(WorkerFrameFault) in
        try UpstreamResult.read(message)
      })
    promise(
      "a result is read back",
      copy.0 == number && copy.1.failure == result.failure && copy.1.bytesReceived == result.bytesReceived)
  case .stop, .destroy, .ping, .created, .destroyed, .pong: break
  case .logLevel:
    var fields = WorkerFieldReader(message)
    _ = try fields.logLevel()
    try fields.end()
  case .cancel, .exchangeCancel, .exchangePause, .exchangeResume, .exchangeConnected:
    var fields = WorkerFieldReader(message)
    _ = try fields.u32()
    try fields.end()
  case .credit, .exchangeCredit:
    var fields = WorkerFieldReader(message)
    _ = try fields.u64()
    try fields.end()
  case .exchangeBody, .exchangeEvent:
    var fields = WorkerFieldReader(message)
    _ = try fields.u32()
    for _ in 0..<(message.kind == .exchangeBody ? 1 : 3) {
      promise("a field lies inside its message", try fields.bytes(limit: 1 << 20).count <= message.payload.count)
    }
    try fields.end()
  }
}

private func takeOpen(_ message: Message) throws(WorkerFrameFault) {
  let open = try WorkerOpen(message)
  promise("an open has files of what was sent", open.files.reduce(0) { $0 + $1.content.count } <= message.payload.count)
  let rewritten = rewrite(message.kind) {
    WorkerOpen.write(
      ProviderRequest(
        kind: open.kind, wantsStream: open.wantsStream, attempt: open.attempt, deadline: open.deadline,
        connectTimeoutNanoseconds: open.connectTimeoutNanoseconds, requestID: open.requestID, model: open.model,
        bodySchema: open.bodySchema, body: open.body, files: open.files), to: &$0)
  }
  promise("an open is read back", rewritten.elementsEqual(message.payload), shown(message.payload))
}

private func takeRequest(_ message: Message) throws(WorkerFrameFault) {
  let request = try WorkerExchangeRequest(message)
  do throws(HTTPRequestFault) {
    let checked = try request.checked(by: requests)
    promise("a request goes where the instance may reach", UpstreamOrigin(checked.url) == origin, checked.url)
    for (name, value) in checked.headers {
      promise("a header holds no line end", !(name + value).utf8.contains { $0 == 0x0A || $0 == 0x0D || $0 == 0 })
    }
    promise("a method is a word", checked.method.utf8.allSatisfy { (0x41...0x5A).contains($0) })
    promise("a URL is one line", !checked.url.utf8.contains { $0 <= 0x20 || $0 == 0x7F }, checked.url)
  } catch {
    promise("a fault is one line", !"\(error.expected)\(error.found)".utf8.contains { $0 < 0x20 }, "\(error)")
  }
}

private func rewrite(_ kind: WorkerFrame.Kind, _ write: (inout ByteBuffer) -> Void) -> UnsafeRawBufferPointer {
  again.removeAll(keeping: 1 << 20)
  write(&again)
  return again.readable
}

private func back<Value>(
  _ kind: WorkerFrame.Kind, _ write: (inout ByteBuffer) -> Void,
  _ read: (Message) throws(WorkerFrameFault) -> Value
) throws(WorkerFrameFault) -> Value {
  try read(Message(kind: kind, call: 7, payload: rewrite(kind, write)))
}

private func isSame(_ left: ProviderEnd, _ right: ProviderEnd) -> Bool {
  switch (left, right) {
  case (.succeeded, .succeeded), (.cancelled, .cancelled): true
  case (.failed(let left), .failed(let right)): left == right
  default: false
  }
}
