extension Double {
  /// With exactly `decimals` digits after the point, 0 to 9, rounded; `-` for what is no number or beyond 64 bits.
  package func text(decimals: Int) -> String {
    precondition((0...9).contains(decimals), "0 to 9 decimals, not \(decimals)")
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    guard let scaled = Int64(exactly: (self * scale).rounded()) else { return "-" }
    let sign = scaled < 0 ? "-" : ""
    let digits = String(scaled.magnitude)
    guard decimals > 0 else { return sign + digits }
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    return "\(sign)\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
  }
}
