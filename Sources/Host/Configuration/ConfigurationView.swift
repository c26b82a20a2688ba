internal import JSON

/// The configuration in force as an operator may see it: every setting with its value, secrets hidden.
enum ConfigurationView {
  /// What stands for a secret.
  static let hidden = JSONValue.string("[hidden]")

  /// Parts of names under which plugins get what is better not seen, in lower case.
  private static let secretWords = ["key", "token", "secret", "password", "passwd", "credential", "authorization"]

  /// A plugin's own settings, without what seems to be secret there: the host does not know what they mean.
  static func withoutSecrets(_ value: JSONValue) -> JSONValue {
    switch value {
    case .array(let elements): .array(elements.map(withoutSecrets))
    case .object(let members):
      .object(
        members.map { member in
          let name = member.key.lowercased()
          let isSecret = secretWords.contains { name.contains($0) }
          return JSONValue.Member(member.key, isSecret ? hidden : withoutSecrets(member.value))
        })
    default: value
    }
  }

  /// JSON5 with a line for each setting.
  static func text(_ value: JSONValue) -> String { lines(value, indent: "") + "\n" }

  private static func lines(_ value: JSONValue, indent: String) -> String {
    let deeper = indent + "  "
    switch value {
    case .object(let members) where !members.isEmpty:
      let rows = members.map { "\(deeper)\(name($0.key)): \(lines($0.value, indent: deeper)),\n" }
      return "{\n" + rows.joined() + indent + "}"
    case .array(let elements) where elements.contains { $0.members != nil }:
      return "[\n" + elements.map { "\(deeper)\(lines($0, indent: deeper)),\n" }.joined() + indent + "]"
    case .array(let elements): return "[" + elements.map(\.text).joined(separator: ", ") + "]"
    default: return value.text
    }
  }

  /// Bare where JSON5 allows it.
  private static func name(_ key: String) -> String {
    let isBare = key.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
      default: false
      }
    }
    return isBare && !key.isEmpty ? key : JSONValue.string(key).text
  }
}

extension Array {
  /// The settings of `root` that are there.
  func view<Root>(of root: Root) -> JSONValue where Element == Setting<Root> {
    .object(compactMap { setting in setting.view(root).map { JSONValue.Member(setting.facts.key, $0) } })
  }
}

extension Configuration {
  /// As the feed shows it.
  var shownText: String { ConfigurationView.text(ConfigurationSchema.settings.view(of: self)) }
}
