import Bytes

/// Takes markers out of a text that comes in pieces, also when a marker is split between them.
///
/// Holds at most the longest marker less one byte. Markers are ASCII, so no character is ever split here.
struct MarkerFilter {
  private let markers: [StaticString]
  /// The end of the last piece, which may begin a marker.
  private var held: [UInt8] = []

  init(_ markers: [StaticString]) { self.markers = markers }

  var isIdle: Bool { markers.isEmpty }

  /// Appends what of `piece`, and of what was held, is text.
  mutating func pass(_ piece: UnsafeRawBufferPointer, to text: inout ByteBuffer) {
    guard !held.isEmpty else {
      filter(piece, to: &text)
      return
    }
    let joined = held + piece
    held = []
    joined.withUnsafeBytes { filter($0, to: &text) }
  }

  /// Appends what was held: nothing follows that could make it a marker.
  mutating func finish(to text: inout ByteBuffer) {
    text.append(held)
    held = []
  }

  private mutating func filter(_ bytes: UnsafeRawBufferPointer, to text: inout ByteBuffer) {
    var start = 0
    var index = 0
    while index < bytes.count {
      switch match(bytes, at: index) {
      case .none: index += 1
      case .whole(let length):
        text.append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
        index += length
        start = index
      case .beginning:
        text.append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
        held = [UInt8](bytes[index...])
        return
      }
    }
    text.append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
  }

  private enum Match {
    case none
    case whole(Int)
    /// The bytes end inside a marker.
    case beginning
  }

  private func match(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Match {
    for marker in markers {
      let length = min(marker.utf8CodeUnitCount, bytes.count - index)
      let name = UnsafeBufferPointer(start: marker.utf8Start, count: length)
      guard bytes[index..<index + length].elementsEqual(name) else { continue }
      return length == marker.utf8CodeUnitCount ? .whole(length) : .beginning
    }
    return .none
  }
}
