import Bytes
import Glibc
import Testing

private func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
  Array(text.utf8).withUnsafeBytes(body)
}

private func hex(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { Hex.encode($0) } }

struct HashTests {
  // FIPS 180-4 examples.
  @Test(arguments: [
    ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
    ),
  ])
  func `SHA-1 gives the published digests`(text: String, digest: String) {
    #expect(hex(withBytes(text) { SHA1.hash($0) }) == digest)
  }

  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func `SHA-256 gives the published digests`(text: String, digest: String) {
    #expect(hex(withBytes(text) { SHA256.hash($0) }) == digest)
  }

  @Test func `SHA-256 is the same however its input is cut`() {
    let input = (0..<200).map { UInt8($0) }
    let whole = input.withUnsafeBytes { SHA256.hash($0) }
    for cut in 0...input.count {
      var hash = SHA256()
      input[..<cut].withUnsafeBytes { hash.update($0) }
      input[cut...].withUnsafeBytes { hash.update($0) }
      #expect(hash.finish() == whole)
    }
  }
}

struct EncodingTests {
  // RFC 4648 §10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func `Base64 encodes and decodes the published examples`(text: String, encoded: String) {
    #expect(withBytes(text) { Base64.encode($0) } == encoded)
    #expect(withBytes(encoded) { Base64.decode($0) } == Array(text.utf8))
  }

  @Test(arguments: ["Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Zm-_"])
  func `malformed Base64 is refused`(text: String) {
    #expect(withBytes(text) { Base64.decode($0) } == nil)
  }

  @Test func `32 bytes are 43 URL-safe characters`() {
    let text = [UInt8](repeating: 0xFB, count: 32).withUnsafeBytes { Base64.encodeURLSafe($0) }
    #expect(text.utf8.count == 43)
    #expect(!text.contains { "+/=".contains($0) })
  }

  @Test func `comparison finds any difference`() {
    #expect(withBytes("secret") { left in withBytes("secret") { constantTimeEquals(left, $0) } })
    #expect(!withBytes("secret") { left in withBytes("secreT") { constantTimeEquals(left, $0) } })
    #expect(!withBytes("secret") { left in withBytes("secre") { constantTimeEquals(left, $0) } })
  }
}

struct UTF8ValidatorTests {
  @Test func `text is valid at every split and every cut inside a character is incomplete`() {
    let bytes = Array("ascii, ä, €, 😀, \u{10FFFF} and ascii again".utf8)
    for cut in 0...bytes.count {
      var validator = UTF8Validator()
      let first = bytes[..<cut].withUnsafeBytes { validator.validate($0) }
      let isBoundary = cut == bytes.count || bytes[cut] & 0xC0 != 0x80
      #expect(first)
      #expect(validator.isComplete == isBoundary)
      let second = bytes[cut...].withUnsafeBytes { validator.validate($0) }
      #expect(second && validator.isComplete)
    }
  }

  @Test(
    arguments: [
      [0x80], [0xC0], [0xC1], [0xC2, 0x41], [0xE0, 0x9F], [0xED, 0xA0], [0xF0, 0x8F], [0xF4, 0x90], [0xF5], [0xFF],
      [0xE2, 0x82, 0x41],
    ] as [[UInt8]])
  func `the first impossible byte is refused at once`(bytes: [UInt8]) {
    for prefix in ["", "sixteen ascii ch", "x"] {
      var validator = UTF8Validator()
      let input = Array(prefix.utf8) + bytes
      for byte in input.dropLast() {
        let isFine = [byte].withUnsafeBytes { validator.validate($0) }
        #expect(isFine)
      }
      let isRefused = !input.suffix(1).withUnsafeBytes { validator.validate($0) }
      #expect(isRefused)
      #expect(!input.withUnsafeBytes { UTF8Validator.isValid($0) })
    }
  }
}

extension UTF8ValidatorTests {
  @Test func `bytes at once and bytes one by one are judged alike`() {
    let edges: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    for first in 0x80...0xFF as ClosedRange<UInt8> {
      for second in edges {
        for third in edges {
          let input = [first, second, third, 0x61, 0x61, 0x61]
          var validator = UTF8Validator()
          let isValid = input.allSatisfy { byte in [byte].withUnsafeBytes { validator.validate($0) } }
          #expect(input.withUnsafeBytes { UTF8Validator.isValid($0) } == (isValid && validator.isComplete), "\(input)")
        }
      }
    }
  }
}

struct ByteBufferTests {
  @Test func `what is appended is read in order, across growth and consumption`() {
    var buffer = ByteBuffer()
    #expect(buffer.allocatedBytes == 0)
    var written: UInt8 = 0
    var read: UInt8 = 0
    for round in 0..<500 {
      for _ in 0..<(round % 7) {
        buffer.append(written)
        written &+= 1
      }
      let count = min(buffer.count, round % 5)
      for byte in buffer.readable.prefix(count) {
        #expect(byte == read)
        read &+= 1
      }
      buffer.consume(count)
    }
    #expect(buffer.count == Int(written &- read) || buffer.count > 255)
    buffer.removeAll(keeping: 0)
    #expect(buffer.allocatedBytes == 0)
  }

  @Test(.disabled(if: dlsym(nil, "__asan_init") != nil, "AddressSanitizer's realloc copies"))
  func `a large buffer grows by moving its pages, with every byte`() {
    var buffer = ByteBuffer(capacity: 4 << 20)
    while buffer.allocatedBytes - buffer.count >= 8 {
      withUnsafeBytes(of: UInt64(buffer.count)) { buffer.append($0) }
    }
    let full = buffer.count
    let before = pageFaults()
    buffer.append(1)
    // A copy would bring in a page for each 4 KiB, 1,024 of them.
    #expect(pageFaults() - before < 100)
    #expect(buffer.allocatedBytes == 8 << 20 && buffer.count == full + 1)
    let bytes = buffer.readable
    let wrong = stride(from: 0, to: full, by: 8).first {
      bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self) != UInt64($0)
    }
    #expect(wrong == nil)
  }

  /// Page faults of this thread so far that needed no disk.
  private func pageFaults() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(1), &usage)  // RUSAGE_THREAD, which the headers keep for GNU sources
    return usage.ru_minflt
  }

  @Test func `truncating keeps the front`() {
    var buffer = ByteBuffer()
    buffer.append("abcdef")
    buffer.consume(1)
    buffer.truncate(to: 2)
    #expect(buffer.string() == "bc")
  }
}
