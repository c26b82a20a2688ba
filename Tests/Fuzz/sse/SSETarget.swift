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
  written.append("event:")
  written.append(event.name)
  written.append("\nid: ")
  written.append(event.id)
  for line in event.data.split(separator: 0x0A, omittingEmptySubsequences: false) {
    written.append("\ndata: ")
    written.append(UnsafeRawBufferPointer(rebasing: line))
  }
  written.append("\n\n")
}

/// An event stream read the slow way: cut into lines first, then each line as the specification says.
private struct EventStreamReference {
  let limit: Int

  func read(_ stream: UnsafeRawBufferPointer, _ trace: inout Trace) {
    var (name, id, data): ([UInt8], [UInt8], [UInt8]?) = ([], [], nil)
    var lines = lines(Array(stream))
    let unfinished = lines.removeLast()
    for (number, line) in lines.enumerated() {
      guard line.count <= limit else { return trace.note(UInt8(ascii: "!"), 0) }
      var line = line
      if number == 0, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
      if line.isEmpty {
        if let data {
          if name.isEmpty { name = Array("message".utf8) }
          for (kind, bytes) in [(1, name), (2, id), (3, data)] as [(UInt8, [UInt8])] {
            bytes.withUnsafeBytes { trace.note(kind, $0) }
          }
        }
        (name, data) = ([], nil)
        continue
      }
      let colon = line.firstIndex(of: 0x3A) ?? line.count
      var value = Array(line.dropFirst(colon + 1))
      if value.first == 0x20 { value.removeFirst() }
      switch String(decoding: line[..<colon], as: UTF8.self) {
      case "data":
        // The newline that joins it to the lines before counts.
        guard (data?.count ?? 0) + 1 + value.count <= limit else { return trace.note(UInt8(ascii: "!"), 0) }
        data = data.map { $0 + [0x0A] + value } ?? value
      case "event": name = value
      case "id": if !value.contains(0) { id = value }
      default: break
      }
    }
    if unfinished.count > limit { trace.note(UInt8(ascii: "!"), 0) }
  }

  /// The lines, and last what no line end follows.
  private func lines(_ bytes: [UInt8]) -> [[UInt8]] {
    var (lines, line): ([[UInt8]], [UInt8]) = ([], [])
    var index = 0
    while index < bytes.count {
      if bytes[index] == 0x0A || bytes[index] == 0x0D {
        if bytes[index] == 0x0D, index + 1 < bytes.count, bytes[index + 1] == 0x0A { index += 1 }
        lines.append(line)
        line = []
      } else {
        line.append(bytes[index])
      }
      index += 1
    }
    return lines + [line]
  }
}
