import Bytes
import Glibc

/// Ends the process with a report unless `promise` was kept; libFuzzer then writes the input into a file.
@inline(__always)
func promise(_ name: StaticString, _ isKept: Bool, _ facts: @autoclosure () -> String = "") {
  if !isKept { broken(name, facts()) }
}

@inline(never)
func broken(_ name: StaticString, _ facts: String = "") -> Never {
  let text = Array("broken promise: \(name)\(facts.isEmpty ? "" : ": ")\(facts)\n".utf8)
  _ = text.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  abort()
}

/// Bytes as a person reads them, for a report.
func shown(_ bytes: UnsafeRawBufferPointer) -> String {
  bytes.prefix(400).map { byte in
    byte >= 0x20 && byte < 0x7F && byte != 0x5C
      ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }.joined()
}

#if ASAN
  @_silgen_name("__asan_poison_memory_region")
  private func poison(_ start: UnsafeRawPointer, _ count: Int)
  @_silgen_name("__asan_unpoison_memory_region")
  private func unpoison(_ start: UnsafeRawPointer, _ count: Int)
#endif

extension ByteBuffer {
  /// Runs `body` while AddressSanitizer takes the buffer's spare room for memory of somebody else: what reads beyond the
  /// bytes that came is found, though the buffer owns more. `body` may consume, and must not append.
  @inline(__always)
  mutating func withoutSpareRoom<Result>(_ body: (inout ByteBuffer) -> Result) -> Result {
    #if ASAN
      guard let end = readable.baseAddress.map({ $0 + count }) else { return body(&self) }
      let spare = writable(0).count
      poison(end, spare)
      defer { unpoison(end, spare) }
    #endif
    return body(&self)
  }
}
