import Bytes
import Wire

// SSEParser. Options: bits 0 and 1 the limit of an event.
//
// Promised: the slow reader of WHATWG HTML 9.2.6 finds the same events; so does the parser however the stream is cut;
// no event is larger than the limit; an event that is written again is read back the same.

nonisolated(unsafe) private var whole = Trace()
nonisolated(unsafe) private var other = Trace()
nonisolated(unsafe) private var written = ByteBuffer()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let input = FuzzInput(start, count) else { return -1 }
  let limit = [65_536, 64, 16, 5][input.choice(0)]
  whole.clear()
  written.removeAll(keeping: 1 << 20)
  run(limit, &whole, writesBack: true) { feed in feed(input.bytes) }

  other.clear()
  run(limit, &other) { feed in input.cuts.forEachPiece(of: input.bytes, feed) }
  promise("cuts do not matter", whole.equals(other), "\(whole.text) against \(other.text)")

  other.clear()
  EventStreamReference(limit: limit).read(input.bytes, &other)
  promise("the slow reader finds the same", whole.equals(other), "\(whole.text) against \(other.text)")

  other.clear()
  run(1 << 20, &other) { feed in feed(written.readable) }
  promise("what was taken can be written and read back", whole.bytes.readable.starts(with: other.bytes.readable))
  return 0
}

private func run(
  _ limit: Int, _ trace: inout Trace, writesBack: Bool = false, _ source: ((UnsafeRawBufferPointer) -> Void) -> Void
) {
  var parser = SSEParser(eventBytesLimit: limit)
  var isOver = false
  source { piece in
    guard !isOver else { return }
    do throws(SSEError) {
      try parser.feed(piece) { event in
        promise("an event keeps its limit", event.data.count <= limit, "\(event.data.count)")
        trace.note(1, event.name)
        trace.note(2, event.id)
        trace.note(3, event.data)
        if writesBack { write(event) }
      }
    } catch {
      isOver = true
      promise("the error names the limit", error.limitBytes == limit)
      trace.note(UInt8(ascii: "!"), 0)
    }
  }
}

private func write(_ event: SSEEvent) {
  written.append("event: ")
  written.append(event.name)
  written.append("\nid: ")
  written.append(event.id)
  for line in event.data.split(separator: 0x0A, omittingEmptySubsequences: false) {
    written.append("\ndata: ")
    written.append(UnsafeRawBufferPointer(rebasing: line))
  }
  written.append("\n\n")
}

/// An event stream read the slow way: the whole stream is there, each line is looked for from its start.
private struct EventStreamReference {
  let limit: Int

  func read(_ stream: UnsafeRawBufferPointer, _ trace: inout Trace) {
    var rest = stream[...]
    if rest.starts(with: [0xEF, 0xBB, 0xBF]), rest.prefix(while: { !isEnd($0) }).count <= limit,
      rest.contains(where: isEnd)
    {
      rest = rest.dropFirst(3)
    }
    var (name, id) = (stream[..<0], stream[..<0])
    var data: [UInt8]?
    while let end = rest.firstIndex(where: isEnd) {
      let line = rest[..<end]
      let isPair = rest[end] == 0x0D && end + 1 < rest.endIndex && rest[end + 1] == 0x0A
      rest = rest[(isPair ? end + 2 : end + 1)...]
      guard line.count <= limit else { return trace.note(UInt8(ascii: "!"), 0) }
      if line.isEmpty {
        if let data { note(name, id, data, &trace) }
        (name, data) = (stream[..<0], nil)
        continue
      }
      let colon = line.firstIndex(of: 0x3A) ?? line.endIndex
      var value = line[colon...].dropFirst()
      if value.first == 0x20 { value = value.dropFirst() }
      let field = line[..<colon]
      if field.elementsEqual("data".utf8) {
        // The newline that joins it to the lines before counts.
        guard (data?.count ?? 0) + 1 + value.count <= limit else { return trace.note(UInt8(ascii: "!"), 0) }
        data = data.map { $0 + [0x0A] + value } ?? Array(value)
      } else if field.elementsEqual("event".utf8) {
        name = value
      } else if field.elementsEqual("id".utf8), !value.contains(0) {
        id = value
      }
    }
    if rest.count > limit { trace.note(UInt8(ascii: "!"), 0) }
  }

  private func isEnd(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }

  private func note(
    _ name: Slice<UnsafeRawBufferPointer>, _ id: Slice<UnsafeRawBufferPointer>, _ data: [UInt8], _ trace: inout Trace
  ) {
    if name.isEmpty { trace.note(1, "message") } else { trace.note(1, UnsafeRawBufferPointer(rebasing: name)) }
    trace.note(2, UnsafeRawBufferPointer(rebasing: id))
    data.withUnsafeBytes { trace.note(3, $0) }
  }
}
