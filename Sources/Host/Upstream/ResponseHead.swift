/// Collects the head of an answer from its lines, as an HTTP library hands them over one by one.
///
/// Interim answers (1xx, RFC 9110 §15.2) are passed over; trailers after the head are counted and dropped.
struct ResponseHead {
  enum Step: Equatable {
    case more
    /// The head is whole; from now on lines are trailers.
    case complete
    case tooLarge
  }

  private enum State { case head, trailers }

  private(set) var status: UInt32 = 0
  private(set) var headers: [(name: String, value: String)] = []
  private var state = State.head
  private var bytes: UInt64 = 0
  private let bytesLimit: UInt64

  /// - Parameter bytesLimit: bytes of all lines together, interim answers and trailers included.
  init(bytesLimit: UInt64) { self.bytesLimit = bytesLimit }

  /// Whether the answer is an event stream that went well.
  var isEventStream: Bool {
    guard (200..<300).contains(status), let header = headers.first(where: { $0.name.isEqualHeaderName("content-type") })
    else { return false }
    let essence = header.value.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
    return essence.isEqualHeaderName("text/event-stream")
  }

  mutating func take(_ line: UnsafeRawBufferPointer) -> Step {
    bytes += UInt64(line.count)
    if bytes > bytesLimit { return .tooLarge }
    guard case .head = state else { return .more }
    var text = line
    while let last = text.last, last == 0x0A || last == 0x0D {
      text = UnsafeRawBufferPointer(rebasing: text.dropLast())
    }
    if text.isEmpty { return endOfBlock() }
    if text.starts(with: "HTTP/".utf8) {
      status = Self.status(of: text)
      headers.removeAll()
    } else if let colon = text.firstIndex(of: 0x3A) {
      headers.append(
        (
          name: String(decoding: text[..<colon], as: UTF8.self),
          value: String(decoding: Self.trimmed(text[(colon + 1)...]), as: UTF8.self)
        ))
    }
    return .more
  }

  private mutating func endOfBlock() -> Step {
    if (100..<200).contains(status) && status != 101 { return .more }
    state = .trailers
    return .complete
  }

  /// `HTTP/1.1 200 OK`: the three digits after the first space.
  private static func status(of line: UnsafeRawBufferPointer) -> UInt32 {
    guard let space = line.firstIndex(of: 0x20) else { return 0 }
    var status: UInt32 = 0
    for byte in line[(space + 1)...].prefix(3) {
      guard (0x30...0x39).contains(byte) else { return 0 }
      status = status * 10 + UInt32(byte - 0x30)
    }
    return status
  }

  private static func trimmed(_ text: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
    var text = text.drop { $0 == 0x20 || $0 == 0x09 }
    while let last = text.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
    return text
  }
}

extension StringProtocol {
  /// Header names are compared without regard to the case of ASCII letters (RFC 9110 §5.1).
  func isEqualHeaderName(_ lowercased: StaticString) -> Bool {
    guard utf8.count == lowercased.utf8CodeUnitCount else { return false }
    let other = UnsafeBufferPointer(start: lowercased.utf8Start, count: lowercased.utf8CodeUnitCount)
    return zip(utf8, other).allSatisfy { byte, expected in
      ((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) == expected
    }
  }
}
