/// Finds the name someone probably meant.
package enum NearName {
  /// The candidate with the fewest edits to `name`, when they are at most a third of its letters; the first of equals.
  package static func closest(to name: String, among candidates: [String]) -> String? {
    guard name.utf8.count <= 100 else { return nil }
    var best: (name: String, distance: Int)?
    for candidate in candidates {
      let distance = distance(normalized(name), normalized(candidate))
      if distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    guard let best, best.distance <= max(1, best.name.utf8.count / 3) else { return nil }
    return best.name
  }

  /// Case, hyphens and camel case are no difference: `inFlight` and `in-flight` mean `in_flight`.
  private static func normalized(_ name: String) -> [UInt8] {
    name.lowercased().utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }
  }

  /// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in left.indices {
      var current = [row + 1]
      for column in right.indices {
        let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
        var least = min(replaced, last[column + 1] + 1, current[column] + 1)
        if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
          least = min(least, beforeLast[column - 1] + 1)
        }
        current.append(least)
      }
      (beforeLast, last) = (last, current)
    }
    return last[right.count]
  }
}
