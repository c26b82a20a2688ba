/// Reads the C that provider_abi.h is written in: `#define`, `typedef`, `typedef struct`, one exported function.
///
/// Not a C parser: it knows the header's own habits and refuses what it does not know, so that nothing is missed.
struct HeaderParser {
  private var listing = ABIListing()
  /// Size and alignment of the types that may stand in a struct.
  private var scalars = ["int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8, "double": 8]

  static func parse(_ header: String) throws(ABIListingError) -> ABIListing {
    var parser = HeaderParser()
    let text = removingComments(from: header)
    var code = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("#") { parser.directive(line) } else { code += line + "\n" }
    }
    code = code.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    code = code.replacing("extern \"C\" {", with: "")
    for statement in statements(of: code[...]) { try parser.statement(statement) }
    return parser.listing
  }

  private static func removingComments(from text: String) -> String {
    var result = ""
    var rest = text[...]
    while let start = rest.firstRange(of: "/*") {
      result += rest[..<start.lowerBound]
      rest = rest[start.upperBound...]
      guard let end = rest.firstRange(of: "*/") else { return result }
      result += " "
      rest = rest[end.upperBound...]
    }
    return result + rest
  }

  /// Splits at the semicolons outside of braces.
  private static func statements(of code: Substring) -> [String] {
    var depth = 0
    return code.split { character in
      if character == "{" { depth += 1 }
      if character == "}" { depth -= 1 }
      return character == ";" && depth <= 0
    }.map { String($0.trimmed) }.filter { !$0.isEmpty && $0 != "}" }
  }

  private mutating func directive(_ line: Substring) {
    let words = line.split(separator: " ", maxSplits: 2)
    // Without a value: an include guard. With parameters or an attribute: for C authors only.
    guard words.count == 3, words[0] == "#define", !words[1].contains("("), words[1] != "PRV_EXPORT" else { return }
    let value = words[2].trimmed
    let number = value.hasPrefix("(") ? value.dropFirst().dropLast() : value
    listing.constants.append(.init(name: String(words[1]), meaning: String(number)))
  }

  private mutating func statement(_ statement: String) throws(ABIListingError) {
    if statement.hasPrefix("typedef struct"), let open = statement.firstIndex(of: "{"),
      let close = statement.lastIndex(of: "}")
    {
      let name = String(statement[statement.index(after: close)...].trimmed)
      try structure(name, Self.statements(of: statement[statement.index(after: open)..<close]))
    } else if statement.hasPrefix("typedef ") {
      let words = statement.split(separator: " ").map(String.init)
      guard words.count == 3, let size = scalars[words[1]] else {
        throw ABIListingError("cannot read: \(statement)")
      }
      scalars[words[2]] = size
      listing.types.append(.init(name: words[2], meaning: words[1]))
    } else if statement.hasPrefix("PRV_EXPORT ") {
      let signature = statement.dropFirst("PRV_EXPORT ".count)
      guard let open = signature.firstIndex(of: "("),
        let name = signature[..<open].split(separator: " ").last
      else { throw ABIListingError("cannot read: \(statement)") }
      listing.functions.append(.init(name: String(name), meaning: String(signature)))
    } else if !statement.hasPrefix("struct ") {
      throw ABIListingError("cannot read: \(statement)")
    }
  }

  private mutating func structure(_ name: String, _ members: [String]) throws(ABIListingError) {
    var fields: [ABIListing.Field] = []
    for member in members {
      let (field, type) = try Self.nameAndType(of: member)
      let (size, alignment) = try layout(of: type)
      let end = fields.last.map { $0.offset + $0.size } ?? 0
      fields.append(
        .init(name: field, offset: (end + alignment - 1) / alignment * alignment, size: size, type: type))
    }
    listing.structs.append(.init(name: name, fields: fields))
  }

  /// `const char *ptr`, `uint32_t size`, `int32_t (*emit)(void *ctx)`
  private static func nameAndType(of member: String) throws(ABIListingError) -> (String, String) {
    if let star = member.firstRange(of: "(*"), let close = member[star.upperBound...].firstIndex(of: ")") {
      return (String(member[star.upperBound..<close]), "\(member[..<star.upperBound])\(member[close...])")
    }
    guard let split = member.lastIndex(where: { $0 == " " || $0 == "*" }) else {
      throw ABIListingError("cannot read the field: \(member)")
    }
    return (String(member[member.index(after: split)...]), String(member[...split].trimmed))
  }

  private func layout(of type: String) throws(ABIListingError) -> (size: Int, alignment: Int) {
    if type.contains("*") { return (8, 8) }
    if let size = scalars[type] { return (size, size) }
    guard let nested = listing.structs.first(where: { $0.name == type }) else {
      throw ABIListingError("a field has the type \(type), which the boundary does not know")
    }
    return (nested.size, 8)
  }
}

extension StringProtocol {
  fileprivate var trimmed: SubSequence {
    let start = firstIndex { !$0.isWhitespace } ?? endIndex
    guard let end = lastIndex(where: { !$0.isWhitespace }) else { return self[endIndex...] }
    return self[start...end]
  }
}
