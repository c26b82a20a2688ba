internal import Bytes
package import JSON

extension JSON5Node {
  /// The value as JSON; nil when a number in it is infinite or not a number.
  package var json: String? {
    var text = ByteBuffer()
    return write(to: &text) ? text.string() : nil
  }

  private func write(to text: inout ByteBuffer) -> Bool {
    switch value {
    case .null: text.append("null")
    case .bool(let flag): text.append(flag ? "true" : "false")
    case .number(_, let integer?): text.appendDecimal(integer)
    case .number(let double, nil):
      guard double.isFinite else { return false }
      text.appendJSON(double: double)
    case .string(let string): text.appendJSON(string: string)
    case .array(let elements):
      text.append("[")
      for (index, element) in elements.enumerated() {
        if index > 0 { text.append(",") }
        guard element.write(to: &text) else { return false }
      }
      text.append("]")
    case .object(let members):
      text.append("{")
      for (index, member) in members.enumerated() {
        if index > 0 { text.append(",") }
        text.appendJSON(string: member.key)
        text.append(":")
        guard member.node.write(to: &text) else { return false }
      }
      text.append("}")
    }
    return true
  }
}
