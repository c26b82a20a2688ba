import Bytes
import JSON
import Testing

/// A text that keeps its bytes alive while a view is read.
private func withView<Result>(_ text: String, _ body: (JSONView) throws -> Result) throws -> Result {
  var buffer = ByteBuffer()
  buffer.append(text)
  return try body(try JSONView(parsing: buffer.readable))
}

private func failure(_ bytes: [UInt8], depth: Int = 128) -> JSONError? {
  bytes.withUnsafeBytes { bytes -> JSONError? in
    do {
      _ = try JSONView(parsing: bytes, maximumDepth: depth)
      return nil
    } catch {
      return error as? JSONError
    }
  }
}

struct JSONValidationTests {
  @Test(arguments: [
    "null", "true", "false", "0", "-0", "12.5e-3", "1E+2", "\"\"", "\"a\\u00e9\\ud83d\\ude00\"", "[]", "{}",
    " [1 , {\"a\" : [ ]} ] ", "\"héllo 😀 and more than eight bytes\"", "{\"a\":1,\"a\":2}",
  ])
  func `what RFC 8259 allows is accepted`(text: String) {
    #expect(failure(Array(text.utf8)) == nil)
  }

  @Test(arguments: [
    ("", 0, "expected a value, found the end"),
    ("nul", 0, "expected null, found 'n'"),
    ("[1,]", 3, "expected a value, found ']'"),
    ("[1 2]", 3, "expected ',' or ']', found '2'"),
    ("{\"a\":1,}", 7, "expected a key in quotes, found '}'"),
    ("{\"a\" 1}", 5, "expected ':', found '1'"),
    ("{a:1}", 1, "expected a key in quotes, found 'a'"),
    ("01", 1, "expected no digit after a leading zero, found '1'"),
    ("-", 1, "expected a digit, found the end"),
    ("1.", 2, "expected a digit, found the end"),
    ("1e", 2, "expected a digit, found the end"),
    ("\"abc", 4, "expected the closing quote, found the end"),
    ("\"a\nb\"", 2, "expected an escape instead of a control character, found byte 0xa"),
    ("\"\\x\"", 2, "expected an escape, found 'x'"),
    ("\"\\u12g4\"", 5, "expected four hexadecimal digits, found 'g'"),
    ("\"\\ud800\"", 1, "a high surrogate without its low one"),
    ("\"\\ud800\\u0041\"", 1, "a high surrogate without its low one"),
    ("\"\\udc00\"", 1, "a low surrogate without its high one"),
    ("1 2", 2, "expected the end, found '2'"),
    ("NaN", 0, "expected a value, found 'N'"),
  ])
  func `what is not JSON is refused where it breaks`(text: String, offset: Int, reason: String) {
    #expect(failure(Array(text.utf8)) == JSONError(reason: reason, offset: offset))
  }

  @Test(
    arguments: [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0xFF],
    ] as [[UInt8]])
  func `bytes that are not UTF-8 are refused`(bytes: [UInt8]) {
    #expect(failure([0x22] + bytes + [0x22])?.reason == "bytes that are not UTF-8")
  }

  @Test func `nesting is bounded exactly`() {
    func nested(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    #expect(failure(nested(127)) == nil)
    #expect(failure(nested(128)) == nil)
    #expect(failure(nested(129)) == JSONError(reason: "nested deeper than 128 levels", offset: 128))
  }

  @Test func `every prefix of a message is refused and never read past`() {
    let text = #"{"op":"call_tool","id":-1.5e3,"s":"aé\n😀\ud83d\ude00","l":[true,false,null,{}]}"#
    let bytes = Array(text.utf8)
    #expect(failure(bytes) == nil)
    for count in 0..<bytes.count {
      // A copy of just this length, so that a sanitizer sees any read beyond it.
      #expect(failure(Array(bytes[..<count])) != nil)
    }
  }
}

struct JSONViewTests {
  @Test func `members are found and the last duplicate wins`() throws {
    try withView(#"{"a":1,"b":{"a":9},"\u0061":"two","c":null}"#) { view in
      #expect(view["a"]?.string() == "two")
      #expect(view["b"]?["a"]?.int() == 9)
      #expect(view["c"]?.isNull == true)
      #expect(view["d"] == nil)
      #expect(view.members().map { $0.key.string() } == ["a", "b", "a", "c"])
      #expect(view[0] == nil)
    }
  }

  @Test func `elements come in order with their kinds`() throws {
    try withView(#"[null,true,-1.5,"x",[1],{"k":"]}"}]"#) { view in
      #expect(view.elements().map(\.kind) == [.null, .bool, .number, .string, .array, .object])
      #expect(view[5]?["k"]?.string() == "]}")
      #expect(view[6] == nil)
    }
  }

  @Test(arguments: [
    ("3", 3), ("-9223372036854775808", Int64.min), ("9223372036854775807", Int64.max), ("3.0", 3), ("1e2", 100),
    ("3.5", nil), ("9223372036854775808", nil), ("1e400", nil), ("\"3\"", nil), ("true", nil),
  ])
  func `whole numbers are exact or absent`(text: String, expected: Int64?) throws {
    try withView(text) { #expect($0.int() == expected) }
  }

  @Test func `doubles beyond range and other kinds are absent`() throws {
    try withView("0.1") { #expect($0.double() == 0.1) }
    try withView("1e400") { #expect($0.double() == nil) }
    try withView("\"1\"") { #expect($0.double() == nil) }
    try withView("1") { #expect($0.bool() == nil) }
    try withView("false") { #expect($0.bool() == false) }
  }

  @Test func `strings are unescaped, compared and counted`() throws {
    try withView(#""tab\t\"q\" \/ é 😀 \ud83d\ude00 \b\f\n\r\\""#) { view in
      let expected = "tab\t\"q\" / é 😀 😀 \u{8}\u{C}\n\r\\"
      #expect(view.string() == expected)
      #expect(view.equals(expected))
      #expect(view.characterCount == expected.unicodeScalars.count)
      #expect(view.plainString == nil)
    }
    try withView("\"chat\"") { view in
      #expect(view.equals("chat"))
      #expect(!view.equals("char"))
      #expect(!view.equals("cha"))
      #expect(view.plainString.map { String(decoding: $0, as: UTF8.self) } == "chat")
    }
    try withView("\"\"") { view in
      #expect(view.equals(""))
      #expect(view.characterCount == 0)
    }
    try withView(#""\n""#) { view in
      #expect(view.equals("\n"))
      #expect(!view.equals("\\n"))
    }
    try withView("1") { #expect(!$0.equals("1")) }
  }

  @Test func `plain runs of every length and offset end where they should`() throws {
    for length in 0...40 {
      let text = String(repeating: "x", count: length)
      try withView("[\"\(text)\",\"\(text)\\n\",1]") { view in
        #expect(view[0]?.string() == text)
        #expect(view[1]?.string() == text + "\n")
        #expect(view[2]?.int() == 1)
      }
    }
  }
}

struct JSONWritingTests {
  @Test func `every byte that must be escaped reads back`() throws {
    let text = String((0...0x7F).map { Character(UnicodeScalar(UInt8($0))) }) + "é😀\u{2028}"
    var buffer = ByteBuffer()
    buffer.appendJSON(string: text)
    #expect(try JSONView(parsing: buffer.readable).string() == text)
  }

  @Test(
    arguments: [
      (0, "0"), (9, "9"), (10, "10"), (-1, "-1"), (Int64.max, "9223372036854775807"),
      (Int64.min, "-9223372036854775808"), (1_000_000, "1000000"),
    ] as [(Int64, String)])
  func `whole numbers are written in full`(number: Int64, expected: String) {
    var buffer = ByteBuffer()
    buffer.appendDecimal(number)
    #expect(buffer.string() == expected)
  }

  @Test func `unsigned numbers reach their end`() {
    var buffer = ByteBuffer()
    buffer.appendDecimal(UInt64.max)
    #expect(buffer.string() == "18446744073709551615")
  }

  @Test(arguments: [(0.1, "0.1"), (180, "180"), (-0.5, "-0.5"), (.infinity, "null"), (.nan, "null"), (1e300, "1e+300")])
  func `doubles are written so that they read back`(number: Double, expected: String) {
    var buffer = ByteBuffer()
    buffer.appendJSON(double: number)
    #expect(buffer.string() == expected)
  }

  @Test(arguments: [(0, "0.0"), (99_999, "0.0"), (100_000, "0.1"), (812_450_000, "812.4")] as [(UInt64, String)])
  func `milliseconds have one decimal`(nanoseconds: UInt64, expected: String) {
    var buffer = ByteBuffer()
    buffer.appendMilliseconds(nanoseconds: nanoseconds)
    #expect(buffer.string() == expected)
  }
}

struct JSONValueTests {
  @Test func `a tree keeps order and writes what it read`() throws {
    let text = #"{"b":[1,2.5,"x\ny",null,true],"a":{"z":{}}}"#
    let value = try JSONValue(parsing: text)
    #expect(value.text == text)
    #expect(value["b"]?[1]?.double == 2.5)
    #expect(value["b"]?[0]?.integer == 1)
    #expect(value["b"]?[2]?.string == "x\ny")
    #expect(value["b"]?[4]?.bool == true)
    #expect(value["a"]?.members?.map(\.key) == ["z"])
    #expect(value["c"] == nil)
    #expect(throws: JSONError.self) { try JSONValue(parsing: "{") }
  }
}
