import Bytes
import JSON

// JSON5.parse, which reads the configuration.
//
// Promised: every text that is JSON is JSON5 with the same value; what was read can be written and is read back the
// same; a value and an error stand inside the text.

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let text = InputMemory.place(start, count)
  let json = try? JSONView(parsing: text, maximumDepth: JSON5.depthLimit)
  let lines = 1 + text.count { $0 == 0x0A || $0 == 0x0D || $0 == 0xE2 }
  do throws(JSON5Error) {
    let node = try JSON5.parse(text)
    promise("a text is UTF-8", ReferenceUTF8.check(text) == .whole, shown(text))
    check(node, lines: lines, columns: text.count + 1)
    if let json { promise("JSON is JSON5 with the same value", isSame(node, json), shown(text)) }
    var written = ""
    write(node, to: &written)
    let back = try JSON5.parse(written)
    promise("what was taken can be written and read back", isSame(node, back), written)
  } catch {
    let stands = (1...lines).contains(error.line) && (1...count + 1).contains(error.column)
    promise("an error stands inside the text", stands, "\(error)")
    promise("an error is one line", !error.reason.isEmpty && !error.reason.utf8.contains { $0 < 0x20 }, "\(error)")
    promise("JSON is JSON5 unless a key is there twice", json == nil || error.reason.contains("again"), "\(error)")
  }
  return 0
}

private func check(_ node: JSON5Node, lines: Int, columns: Int) {
  promise("a value stands inside the text", (1...lines).contains(node.line) && (1...columns).contains(node.column))
  switch node.value {
  case .number(let double, let integer):
    if let integer { promise("a whole number is the same as a double", Double(integer) == double, "\(double)") }
  case .array(let elements): for element in elements { check(element, lines: lines, columns: columns) }
  case .object(let members):
    for member in members {
      check(member.node, lines: lines, columns: columns)
      promise("a member is found by its key", node[member.key] == member.node || holdsNaN(member.node))
    }
  case .null, .bool, .string: break
  }
}

private func holdsNaN(_ node: JSON5Node) -> Bool {
  switch node.value {
  case .number(let double, _): double.isNaN
  case .array(let elements): elements.contains(where: holdsNaN)
  case .object(let members): members.contains { holdsNaN($0.node) }
  default: false
  }
}

private func isSame(_ left: JSON5Node, _ right: JSON5Node) -> Bool {
  switch (left.value, right.value) {
  case (.null, .null): true
  case (.bool(let left), .bool(let right)): left == right
  case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
  case (.number(let left, let whole), .number(let right, let other)):
    (left == right || left.isNaN && right.isNaN) && whole == other
  case (.array(let left), .array(let right)): left.count == right.count && zip(left, right).allSatisfy(isSame)
  case (.object(let left), .object(let right)):
    left.count == right.count && zip(left, right).allSatisfy { $0.key == $1.key && isSame($0.node, $1.node) }
  default: false
  }
}

private func isSame(_ node: JSON5Node, _ json: JSONView) -> Bool {
  switch node.value {
  case .null: json.isNull
  case .bool(let flag): json.bool() == flag
  case .string(let text): json.string()?.utf8.elementsEqual(text.utf8) ?? false
  case .number(let double, _):
    json.kind == .number && double == (json.double() ?? (json.bytes[0] == 0x2D ? -.infinity : .infinity))
  case .array(let elements):
    json.kind == .array && elements.count == json.elements().reduce(0) { count, _ in count + 1 }
      && zip(elements, json.elements()).allSatisfy { isSame($0, $1) }
  case .object(let members):
    json.kind == .object && members.count == json.members().reduce(0) { count, _ in count + 1 }
      && zip(members, json.members()).allSatisfy { $1.key.equals($0.key) && isSame($0.node, $1.value) }
  }
}

/// As a person might write it: single quotes, a comment, trailing commas.
private func write(_ node: JSON5Node, to text: inout String) {
  switch node.value {
  case .null: text += "null"
  case .bool(let flag): text += flag ? "true" : "false"
  case .number(let double, let integer):
    let magnitude =
      double.isNaN ? "NaN" : double.isInfinite ? "Infinity" : integer.map { "\($0.magnitude)" } ?? "\(double.magnitude)"
    text += (double.sign == .minus ? "-" : "+") + magnitude
  case .string(let string): write(string, to: &text)
  case .array(let elements):
    text += "[ // begins\n"
    for element in elements {
      write(element, to: &text)
      text += " ,"
    }
    text += "]"
  case .object(let members):
    text += "{ /* * */"
    for member in members {
      write(member.key, to: &text)
      text += "\t:\u{A0}"
      write(member.node, to: &text)
      text += ","
    }
    text += "}"
  }
}

private func write(_ string: String, to text: inout String) {
  text += "'"
  for scalar in string.unicodeScalars {
    switch scalar {
    case "'", "\\": text += "\\\(scalar)"
    case "\n": text += "\\n"
    case "\r": text += "\\x0d"
    default: text.unicodeScalars.append(scalar)
    }
  }
  text += "'"
}
