import Bytes
import Glibc

/// Where inputs lie: each ends where this memory does, so that AddressSanitizer sees a read of one byte beyond it.
///
/// libFuzzer's own copy is of no use for that: it comes from the C++ library, whose memory AddressSanitizer does not
/// guard in a program that swiftc links.
enum InputMemory {
  private static let bytes = 1 << 16
  nonisolated(unsafe) private static let start = malloc(bytes)!

  static func place(_ input: UnsafePointer<UInt8>?, _ count: Int) -> UnsafeRawBufferPointer {
    let place = start + (bytes - count)
    if let input { memcpy(place, input, count) }
    return UnsafeRawBufferPointer(start: place, count: count)
  }
}

/// An input of a fuzzer: a byte of options, a byte that says where the stream is cut, and the stream. Valid until the
/// next one.
struct FuzzInput {
  let options: UInt8
  let cuts: Cuts
  let bytes: UnsafeRawBufferPointer

  /// nil: too short to say anything.
  init?(_ start: UnsafePointer<UInt8>?, _ count: Int) {
    guard count >= 2 else { return nil }
    let input = InputMemory.place(start, count)
    options = input[0]
    cuts = Cuts(input[1])
    bytes = UnsafeRawBufferPointer(rebasing: input[2...])
  }

  func option(_ bit: Int) -> Bool { options >> UInt8(bit) & 1 == 1 }

  /// A choice of four by two bits of the options.
  func choice(_ bit: Int) -> Int { Int(options >> UInt8(bit) & 3) }
}

/// Where a stream is cut: a byte of 0 cuts it into single bytes, any other into pieces of pseudo-random sizes.
struct Cuts {
  private let widest: UInt32
  private var state: UInt32

  init(_ byte: UInt8) {
    widest = byte == 0 ? 1 : [2, 5, 17, 64][Int(byte & 3)]
    state = UInt32(byte) &* 0x9E37_79B9 | 1
  }

  /// How many of `left` bytes come next; at least one if there is one.
  mutating func next(_ left: Int) -> Int {
    state ^= state << 13
    state ^= state >> 17
    state ^= state << 5
    return min(left, 1 + Int(state % widest))
  }

  /// Hands over `bytes` in order, cut.
  func forEachPiece(of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
    var cuts = self
    var rest = bytes
    while !rest.isEmpty {
      let count = cuts.next(rest.count)
      body(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }
}
