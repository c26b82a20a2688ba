internal import JSON

/// Secrets are resolved here; no fault shows any part of one.
extension ConfigurationReader {
  /// Keys and tokens travel in headers.
  static let secretCharactersLimit = 4096

  mutating func secret(_ node: JSON5Node, _ path: String, characters: Int) -> Secret? {
    guard case .string(let text) = node.value else {
      let kind =
        switch node.value {
        case .number: "a number"
        case .bool: "true or false"
        default: node.described
        }
      report(
        .wrongType, path, found: kind, expected: "\"env:NAME\" or \"file:/path\"", line: node.line)
      return nil
    }
    if text.hasPrefix("env:") {
      return secret(inVariable: String(text.dropFirst(4)), path, characters: characters, line: node.line)
    }
    if text.hasPrefix("file:") {
      return secret(inFile: String(text.dropFirst(5)), path, characters: characters, line: node.line)
    }
    warn("\(path): the secret is written in the configuration; \"env:NAME\" or \"file:/path\" keeps it out of the file")
    return checked(text, .literal, path, characters: characters, line: node.line)
  }

  /// A secret that a variable holds without the file's naming it.
  mutating func secret(_ value: String, detectedIn name: String, characters: Int) -> Secret? {
    if let fault = Self.fault(of: value, characters: characters) {
      report(.secret, variable: name, found: fault.found, expected: fault.expected)
      return nil
    }
    return Secret(value: value, source: .environment(name: name))
  }

  private mutating func secret(inVariable name: String, _ path: String, characters: Int, line: Int) -> Secret? {
    let shown = Self.quoted(name)
    guard let value = environment(name), !value.isEmpty else {
      report(
        .secret, path, found: "no environment variable \(shown)", expected: "it to hold the secret",
        remedy: "set it, or take the key out", line: line)
      return nil
    }
    guard !Detection.isPlaceholder(value) else {
      report(
        .secret, path, found: "a placeholder in the environment variable \(shown)", expected: "it to hold the secret",
        remedy: "set it to the real one", line: line)
      return nil
    }
    return checked(value, .environment(name: name), path, characters: characters, line: line)
  }

  private mutating func secret(inFile name: String, _ path: String, characters: Int, line: Int) -> Secret? {
    let resolved = resolved(name)
    let fault: String
    switch readFile(resolved) {
    case .bytes(let bytes):
      let text = String(decoding: bytes, as: UTF8.self)
      let end = text.utf8.lastIndex { ![0x0A, 0x0D, 0x20, 0x09].contains($0) }
      let value = end.map { String(text[...$0]) } ?? ""
      return checked(value, .file(path: resolved), path, characters: characters, line: line)
    case .absent: fault = "no file"
    case .unreadable(let reason): fault = "\(reason) at"
    }
    report(
      .secret, path, found: "\(fault) \(Self.quoted(resolved))", expected: "a readable file with the secret alone",
      line: line)
    return nil
  }

  private mutating func checked(
    _ value: String, _ source: Secret.Source, _ path: String, characters: Int, line: Int
  ) -> Secret? {
    if let fault = Self.fault(of: value, characters: characters) {
      report(.secret, path, found: "\(fault.found) (\(source))", expected: fault.expected, line: line)
      return nil
    }
    return Secret(value: value, source: source)
  }

  private static func fault(of value: String, characters: Int) -> (found: String, expected: String)? {
    let count = value.unicodeScalars.count
    guard (characters...secretCharactersLimit).contains(count) else {
      return (
        "a secret of \(count) characters", "\(characters) to \(grouped(Int64(secretCharactersLimit))) characters"
      )
    }
    // A line break or a space would end or split the header that carries it.
    guard value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      return ("a secret with spaces or other than ASCII characters", "visible ASCII characters only")
    }
    return nil
  }
}
