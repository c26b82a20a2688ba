import Decisions
import Glibc
import JSON

/// How full one file system is.
struct DiskFigures: Sendable, Equatable {
  /// The directory that was asked about.
  var path: String
  var totalBytes: UInt64
  /// For whoever is not root.
  var freeBytes: UInt64
  /// Of the files it may have; 0 of 0: it has no such bound.
  var usedFiles: UInt64 = 0
  var totalFiles: UInt64 = 0

  /// nil: there is no such directory, or its file system does not say. May block as long as the file system pleases.
  static func read(_ path: String) -> DiskFigures? {
    var figures = statvfs()
    guard statvfs(path, &figures) == 0, figures.f_blocks > 0 else { return nil }
    let block = UInt64(figures.f_frsize)
    // What is kept for root is neither free nor in use: as df has it.
    let used = UInt64(figures.f_blocks) - min(UInt64(figures.f_bfree), UInt64(figures.f_blocks))
    let free = UInt64(figures.f_bavail)
    return DiskFigures(
      path: path, totalBytes: (used &+ free).multipliedReportingOverflow(by: block).partialValue,
      freeBytes: free.multipliedReportingOverflow(by: block).partialValue,
      usedFiles: UInt64(figures.f_files) - min(UInt64(figures.f_ffree), UInt64(figures.f_files)),
      totalFiles: UInt64(figures.f_files))
  }

  var usedBytes: UInt64 { totalBytes - min(freeBytes, totalBytes) }

  /// Of bytes or of files, whichever is more.
  var sight: AlertEpisode.Sight {
    let sights = [
      AlertEpisode.Sight.disk(used: usedBytes, of: totalBytes), .disk(used: usedFiles, of: totalFiles),
    ]
    return [.critical, .warning, .between].first { sights.contains($0) } ?? .clear
  }

  var usedPercent: Double { max(Self.percent(usedBytes, totalBytes), Self.percent(usedFiles, totalFiles)) }

  private static func percent(_ used: UInt64, _ total: UInt64) -> Double {
    total > 0 ? (Double(used) / Double(total) * 1000).rounded() / 10 : 0
  }

  var message: String {
    let files = Self.percent(usedFiles, totalFiles) > Self.percent(usedBytes, totalBytes)
    return "\(usedPercent) % of the \(files ? "files that fit on" : "disk below") \(path) "
      + (files ? "are there" : "is used, \(freeBytes / 1_048_576) MiB are free")
  }

  var json: JSONValue {
    .object([
      .init("path", .string(path)), .init("total_bytes", .integer(Int64(clamping: totalBytes))),
      .init("free_bytes", .integer(Int64(clamping: freeBytes))), .init("used_percent", .double(usedPercent)),
    ])
  }
}
