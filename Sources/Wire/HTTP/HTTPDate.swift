public import Bytes

/// The date of a message (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
public enum HTTPDate {
  private static var days: StaticString { "ThuFriSatSunMonTueWed" }
  private static var months: StaticString { "JanFebMarAprMayJunJulAugSepOctNovDec" }

  /// - Parameter seconds: since 1970, up to the year 9999.
  public static func append(secondsSince1970 seconds: UInt64, to buffer: inout ByteBuffer) {
    let seconds = min(seconds, 253_402_300_799)
    let day = Int(seconds / 86_400)
    let second = Int(seconds % 86_400)
    let (year, month, dayOfMonth) = civil(day)
    appendName(days, day % 7, to: &buffer)
    buffer.append(", ")
    append(dayOfMonth, to: &buffer)
    buffer.append(" ")
    appendName(months, month - 1, to: &buffer)
    buffer.append(" ")
    append(year / 100, to: &buffer)
    append(year % 100, to: &buffer)
    buffer.append(" ")
    append(second / 3600, to: &buffer)
    buffer.append(":")
    append(second / 60 % 60, to: &buffer)
    buffer.append(":")
    append(second % 60, to: &buffer)
    buffer.append(" GMT")
  }

  /// Year, month and day of a number of days since 1970; years are counted from March, so that a leap day is the last.
  private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
  }

  private static func appendName(_ names: StaticString, _ index: Int, to buffer: inout ByteBuffer) {
    buffer.append(UnsafeRawBufferPointer(start: names.utf8Start + 3 * index, count: 3))
  }

  private static func append(_ twoDigits: Int, to buffer: inout ByteBuffer) {
    buffer.append(UInt8(0x30 + twoDigits / 10))
    buffer.append(UInt8(0x30 + twoDigits % 10))
  }
}
