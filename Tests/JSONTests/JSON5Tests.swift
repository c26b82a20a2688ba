import JSON
import Testing

@Suite struct JSON5Tests {
  /// The value without its places, as compact text that a test can read.
  private func text(_ node: JSON5Node) -> String {
    switch node.value {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .number(let double, let integer): integer.map { "\($0)" } ?? "\(double)"
    case .string(let string): "\"\(string)\""
    case .array(let elements): "[" + elements.map(text).joined(separator: ",") + "]"
    case .object(let members): "{" + members.map { "\($0.key):\(text($0.node))" }.joined(separator: ",") + "}"
    }
  }

  private func failure(_ source: String) -> JSON5Error? {
    do {
      _ = try JSON5.parse(source)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    ("null", "null"), ("true", "true"), ("false", "false"),
    ("{}", "{}"), ("[]", "[]"), ("[1,]", "[1]"), ("{a:1,}", "{a:1}"),
    ("{a:1,'b c':2,\"d\":3,$e_1:4,ünï:5,\\u0066:6,null:7}", "{a:1,b c:2,d:3,$e_1:4,ünï:5,f:6,null:7}"),
    ("// one\n/* two * / **/ [1, // three\r\n 2 /* four */ ] // five", "[1,2]"),
    ("\u{FEFF}\u{A0}\u{2003}\u{2028}\u{0B}\u{0C}1\t", "1"),
    ("'say \"hi\"'", "\"say \"hi\"\""), ("\"it's\"", "\"it's\""),
    ("'one \\\ntwo \\\r\nthree \\\rfour \\\u{2028}five'", "\"one two three four five\""),
    ("'\\x41\\u00e9\\uD83D\\uDE00\\'\\\"\\\\\\/\\q'", "\"Aé😀'\"\\/q\""),
    ("'\\b\\f\\n\\r\\t\\v\\0'", "\"\u{08}\u{0C}\n\r\t\u{0B}\0\""), ("'a\u{2028}b'", "\"a\u{2028}b\""),
  ])
  func `what people write is read`(source: String, expected: String) throws {
    #expect(text(try JSON5.parse(source)) == expected)
  }

  @Test(arguments: [
    ("0", "0"), ("-0", "0"), ("+7", "7"), ("-12", "-12"), (".5", "0.5"), ("5.", "5"), ("-.25", "-0.25"),
    ("1e3", "1000"), ("1E+3", "1000"), ("25e-1", "2.5"), ("1.5e1", "15"), ("0x1F", "31"), ("-0Xff", "-255"),
    ("9223372036854775807", "9223372036854775807"), ("9223372036854775808", "9.223372036854775808e+18"),
    ("0x7FFFFFFFFFFFFFFF", "9223372036854775807"), ("0x8000000000000000", "9.223372036854775808e+18"),
    ("9007199254740993", "9007199254740993"), ("1e400", "inf"), ("Infinity", "inf"), ("-Infinity", "-inf"),
    ("+Infinity", "inf"), ("NaN", "nan"), ("-NaN", "-nan"),
  ])
  func `numbers keep their value`(source: String, expected: String) throws {
    let parsed = text(try JSON5.parse(source))
    #expect(parsed == expected || Double(parsed) == Double(expected))
  }

  /// Found by Tests/Fuzz/json5: rounded at each digit, the double was another number than the integer.
  @Test(
    arguments: [
      ("0x4AAAAAAAAAAAAAAA", 0x4AAA_AAAA_AAAA_AAAA), ("0x7FFFFFFFFFFFFDFF", 0x7FFF_FFFF_FFFF_FDFF),
      ("-0x20000000000003", -0x20_0000_0000_0003),
    ] as [(String, Int64)])
  func `a hexadecimal number is rounded once`(source: String, expected: Int64) throws {
    #expect(try JSON5.parse(source).value == .number(Double(expected), integer: expected))
  }

  @Test(arguments: [
    ("", 1, 1, "found the end of the text, expected a value"),
    ("// only a comment", 1, 18, "found the end of the text, expected a value"),
    ("[1\n 2]", 2, 2, "found '2', expected ',' or ']'"),
    ("{a 1}", 1, 4, "found '1', expected ':' after the key"),
    ("{a: 1 b: 2}", 1, 7, "found 'b', expected ',' or '}'"),
    ("{,}", 1, 2, "found ',', expected a key or '}'"), ("[,]", 1, 2, "found ',', expected a value"),
    ("{1: 2}", 1, 2, "found '1', expected a key or '}'"),
    ("1 2", 1, 3, "found '2', expected the end of the text"),
    ("{\n  limits: {\n    a: yes,\n", 3, 8, "found the word yes, expected a value; text stands in quotes"),
    ("{a: 1,\r\n a: 2}", 2, 2, "found the key a again, expected it once; line 1 has it"),
    ("{a: 1, \"\\x61\": 2}", 1, 8, "found the key a again, expected it once; line 1 has it"),
    // Found by Tests/Fuzz/json5: a message that cleared the screen and had two lines.
    ("{'\\x1b[2J\\n': 1, '\\x1b[2J\\n': 2}", 1, 18, "found the key U+1B[2JU+A again, expected it once; line 1 has it"),
    ("01", 1, 2, "found '1', expected no digit after a leading 0"),
    ("0x", 1, 3, "found the end of the text, expected a hexadecimal digit"),
    ("1.2.3", 1, 4, "found '.', expected the end of the number"),
    ("1e", 1, 3, "found the end of the text, expected a digit of the exponent"),
    (".", 1, 2, "found the end of the text, expected a digit"),
    ("+", 1, 2, "found the end of the text, expected a digit"),
    ("--1", 1, 2, "found '-', expected a digit"), ("12px", 1, 3, "found 'p', expected the end of the number"),
    ("-null", 1, 2, "found 'n', expected a digit"),
    ("['é', 'open]", 1, 7, "found the end of the text, expected the end of the string that begins here"),
    ("'a\nb'", 1, 3, "found the end of the line, expected the end of the string that begins in column 1"),
    ("'\\1'", 1, 3, "found '1', expected an escape; octal ones are not JSON5"),
    ("'\\07'", 1, 4, "found '7', expected no digit after \\0; octal escapes are not JSON5"),
    ("'\\x4g'", 1, 5, "found 'g', expected a hexadecimal digit; the escape has 2"),
    ("'\\uD83D'", 1, 2, "found half of a surrogate pair, expected both halves"),
    ("'\\uDE00'", 1, 2, "found half of a surrogate pair, expected both halves"),
    ("'\\uD83D\\u0041'", 1, 2, "found half of a surrogate pair, expected both halves"),
    ("/* open", 1, 1, "found the end of the text, expected the end of the comment that begins here"),
    ("/", 1, 2, "found the end of the text, expected '/' or '*' of a comment"),
    ("\u{7}", 1, 1, "found the character U+7, expected a value"),
    ("{\\u0031a: 1}", 1, 2, "found an escape of a character that no key without quotes has"),
  ])
  func `a fault is located and named`(source: String, line: Int, column: Int, reason: String) {
    #expect(failure(source) == JSON5Error(line: line, column: column, reason: reason))
  }

  @Test func `every value and key knows its place`() throws {
    let node = try JSON5.parse("{\n  one: [true,\r\n\t'2'],\u{2028} é: {}}")
    guard case .object(let members) = node.value else {
      Issue.record("expected an object")
      return
    }
    #expect(members.map(\.key) == ["one", "é"])
    #expect(members.map(\.line) == [2, 4])
    #expect(members.map(\.column) == [3, 2])
    #expect([node.line, node.column] == [1, 1])
    #expect([members[1].node.line, members[1].node.column] == [4, 5])
    guard case .array(let elements) = members[0].node.value else {
      Issue.record("expected an array")
      return
    }
    #expect(elements.map(\.line) == [2, 3])
    #expect(elements.map(\.column) == [9, 2])
    #expect(node["one"] == members[0].node)
    #expect(node["two"] == nil)
  }

  @Test(arguments: [(63, true), (64, true), (65, false)])
  func `depth is bounded`(depth: Int, isAccepted: Bool) {
    let arrays = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    let objects = String(repeating: "{a:", count: depth) + "1" + String(repeating: "}", count: depth)
    #expect((failure(arrays) == nil) == isAccepted)
    #expect((failure(objects) == nil) == isAccepted)
  }

  @Test func `siblings do not add to the depth`() {
    #expect(failure("[" + String(repeating: "[],{},", count: 200) + "]") == nil)
  }

  @Test(arguments: [(-1, true), (0, true), (1, false)])
  func `size is bounded`(difference: Int, isAccepted: Bool) {
    let source = "1" + String(repeating: " ", count: JSON5.textBytesLimit + difference - 1)
    #expect((failure(source) == nil) == isAccepted)
  }

  @Test(
    arguments: [[0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x31, 0xFF], [0x22, 0xC0, 0x80, 0x22]] as [[UInt8]]
  )
  func `bytes that are not UTF-8 are refused`(bytes: [UInt8]) {
    let error = bytes.withUnsafeBytes { bytes in
      do throws(JSON5Error) {
        _ = try JSON5.parse(bytes)
        return nil as JSON5Error?
      } catch {
        return error
      }
    }
    #expect(error == JSON5Error(line: 1, column: 2, reason: "found bytes that are not UTF-8, expected UTF-8 text"))
  }

  @Test func `a text cut anywhere is refused with a place inside it`() throws {
    let source = "{ // c\n  a: [1.5e3, 'x\\u0041', \"\\\n\"], 'b': { c: 0x1F, }, d: -Infinity /* e */ }"
    _ = try JSON5.parse(source)
    for count in 0..<source.utf8.count {
      let error = try #require(failure(String(decoding: source.utf8.prefix(count), as: UTF8.self)))
      #expect((1...3).contains(error.line))
    }
  }
}
