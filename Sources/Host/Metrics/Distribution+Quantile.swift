extension MetricSnapshot.Distribution {
  /// Linear within its bucket, from 0 in the first; beyond the last bound it is that bound, as Prometheus has it. nil:
  /// nothing was observed.
  func quantile(_ quantile: Double) -> Double? {
    guard count > 0, !bounds.isEmpty, counts.count >= bounds.count else { return nil }
    let rank = quantile * Double(count)
    guard let index = bounds.indices.first(where: { Double(counts[$0]) >= rank && counts[$0] > 0 }) else {
      return bounds.last(where: \.isFinite)
    }
    guard bounds[index].isFinite else { return bounds.last(where: \.isFinite) }
    let lower = index > 0 ? bounds[index - 1] : min(0, bounds[index])
    let below = index > 0 ? counts[index - 1] : 0
    let inside = Double(counts[index] &- below)
    guard inside > 0 else { return bounds[index] }
    return lower + (bounds[index] - lower) * max(0, rank - Double(below)) / inside
  }
}
