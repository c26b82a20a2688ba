internal import JSON

// How a child tells its verdict, and how reports show findings (docs/validator.md).
extension Verdict {
  /// What the child sends; nil when it is no verdict.
  init?(answer: [UInt8]) {
    guard let json = answer.withUnsafeBytes({ try? JSONValue(parsing: $0) }),
      let status = json["status"]?.string.flatMap(Status.init(rawValue:)),
      let expected = json["expected"]?.string, let found = json["found"]?.string
    else { return nil }
    self.init(status: status, expected: expected, found: found, rule: json["rule"]?.string)
  }

  var json: String {
    var members: [JSONValue.Member] = [
      .init("status", .string(status.rawValue)), .init("expected", .string(expected)), .init("found", .string(found)),
    ]
    if let rule { members.append(.init("rule", .string(rule))) }
    return JSONValue.object(members).text
  }
}

extension Finding {
  var json: JSONValue {
    .object([
      .init("check", .string(check)), .init("category", .string(category.rawValue)), .init("rule", .string(rule)),
      .init("status", .string(status.rawValue)), .init("expected", .string(expected)), .init("found", .string(found)),
      .init("last_call", lastCall.map(JSONValue.string) ?? .null),
      .init("calls", .array(calls.map(JSONValue.string))), .init("output", .string(output)),
      .init("seconds", .double((seconds * 1000).rounded() / 1000)),
    ])
  }
}
