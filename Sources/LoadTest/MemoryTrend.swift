/// Whether memory grows: samples of a run, and the line that fits those of its last half best.
///
/// Keeps at most `samplesLimit` samples, evenly spaced: when they are full, every second one is dropped and from then on
/// half as many are taken.
package struct MemoryTrend: Sendable {
  package static let samplesLimit = 4096
  /// Fewer than these in the last half say nothing.
  package static let fewestSamples = 10

  private struct Sample {
    var seconds: Double
    var bytes: Double
  }

  /// A line fitted by least squares to the last half of a run.
  package struct Slope: Equatable, Sendable {
    package var bytesPerHour: Double
    /// By how much the line rises from the first judged sample to the last, in percent of where it begins.
    package var risePercent: Double
    /// Seconds from the first judged sample to the last.
    package var spanSeconds: Double
    package var samples: Int
  }

  private var samples: [Sample] = []
  private var offered = 0
  private var stride = 1

  package init() {}

  package var count: Int { samples.count }

  /// Seconds between the first and the last sample that are kept.
  package var spanSeconds: Double {
    guard let first = samples.first, let last = samples.last else { return 0 }
    return last.seconds - first.seconds
  }

  /// Takes a sample; `seconds` since the run began may not go back.
  package mutating func add(seconds: Double, bytes: Double) {
    precondition(seconds >= samples.last?.seconds ?? 0, "time went back to \(seconds) s")
    defer { offered += 1 }
    guard offered.isMultiple(of: stride) else { return }
    samples.append(Sample(seconds: seconds, bytes: bytes))
    guard samples.count == Self.samplesLimit else { return }
    samples = samples.indices.filter { $0.isMultiple(of: 2) }.map { samples[$0] }
    stride *= 2
  }

  /// nil: the samples span less than `minimumSeconds`, or too few of them are in the last half. A slope over a moment
  /// would be an invention: a page more after a millisecond is gigabytes an hour.
  package func slope(minimumSeconds: Double) -> Slope? {
    guard let first = samples.first, let last = samples.last, spanSeconds >= minimumSeconds else { return nil }
    let middle = (first.seconds + last.seconds) / 2
    let judged = samples.filter { $0.seconds >= middle }
    guard judged.count >= Self.fewestSamples else { return nil }
    return Self.fit(judged)
  }

  private static func fit(_ samples: [Sample]) -> Slope? {
    let count = Double(samples.count)
    let meanSeconds = samples.reduce(0) { $0 + $1.seconds } / count
    let meanBytes = samples.reduce(0) { $0 + $1.bytes } / count
    var covariance = 0.0
    var variance = 0.0
    for sample in samples {
      covariance += (sample.seconds - meanSeconds) * (sample.bytes - meanBytes)
      variance += (sample.seconds - meanSeconds) * (sample.seconds - meanSeconds)
    }
    guard variance > 0 else { return nil }
    let perSecond = covariance / variance
    let span = samples[samples.count - 1].seconds - samples[0].seconds
    let start = meanBytes + perSecond * (samples[0].seconds - meanSeconds)
    return Slope(
      bytesPerHour: perSecond * 3600, risePercent: start > 0 ? perSecond * span * 100 / start : 0, spanSeconds: span,
      samples: samples.count)
  }
}
