import Bytes
import JSON

// JSONView, JSONValue and what writes JSON. Options: bits 0 and 1 the depth limit.
//
// Promised: the slow reader of RFC 8259 takes and refuses the same texts; a view's parts lie inside its text, are valid
// by themselves, and say the same in all their readings; what was read can be written and is read back the same.

nonisolated(unsafe) private var scratch = ByteBuffer()
nonisolated(unsafe) private var again = ByteBuffer()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count >= 1 else { return -1 }
  let input = InputMemory.place(start, count)
  let text = UnsafeRawBufferPointer(rebasing: input[1...])
  let depthLimit = [128, 16, 4, 1][Int(input[0] & 3)]
  let isJSON = JSONReference.accepts(text, depthLimit: depthLimit)
  do throws(JSONError) {
    let view = try JSONView(parsing: text, maximumDepth: depthLimit)
    promise("only JSON is taken", isJSON, shown(text))
    let trusting = try JSONView(parsing: text, maximumDepth: depthLimit, checksUTF8: false)
    promise("a text that is UTF-8 is the same unchecked", isSame(trusting.bytes, view.bytes))
    check(view, inside: text, depthLimit)
    try readBack(view)
  } catch {
    promise("all of JSON is taken", !isJSON, "\(error) in \(shown(text))")
    promise("an error lies in its text", (0...text.count).contains(error.offset), "\(error)")
    promise("an error is one line of UTF-8", !error.reason.isEmpty && !error.reason.utf8.contains { $0 < 0x20 })
    if ReferenceUTF8.check(text) == .whole {
      let isTaken = (try? JSONView(parsing: text, maximumDepth: depthLimit, checksUTF8: false)) != nil
      promise("a text that is UTF-8 is refused unchecked too", !isTaken, shown(text))
    }
  }
  return 0
}

private func isSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
  left.baseAddress == right.baseAddress && left.count == right.count
}

/// All readings of a value and of what is in it.
private func check(_ view: JSONView, inside text: UnsafeRawBufferPointer, _ depth: Int) {
  let lies =
    view.bytes.baseAddress! >= text.baseAddress!
    && view.bytes.baseAddress! + view.bytes.count <= text.baseAddress! + text.count
  promise("a part lies inside its text", lies && !view.bytes.isEmpty)
  var others = [view.isNull, view.bool() != nil, view.string() != nil].count { $0 }
  others += view.kind == .number || view.kind == .array || view.kind == .object ? 1 : 0
  promise("a value is of one kind", others == 1, shown(view.bytes))
  switch view.kind {
  case .null, .bool: break
  case .number: checkNumber(view)
  case .string: checkString(view)
  case .array:
    var count = 0
    for element in view.elements() {
      check(element, inside: view.bytes, depth - 1)
      if count < 4 { promise("an element has its place", view[count].map { isSame($0.bytes, element.bytes) } ?? false) }
      count += 1
    }
    promise("beyond the end is nothing", count > 4 || view[count] == nil)
  case .object:
    for (key, value) in view.members() {
      promise("a key is a string", key.kind == .string)
      check(key, inside: view.bytes, depth - 1)
      check(value, inside: view.bytes, depth - 1)
      promise("a key is found", view[key: key.string()!] != nil, shown(view.bytes))
    }
  }
}

private func checkNumber(_ view: JSONView) {
  if let whole = view.int() {
    promise("a whole number is the same as a double", view.double() == Double(whole), view.text)
  }
  if let double = view.double() {
    scratch.removeAll()
    scratch.appendJSON(double: double)
    let back = try? JSONView(parsing: scratch.readable)
    promise("a number can be written and read back", back?.double() == double, view.text)
  }
}

private func checkString(_ view: JSONView) {
  let string = view.string()!
  scratch.removeAll()
  view.appendString(to: &scratch)
  promise("both readings of a string agree", scratch.readable.elementsEqual(string.utf8), shown(view.bytes))
  promise("what a string holds is UTF-8", ReferenceUTF8.check(scratch.readable) == .whole, shown(view.bytes))
  promise("characters are scalars", view.characterCount == string.unicodeScalars.count, shown(view.bytes))
  promise("a string equals its content", view.equals(string), shown(view.bytes))
  promise("a string equals nothing longer", !view.equals(string + "x") && !view.equals("x" + string))
  if let plain = view.plainString {
    promise("a string without escapes is its content", plain.elementsEqual(scratch.readable), shown(view.bytes))
  }
  again.removeAll()
  again.appendJSON(utf8: scratch.readable)
  let back = try? JSONView(parsing: again.readable)
  promise(
    "a string can be written and read back", back?.string()?.utf8.elementsEqual(string.utf8) ?? false, shown(view.bytes)
  )
}

private func readBack(_ view: JSONView) throws(JSONError) {
  scratch.removeAll()
  JSONValue(view).write(to: &scratch)
  // By its text: 1e2 comes back as 100, which is the same number in another case.
  again.removeAll()
  try JSONValue(parsing: scratch.readable).write(to: &again)
  promise(
    "a tree can be written and read back", again.readable.elementsEqual(scratch.readable), shown(scratch.readable))
}
