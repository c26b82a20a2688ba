/// How thorough the checks that repeat themselves are: 1 for whoever validates a plugin, less for the tests of the checks.
enum ChatEffort {
  @TaskLocal static var share = 1.0

  /// Rounds of a check that makes `full` of them, at least 20.
  static func rounds(_ full: Int) -> Int { max(min(full, 20), Int(Double(full) * share)) }
}
