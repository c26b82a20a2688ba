/// The name of a new provider: its id, and what is derived from it.
public struct ScaffoldName: Sendable, Equatable {
  /// Characters an id may have: the host's own bound for a provider's id.
  static let charactersLimit = 64

  /// Providers and packages there are already: a second one of the name could not be built or loaded beside them.
  static let taken = ["patchbay", "sdk", "echo", "kimi", "glm", "openai-compatible"]

  /// Lower case, digits and `-`: `my-provider`.
  public let id: String

  /// - Throws: the rule that the name breaks, what was found, and what would do.
  public init(_ name: String) throws(ScaffoldError) {
    guard (1...Self.charactersLimit).contains(name.utf8.count) else {
      throw ScaffoldError("the name has \(name.utf8.count) bytes, expected 1 to \(Self.charactersLimit)")
    }
    let words = name.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard let first = name.utf8.first, Self.letters.contains(first),
      words.allSatisfy({ !$0.isEmpty && $0.allSatisfy { Self.letters.contains($0) || Self.digits.contains($0) } })
    else {
      throw ScaffoldError(
        "\"\(name)\" cannot be a provider's id: expected a lower-case letter, then lower-case letters and digits, in "
          + "words joined by '-', as in my-provider")
    }
    guard !Self.taken.contains(name) else {
      throw ScaffoldError("\"\(name)\" is taken by Patchbay itself; choose another name")
    }
    id = name
  }

  private static let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
  private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

  /// `MyProviderProvider`: the ending keeps it apart from the names of every module and type that it meets.
  var module: String {
    id.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined() + "Provider"
  }

  /// `My provider`
  var title: String {
    let words = id.split(separator: "-").joined(separator: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }
}

/// Why there is nothing to write: what was found, what was expected.
public struct ScaffoldError: Error, Equatable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
