/// Where a request stands in a trace across services (W3C Trace Context, level 2): the trace's id, the id of whoever is
/// asked on its behalf, and what they are to know.
///
/// Whoever sends a bad one gets no error: the trace begins anew (§3.2.1). A value; nothing in it is trusted further than
/// its form.
package struct TraceContext: Equatable, Sendable {
  /// `tracestate`: bytes that are passed on; §3.3.1.5 wants 512 at least.
  package static let stateBytesLimit = 512
  /// §3.3.1.1.
  package static let stateMembersLimit = 32
  /// Longer entries go first when there are too many bytes (§3.3.1.5).
  private static let largeMemberBytes = 128
  /// What a header of a later version may have: as much as we would keep of a state.
  private static let parentBytesLimit = 512

  /// `sampled` and `random-trace-id`: those that level 2 knows; others are not passed on.
  private static let knownFlags: UInt8 = 0b11
  private static let randomFlag: UInt8 = 0b10

  private var trace: (high: UInt64, low: UInt64)
  private var span: UInt64
  package private(set) var flags: UInt8
  /// `tracestate`, as it is passed on; empty: there is none.
  package private(set) var state = ""

  package static func == (left: Self, right: Self) -> Bool {
    left.trace == right.trace && left.span == right.span && left.flags == right.flags && left.state == right.state
  }

  /// Reads a `traceparent` (§3.2.2), and the `tracestate` beside it.
  ///
  /// - Returns: nil: it is none. Of a later version its first four fields are taken; a bad state is dropped alone.
  package init?(parent: String, state: String = "") {
    let bytes = Array(parent.utf8)
    guard (55...Self.parentBytesLimit).contains(bytes.count), bytes[2] == 0x2D, bytes[35] == 0x2D, bytes[52] == 0x2D,
      let version = Self.hex(bytes[0..<2]), version != 0xFF,
      version == 0 ? bytes.count == 55 : bytes.count == 55 || bytes[55] == 0x2D,
      let high = Self.hex(bytes[3..<19]), let low = Self.hex(bytes[19..<35]), high != 0 || low != 0,
      let span = Self.hex(bytes[36..<52]), span != 0, let flags = Self.hex(bytes[53..<55])
    else { return nil }
    trace = (high, low)
    self.span = span
    self.flags = UInt8(truncatingIfNeeded: flags) & Self.knownFlags
    self.state = Self.checked(state)
  }

  /// A trace of our own.
  ///
  /// - Parameter random: gives random bits.
  package init(beginning random: () -> UInt64) {
    trace = (random(), random())
    // All zeros is no id.
    if trace == (0, 0) { trace.low = 1 }
    span = max(1, random())
    flags = Self.randomFlag
  }

  /// What the headers of a request say: nil: it takes no part in a trace. A bad header begins a trace.
  package init?(_ headers: HTTPHeaders, random: () -> UInt64) {
    let parents = headers.all("traceparent")
    guard !parents.isEmpty else { return nil }
    // Several fields of one list are one list (RFC 9110 §5.3).
    let state = headers.all("tracestate").joined(separator: ",")
    guard parents.count == 1, let context = TraceContext(parent: parents[0], state: state) else {
      self.init(beginning: random)
      return
    }
    self = context
  }

  /// The same trace, one step on: with the id of our own part, for whom we ask.
  package func child(_ random: () -> UInt64) -> TraceContext {
    var copy = self
    copy.span = max(1, random())
    return copy
  }

  /// 32 digits.
  package var traceID: String { Self.digits(trace.high) + Self.digits(trace.low) }
  /// 16 digits.
  package var spanID: String { Self.digits(span) }

  /// `traceparent`, in the version that we know.
  package var parent: String {
    "00-\(traceID)-\(spanID)-\(flags < 16 ? "0" : "")\(String(flags, radix: 16))"
  }

  // MARK: - tracestate

  /// What may be passed on of a `tracestate`: whole entries, the first ones, without those that are long if it must be.
  /// Empty when it is none.
  static func checked(_ state: String) -> String {
    guard state.utf8.count <= 16 * stateBytesLimit else { return "" }
    var members: [String] = []
    for item in state.split(separator: ",") {
      let member = HTTPText.trimmed(item)
      if member.isEmpty { continue }
      guard isMember(member) else { return "" }
      members.append(member)
    }
    guard members.count <= stateMembersLimit else { return "" }
    var bytes = members.reduce(max(0, members.count - 1)) { $0 + $1.utf8.count }
    func drop(_ index: Int) { bytes -= members.remove(at: index).utf8.count + 1 }
    while bytes > stateBytesLimit, let large = members.lastIndex(where: { $0.utf8.count > largeMemberBytes }) {
      drop(large)
    }
    while bytes > stateBytesLimit { drop(members.count - 1) }
    return members.joined(separator: ",")
  }

  /// `key=value` (§3.3.1.3): the key of lower case letters, digits and `_-*/@`, the value of visible characters and
  /// spaces within, without `,` and `=`.
  private static func isMember(_ member: String) -> Bool {
    let bytes = Array(member.utf8)
    guard let equals = bytes.firstIndex(of: 0x3D) else { return false }
    let (key, value) = (bytes[..<equals], bytes[(equals + 1)...])
    guard (1...256).contains(key.count), (1...256).contains(value.count) else { return false }
    let isKey = key.allSatisfy { byte in
      (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || [0x5F, 0x2D, 0x2A, 0x2F, 0x40].contains(byte)
    }
    return isKey && value.allSatisfy { (0x20...0x7E).contains($0) && $0 != 0x2C && $0 != 0x3D }
  }

  // MARK: - Digits

  /// Lower case only (§3.2.2).
  private static func hex(_ digits: ArraySlice<UInt8>) -> UInt64? {
    var number: UInt64 = 0
    for digit in digits {
      switch digit {
      case 0x30...0x39: number = number << 4 | UInt64(digit - 0x30)
      case 0x61...0x66: number = number << 4 | UInt64(digit - 0x61 + 10)
      default: return nil
      }
    }
    return number
  }

  private static func digits(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
}
