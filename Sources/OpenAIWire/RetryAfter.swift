import ProviderAPI

/// How long an upstream asks to be left alone, as its headers say it.
enum RetryAfter {
  /// Longer delays are cut to this.
  static let limitSeconds: Int64 = 30 * 86_400

  /// `retry-after-ms`, then `Retry-After` (RFC 9110 §10.2.3), then the reset of the window that is used up.
  static func delay(_ headers: HTTPHeaders, nowUnixSeconds: Int64) -> Duration? {
    if let milliseconds = headers["retry-after-ms"].flatMap({ number($0) }) {
      return bounded(milliseconds / 1000)
    }
    if let text = headers["retry-after"] {
      if let seconds = number(text) { return bounded(seconds) }
      guard let date = HTTPDate.unixSeconds(text) else { return nil }
      return .seconds(min(max(date - nowUnixSeconds, 0), limitSeconds))
    }
    for window in ["requests", "tokens"] where headers["x-ratelimit-remaining-\(window)"] == "0" {
      if let reset = headers["x-ratelimit-reset-\(window)"].flatMap({ span($0) }) { return bounded(reset) }
    }
    return nil
  }

  private static func bounded(_ seconds: Double) -> Duration {
    .milliseconds(Int64((min(seconds, Double(limitSeconds)) * 1000).rounded(.up)))
  }

  /// A decimal number without a sign.
  private static func number(_ text: some StringProtocol) -> Double? {
    guard let first = text.utf8.first, (0x30...0x39).contains(first), let number = Double(text), number.isFinite else {
      return nil
    }
    return number
  }

  /// A span as OpenAI writes it: `1s`, `6m0s`, `120ms`; a bare number is seconds.
  static func span(_ text: String) -> Double? {
    if let seconds = number(text) { return seconds }
    var total = 0.0
    var rest = text[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      guard let count = number(digits) else { return nil }
      rest = rest[digits.endIndex...]
      let unit = rest.prefix { $0.isLetter }
      rest = rest[unit.endIndex...]
      switch unit {
      case "ms": total += count / 1000
      case "s": total += count
      case "m": total += count * 60
      case "h": total += count * 3600
      case "d": total += count * 86_400
      default: return nil
      }
    }
    return text.isEmpty ? nil : total
  }
}
