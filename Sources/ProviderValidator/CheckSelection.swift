/// Which checks are wanted: those that one of `include` matches (all when it is empty) and none of `exclude`. A pattern
/// is a glob of ids, or the name of a category.
package struct CheckSelection: Sendable, Equatable {
  package var include: [String]
  package var exclude: [String]

  package init(include: [String] = [], exclude: [String] = []) {
    self.include = include
    self.exclude = exclude
  }

  package func takes(_ check: Check) -> Bool {
    (include.isEmpty || include.contains { Self.matches(check, $0) }) && !exclude.contains { Self.matches(check, $0) }
  }

  /// The patterns that match no check at all: a slip of whoever typed them.
  package func strangers(to checks: [Check]) -> [String] {
    (include + exclude).filter { pattern in !checks.contains { Self.matches($0, pattern) } }
  }

  private static func matches(_ check: Check, _ pattern: String) -> Bool {
    pattern == check.category.rawValue || matches(check.id, pattern)
  }

  /// Whether `pattern` describes the whole of `id`: `*` stands for any run of characters, `?` for one.
  ///
  /// Takes at most `id` times `pattern` steps: of all stars only the last one seen is ever tried again.
  static func matches(_ id: String, _ pattern: String) -> Bool {
    let text = Array(id.utf8)
    let glob = Array(pattern.utf8)
    var at = 0
    var position = 0
    var star: (glob: Int, text: Int)?
    while position < text.count {
      if at < glob.count, glob[at] == UInt8(ascii: "*") {
        star = (at, position)
        at += 1
      } else if at < glob.count, glob[at] == UInt8(ascii: "?") || glob[at] == text[position] {
        at += 1
        position += 1
      } else if let last = star {
        star = (last.glob, last.text + 1)
        at = last.glob + 1
        position = last.text + 1
      } else {
        return false
      }
    }
    return glob[at...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
