import Bytes
import Foundation
import JSON
import Testing

/// Our scanner against the specification's shapes, and against Foundation's reader on them and on random documents.
@Suite struct JSONDifferentialTests {
  /// Where the two readers differ on purpose. Nothing else may.
  private enum Difference: CaseIterable {
    /// Foundation reads UTF-16 and UTF-32, and a byte order mark before UTF-8. RFC 8259 §8.1: UTF-8, and no mark.
    case encoding
    /// Foundation takes a comma behind the last element, as JSON5 does.
    case trailingComma
    /// Foundation refuses a number beyond a double; here it is taken, and whoever asks for its value gets none.
    case hugeNumber
    /// Foundation goes 512 levels deep, we go 128.
    case depth

    init?(_ text: [UInt8]) {
      let marks: [[UInt8]] = [[0xEF, 0xBB, 0xBF], [0xFF, 0xFE], [0xFE, 0xFF]]
      if text.prefix(4).contains(0) || marks.contains(where: text.starts) {
        self = .encoding
      } else if JSONDifferentialTests.refusal(text)?.contains("nested deeper") ?? false {
        self = .depth
      } else if Self.hasTrailingComma(text) {
        self = .trailingComma
      } else if text.withUnsafeBytes({ text in (try? JSONView(parsing: text)).map(Self.hasHugeNumber) ?? false }) {
        self = .hugeNumber
      } else {
        return nil
      }
    }

    private static func hasTrailingComma(_ text: [UInt8]) -> Bool {
      text.indices.contains { index in
        text[index] == 0x2C
          && [0x5D, 0x7D].contains(text[(index + 1)...].first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) })
      }
    }

    private static func hasHugeNumber(_ view: JSONView) -> Bool {
      switch view.kind {
      case .number: view.double() == nil
      case .array: view.elements().contains(where: hasHugeNumber)
      case .object: view.members().contains { hasHugeNumber($0.value) }
      default: false
      }
    }
  }

  /// nil: it is taken.
  private static func refusal(_ text: [UInt8]) -> String? {
    text.withUnsafeBytes { text in
      do throws(JSONError) {
        _ = try JSONView(parsing: text)
        return nil
      } catch {
        return error.reason
      }
    }
  }

  private static func read(_ text: [UInt8]) -> Any? {
    try? JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
  }

  @Test(arguments: JSONShapes.valid + JSONShapes.invalid + JSONShapes.choices)
  func `every shape is judged as it must be`(shape: JSONShapes.Shape) {
    #expect((Self.refusal(shape.text) == nil) == shape.isTaken)
  }

  @Test(arguments: JSONShapes.valid + JSONShapes.invalid + JSONShapes.choices)
  func `Foundation judges every shape alike, but for what is named`(shape: JSONShapes.Shape) {
    #expect((Self.read(shape.text) != nil) == shape.isTaken || Difference(shape.text) != nil)
  }

  /// So that no difference is named that there is not, behind which another could hide.
  @Test func `every difference that is named is one`() {
    let shapes = JSONShapes.valid + JSONShapes.invalid + JSONShapes.choices
    let found = shapes.filter { (Self.read($0.text) != nil) != $0.isTaken }.compactMap { Difference($0.text) }
    #expect(Set(found) == Set(Difference.allCases))
  }

  @Test func `a random document is read as Foundation reads it`() throws {
    var documents = RandomDocuments(seed: 1)
    for _ in 0..<2_000 {
      let text = documents.next()
      let value = try text.withUnsafeBytes { try JSONValue(parsing: $0) }
      let other = try #require(Self.read(text), "\(String(decoding: text, as: UTF8.self))")
      if !Self.isSame(value, other) { Issue.record("\(value) against \(other), \(type(of: other))") }
    }
  }

  @Test func `a document with faults is judged as Foundation does`() {
    var documents = RandomDocuments(seed: 2)
    var (taken, refused) = (0, 0)
    for _ in 0..<20_000 {
      let text = documents.nextWithFaults()
      let isTaken = Self.refusal(text) == nil
      if isTaken { taken += 1 } else { refused += 1 }
      if (Self.read(text) != nil) != isTaken, Difference(text) == nil {
        Issue.record(
          "\(isTaken ? "taken" : "refused") here alone: \(String(decoding: text, as: UTF8.self).debugDescription)")
      }
    }
    // Both kinds come, or the documents are no test.
    #expect(taken > 1_000 && refused > 10_000)
  }

  private static func isSame(_ value: JSONValue, _ other: Any) -> Bool {
    switch value {
    case .null: return other is NSNull
    case .bool(let flag): return (other as? NSNumber)?.boolValue == flag
    case .integer(let number): return (other as? NSNumber)?.int64Value == number
    case .double(let number):
      // Foundation keeps some numbers as decimals, whose own way to a double is not the nearest one; their text is exact.
      guard let other = other as? NSNumber else { return false }
      return other.doubleValue == number || Double(other.stringValue) == number
    case .string(let text): return (other as? String).map { $0.utf8.elementsEqual(text.utf8) } ?? false
    case .array(let elements):
      guard let others = other as? [Any], others.count == elements.count else { return false }
      return zip(elements, others).allSatisfy(isSame)
    case .object(let members):
      guard let others = other as? [String: Any], others.count == members.count else { return false }
      return members.allSatisfy { member in others[member.key].map { isSame(member.value, $0) } ?? false }
    }
  }
}

/// JSON from a seed: the same texts in every run.
private struct RandomDocuments {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  private mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return Int((value ^ value >> 31) % UInt64(bound))
  }

  mutating func next() -> [UInt8] { Array((space() + value(depth: 0) + space()).utf8) }

  /// One to three bytes changed, lost, added or doubled.
  mutating func nextWithFaults() -> [UInt8] {
    var text = next()
    let bytes = Array("\"\\{}[],:0123456789.eE+-tfnu/ \t\n".utf8) + [0x00, 0x1F, 0x7F, 0x80, 0xC3, 0xED, 0xF0, 0xFF]
    for _ in 0...below(3) where !text.isEmpty {
      let place = below(text.count)
      switch below(4) {
      case 0: text[place] = bytes[below(bytes.count)]
      case 1: text.remove(at: place)
      case 2: text.insert(bytes[below(bytes.count)], at: place)
      default: text.insert(contentsOf: text[place...].prefix(1 + below(6)), at: place)
      }
    }
    return text
  }

  private mutating func value(depth: Int) -> String {
    switch below(depth > 4 ? 5 : 8) {
    case 0: return ["null", "true", "false"][below(3)]
    case 1, 2: return number()
    case 3, 4: return string(prefix: "")
    case 5, 6: return list("[", "]") { $0.value(depth: depth + 1) }
    default:
      var key = 0
      return list("{", "}") { documents in
        key += 1
        return documents.string(prefix: "\(key)") + documents.space() + ":" + documents.space()
          + documents.value(depth: depth + 1)
      }
    }
  }

  private mutating func list(_ start: String, _ end: String, _ element: (inout RandomDocuments) -> String) -> String {
    let elements = (0..<below(5)).map { _ in space() + element(&self) + space() }
    return start + (elements.isEmpty ? space() : elements.joined(separator: ",")) + end
  }

  private mutating func space() -> String { ["", "", "", " ", "\n\t", "\r\n  "][below(6)] }

  private mutating func number() -> String {
    let sign = ["", "", "-"][below(3)]
    let whole = ["0", "7", "10", "\(below(1 << 30))", "\(below(.max))"][below(5)]
    let fraction = ["", "", ".0", ".5", ".\(below(1 << 40))"][below(5)]
    let exponent = ["", "", "e\(below(20))", "E+\(below(20))", "e-\(below(20))"][below(5)]
    return sign + whole + fraction + exponent
  }

  private mutating func string(prefix: String) -> String {
    let pieces = [
      "a", "plain text of more than eight bytes", "é", "€", "😀", "\u{7F}", "\u{2028}", #"\""#, #"\\"#, #"\/"#, #"\n"#,
      #"\u0041"#, #"\u00e9"#, #"\ud83d\ude00"#, #"\u0000"#, "//", "{", "]", ",",
    ]
    return "\"" + prefix + (0..<below(6)).map { _ in pieces[below(pieces.count)] }.joined() + "\""
  }
}
