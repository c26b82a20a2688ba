/// What provider_abi.h declares, as `provider_abi.lock` lists it: constants, type names, structs with their layout,
/// functions.
struct ABIListing: Equatable {
  struct Struct: Equatable {
    var name: String
    var fields: [Field]

    var size: Int { fields.last.map { ($0.offset + $0.size + 7) / 8 * 8 } ?? 0 }
    /// It begins with `size`, so that it may grow at its end (C1). Others never change.
    var mayGrow: Bool { fields.first?.name == "size" }
  }

  struct Field: Equatable {
    var name: String
    var offset: Int
    var size: Int
    var type: String
  }

  /// `PRV_OK` and `0`, `prv_call` and `uint64_t`, `prv_plugin_entry_v1` and its signature.
  struct Declaration: Equatable {
    var name: String
    var meaning: String
  }

  var constants: [Declaration] = []
  var types: [Declaration] = []
  var structs: [Struct] = []
  var functions: [Declaration] = []
}

// MARK: - Text of the lock

extension ABIListing {
  /// The lock's lines.
  var text: String {
    var lines = ["# What provider_abi.h promises. Written by a test (docs/provider-abi.md); only appended to."]
    lines += constants.map { "constant \($0.name) = \($0.meaning)" }
    lines += types.map { "type \($0.name) = \($0.meaning)" }
    for entry in structs {
      lines.append("struct \(entry.name) size \(entry.size)")
      lines += entry.fields.map { "field \($0.name) at \($0.offset) size \($0.size) type \($0.type)" }
    }
    lines += functions.map { "function \($0.name) = \($0.meaning)" }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Reads a lock.
  init(lock: String) throws(ABIListingError) {
    for line in lock.split(separator: "\n") where !line.hasPrefix("#") {
      let words = line.split(separator: " ", maxSplits: 7).map(String.init)
      switch (words.first, words.count) {
      case ("constant", 4...): constants.append(Self.declaration(line))
      case ("type", 4...): types.append(Self.declaration(line))
      case ("function", 4...): functions.append(Self.declaration(line))
      case ("struct", 4): structs.append(Struct(name: words[1], fields: []))
      case ("field", 8):
        guard let offset = Int(words[3]), let size = Int(words[5]), !structs.isEmpty else {
          throw ABIListingError("the lock has a field without a struct or a place: \(line)")
        }
        structs[structs.count - 1].fields.append(Field(name: words[1], offset: offset, size: size, type: words[7]))
      default: throw ABIListingError("the lock has a line of no known form: \(line)")
      }
    }
  }

  private static func declaration(_ line: Substring) -> Declaration {
    let words = line.split(separator: " ", maxSplits: 3)
    return Declaration(name: String(words[1]), meaning: String(words[3]))
  }
}

struct ABIListingError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

// MARK: - What may change

extension ABIListing {
  /// What `self`, the lock, promises and `header` does not keep; empty when the header only appends to it.
  func promisesBroken(by header: ABIListing) -> [String] {
    Self.changes("constant", constants, header.constants, mayGrow: ["PRV_ABI_MINOR"])
      + Self.changes("type", types, header.types)
      + Self.changes("function", functions, header.functions)
      + structs.flatMap { locked in
        guard let found = header.structs.first(where: { $0.name == locked.name }) else {
          return ["struct \(locked.name) was removed"]
        }
        return locked.changes(in: found)
      }
  }

  private static func changes(
    _ kind: String, _ locked: [Declaration], _ found: [Declaration], mayGrow: Set<String> = []
  ) -> [String] {
    locked.compactMap { locked in
      guard let now = found.first(where: { $0.name == locked.name }) else {
        return "\(kind) \(locked.name) was removed"
      }
      if now == locked { return nil }
      if mayGrow.contains(locked.name), now.number > locked.number { return nil }
      return "\(kind) \(locked.name) was \(locked.meaning), is \(now.meaning)"
    }
  }
}

extension ABIListing.Declaration {
  fileprivate var number: Int { Int(meaning.prefix { $0.isNumber }) ?? -1 }
}

extension ABIListing.Struct {
  fileprivate func changes(in found: Self) -> [String] {
    var changes: [String] = []
    for (index, field) in fields.enumerated() {
      guard index < found.fields.count else {
        changes.append("field \(name).\(field.name) was removed")
        continue
      }
      let now = found.fields[index]
      if now == field { continue }
      changes.append(
        "field \(index) of \(name) was \(field.name) at \(field.offset): \(field.type), is \(now.name) at "
          + "\(now.offset): \(now.type)")
    }
    if !mayGrow, found.fields.count > fields.count {
      changes.append("struct \(name) grew by \(found.fields[fields.count].name), but does not begin with its size")
    }
    return changes
  }
}
