/// Latencies in buckets: the memory is the same after a minute and after a day.
///
/// A value under 2,048 µs is kept exactly. Above, a bucket is less than a thousandth of its values wide and stands for
/// its longest, so a percentile is never reported shorter than it was.
package struct LatencyHistogram: Sendable {
  /// What is longer counts as this: about fifty days.
  package static let longestMicroseconds: UInt64 = 1 << 42 - 1
  /// Values below this have a bucket each; every doubling above has half as many buckets.
  private static let exactValues = 2048
  private static let bucketsOfDoubling = exactValues / 2

  private var counts = [UInt64](repeating: 0, count: index(of: longestMicroseconds) + 1)
  package private(set) var count: UInt64 = 0
  /// The longest value, exactly; 0 without any.
  package private(set) var maximum: UInt64 = 0

  package init() {}

  package mutating func record(microseconds: UInt64) {
    let value = min(microseconds, Self.longestMicroseconds)
    counts[Self.index(of: value)] += 1
    count += 1
    maximum = max(maximum, value)
  }

  /// The percentile by nearest rank, in microseconds: the smallest value that at least `percent` of all values do not
  /// exceed. nil without values.
  package func percentile(_ percent: Int) -> UInt64? {
    precondition((1...100).contains(percent), "a percentile is of 1 to 100 percent, not \(percent)")
    guard count > 0 else { return nil }
    let rank = (count * UInt64(percent) + 99) / 100
    var seen: UInt64 = 0
    for (index, number) in counts.enumerated() where number > 0 {
      seen += number
      if seen >= rank { return min(Self.longest(in: index), maximum) }
    }
    preconditionFailure("\(seen) values are in the buckets, \(count) were counted")
  }

  private static func index(of value: UInt64) -> Int {
    guard value >= exactValues else { return Int(value) }
    // A doubling keeps the 11 leading bits, of which the first is always set.
    let dropped = UInt64.bitWidth - value.leadingZeroBitCount - 11
    return exactValues + (dropped - 1) * bucketsOfDoubling + Int(value >> UInt64(dropped)) - bucketsOfDoubling
  }

  private static func longest(in index: Int) -> UInt64 {
    guard index >= exactValues else { return UInt64(index) }
    let (doubling, place) = (index - exactValues).quotientAndRemainder(dividingBy: bucketsOfDoubling)
    return (UInt64(place + bucketsOfDoubling + 1) << UInt64(doubling + 1)) - 1
  }
}
