internal import Glibc

/// What a check's process gets of our environment: no key of a provider is among it.
enum ChildEnvironment {
  private static let kept = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH"]
  /// Sanitized builds are told by these what to do.
  private static let sanitizers = ["ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"]

  /// Whether no sanitizer was told anything.
  static var isPlain: Bool { !sanitizers.contains { getenv($0) != nil } }

  /// `NAME=value`. A Swift plugin that traps ends at once, without a second process that prints where.
  static var words: [String] {
    (kept + sanitizers).compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } }
      + ["SWIFT_BACKTRACE=enable=no"]
  }
}
