/// The time in a message at which a limit ends: `Your limit will reset at 2026-11-26 18:09:13`.
///
/// Read only where a provider is known to write it; without a time zone of its own it is one that the provider is known
/// to mean.
enum ResetTime {
  /// "2026-11-26 18:09:13".
  private static let shape = Array("0000-00-00 00:00:00".utf8)

  /// The first such time in `message`, in seconds since 1970. nil: there is none, or no possible one.
  ///
  /// - Parameter utcOffsetSeconds: what the provider's clocks are ahead of UTC.
  static func unixSeconds(in message: String, utcOffsetSeconds: Int64) -> Int64? {
    let bytes = Array(message.utf8)
    guard bytes.count >= shape.count else { return nil }
    let start = (0...bytes.count - shape.count).first { start in
      zip(bytes[start...], shape).allSatisfy { byte, wanted in
        wanted == 0x30 ? (0x30...0x39).contains(byte) : byte == wanted
      }
    }
    guard let start else { return nil }
    func number(_ offset: Int, _ digits: Int) -> Int64 {
      bytes[start + offset..<start + offset + digits].reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }
    let (year, month, day) = (number(0, 4), number(5, 2), number(8, 2))
    let (hour, minute, second) = (number(11, 2), number(14, 2), number(17, 2))
    guard year >= 1970, (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60 else {
      return nil
    }
    return HTTPDate.days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - utcOffsetSeconds
  }
}
