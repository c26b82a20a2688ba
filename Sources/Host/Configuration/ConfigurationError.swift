/// One fault of the configuration: where, which setting, found against expected, and what to do.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Kind: Sendable, Equatable {
    /// The file cannot be read.
    case unreadable
    /// It is not JSON5.
    case syntax
    case unknownKey
    case missingKey
    case wrongType
    case outOfRange
    /// A text that is not what the setting wants: an address, a URL, an id.
    case malformed
    case secret
    /// Two settings that do not go together.
    case conflict
    /// Faults beyond those that are shown.
    case omitted
  }

  package var kind: Kind
  /// The key's path: `limits.in_flight`, `providers[1].base_url`; empty for the whole file.
  package var path: String
  /// nil: not from the file.
  package var file: String?
  package var line: Int?
  package var found: String
  package var expected: String
  /// What to do; empty when `expected` says it.
  package var remedy: String

  package init(
    _ kind: Kind, path: String, file: String? = nil, line: Int? = nil, found: String, expected: String,
    remedy: String = ""
  ) {
    self.kind = kind
    self.path = path
    self.file = file
    self.line = line
    self.found = found
    self.expected = expected
    self.remedy = remedy
  }

  package var message: String {
    "found \(found), expected \(expected)" + (remedy.isEmpty ? "" : "; \(remedy)")
  }

  package var description: String {
    var place = file ?? ""
    if file != nil, let line { place += ":\(line)" }
    return [place, path, message].filter { !$0.isEmpty }.joined(separator: ": ")
  }
}

/// Every fault that was found, in the order of the file.
package struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
  package var errors: [ConfigurationError]

  package init(_ errors: [ConfigurationError]) { self.errors = errors }

  package var description: String { errors.map(\.description).joined(separator: "\n") }
}
