// What one look at a figure finds: the thresholds of every alert, in one place.
extension AlertEpisode.Sight {
  /// A limit: over nine tenths is a warning, none free is critical, eight tenths or less is clear.
  ///
  /// Looked at once a second. A peak between two looks counts only if it hurt somebody: `foundNoneFree` says that
  /// since the last look somebody asked and found none free.
  ///
  /// - Parameter limit: 0 or less: there is no limit, and nothing to tell.
  package static func limit(used: Int, of limit: Int, foundNoneFree: Bool = false) -> Self {
    guard limit > 0 else { return .clear }
    if used >= limit || foundNoneFree { return .critical }
    if isOver(used, tenths: 9, of: limit) { return .warning }
    return isOver(used, tenths: 8, of: limit) ? .between : .clear
  }

  private static func isOver(_ used: Int, tenths: UInt, of limit: Int) -> Bool {
    let (left, right) = (
      max(used, 0).magnitude.multipliedFullWidth(by: 10), limit.magnitude.multipliedFullWidth(by: tenths)
    )
    return (left.high, left.low) > (right.high, right.low)
  }

  /// A disk, by what it has and what is taken of it: from 85 % a warning, from 95 % critical, under 80 % clear.
  package static func disk(used: UInt64, of total: UInt64) -> Self {
    guard total > 0 else { return .clear }
    if isAtLeast(used, percent: 95, of: total) { return .critical }
    if isAtLeast(used, percent: 85, of: total) { return .warning }
    return isAtLeast(used, percent: 80, of: total) ? .between : .clear
  }

  private static func isAtLeast(_ used: UInt64, percent: UInt64, of total: UInt64) -> Bool {
    let (left, right) = (used.multipliedFullWidth(by: 100), total.multipliedFullWidth(by: percent))
    return (left.high, left.low) >= (right.high, right.low)
  }

  /// Something that is or is not, told as `severity`.
  package static func fault(_ isThere: Bool, _ severity: AlertEpisode.Severity = .warning) -> Self {
    guard isThere else { return .clear }
    return severity == .critical ? .critical : .warning
  }

  /// Memory that grows: by 16 MiB and a tenth of where it began, over the samples there are. From half of that on it is
  /// not clear.
  ///
  /// - Parameter growth: nil: there are not enough samples to say, so nothing is raised.
  package static func growth(_ growth: MemoryGrowth.Growth?) -> Self {
    guard let growth else { return .clear }
    let threshold = max(noticedGrowthBytes, growth.startBytes / 10)
    if growth.riseBytes >= threshold { return .warning }
    return growth.riseBytes >= threshold / 2 ? .between : .clear
  }

  package static let noticedGrowthBytes = 16.0 * 1_048_576
}
