import Bytes
import CProviderABI

// Text across the boundary: pointer and length, borrowed for the call it travels with (provider_abi.h C4, C5).

extension prv_str {
  init(_ text: StaticString) {
    self.init(
      ptr: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), len: UInt64(text.utf8CodeUnitCount))
  }

  init(_ bytes: UnsafeRawBufferPointer) {
    self.init(ptr: bytes.baseAddress?.assumingMemoryBound(to: CChar.self), len: UInt64(bytes.count))
  }

  init(_ utf8: UnsafeBufferPointer<UInt8>) { self.init(UnsafeRawBufferPointer(utf8)) }

  var bytes: UnsafeRawBufferPointer {
    guard let ptr, len > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: ptr, count: Int(clamping: len))
  }

  /// A copy; what is not UTF-8 is repaired.
  var string: String { String(decoding: bytes, as: UTF8.self) }
}

extension prv_call_request {
  /// Copies of the files that came with the call.
  var sentFiles: [SentFile] {
    guard let files else { return [] }
    return (0..<Int(clamping: file_count)).map { index in
      let file = prv_file(copying: UnsafeRawPointer(files) + index * Int(clamping: file_stride))
      let content = UnsafeRawBufferPointer(start: file.content.ptr, count: Int(clamping: file.content.len))
      return SentFile(name: file.name.string, mediaType: file.media_type.string, content: [UInt8](content))
    }
  }
}

extension prv_sink {
  func callAsFunction(_ text: String) {
    guard let write else { return }
    var text = text
    text.withUTF8 { write(ctx, prv_str($0)) }
  }
}

/// Collects what `body` has written into a sink; nil when `body` returns false.
func collectText(_ body: (prv_sink) -> Bool) -> String? {
  final class Collector { var buffer = ByteBuffer() }
  let collector = Collector()
  let sink = prv_sink(
    ctx: Unmanaged.passUnretained(collector).toOpaque(),
    write: { context, text in
      guard let context else { return }
      Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue().buffer.append(text.bytes)
    })
  return withExtendedLifetime(collector) { body(sink) ? collector.buffer.string() : nil }
}

/// Lays pairs of text out as an array of C structs, valid during `body`.
func withCPairs<Element, Result>(
  _ pairs: some Sequence<(String, String)>, _ make: (prv_str, prv_str) -> Element,
  _ body: (UnsafeBufferPointer<Element>) -> Result
) -> Result {
  var text = ByteBuffer()
  var lengths: [(Int, Int)] = []
  for (name, value) in pairs {
    text.append(name)
    text.append(value)
    lengths.append((name.utf8.count, value.utf8.count))
  }
  let bytes = text.readable
  var start = 0
  func next(_ length: Int) -> prv_str {
    defer { start += length }
    return prv_str(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
  }
  let elements = lengths.map { name, value in
    let name = next(name)
    return make(name, next(value))
  }
  return elements.withUnsafeBufferPointer(body)
}
