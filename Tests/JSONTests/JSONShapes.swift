import Testing

/// Texts of every shape that a reader of JSON meets: what RFC 8259 takes, what it refuses, and where it leaves the choice.
enum JSONShapes {
  struct Shape: Sendable, CustomTestStringConvertible {
    var text: [UInt8]
    var isTaken: Bool

    var testDescription: String {
      let shown = String(decoding: text.prefix(60), as: UTF8.self).debugDescription
      return text.count > 60 ? "\(shown)… (\(text.count) bytes)" : shown
    }
  }

  static let valid = make(true, scalars + strings + containers + spaces)
  static let invalid = make(
    false, badStructures + badScalars + badNumbers + badStrings + badContainers, badBytes)
  /// A reader may take these or not (RFC 8259 §9); whether ours does.
  static let choices =
    make(true, hugeNumbers + repeatedKeys + noncharacters + [nested(128)])
    + make(false, halfPairs + [nested(129)], [[0xEF, 0xBB, 0xBF, 0x31]] + otherEncodings)

  private static func make(_ isTaken: Bool, _ texts: [String], _ more: [[UInt8]] = []) -> [Shape] {
    (texts.map { Array($0.utf8) } + more).map { Shape(text: $0, isTaken: isTaken) }
  }

  private static func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
  }

  // MARK: - Taken

  private static let scalars = [
    "null", "true", "false", "0", "-0", "7", "-7", "10", "1234567890", "0.5", "-0.5", "12.25", "1e0", "1E0", "1e+2",
    "1e-2", "1E+2", "1E-2", "0e0", "0e+1", "0.0e-1", "123.456e78", "-1.5E-3", "100000000000000000000", "0.1",
    "9007199254740993", "9223372036854775807", "-9223372036854775808", "2.2250738585072014e-308",
    "1.7976931348623157e308", "0.000000000000000000000000000000000000000000000000000001",
  ]

  private static let strings = [
    #""""#, #""a""#, #"" ""#, #""abc def""#, #""\"""#, #""\\""#, #""\/""#, #""/""#, #""\b\f\n\r\t""#, #""\\n""#,
    #""\\\"""#, #""\\\\""#, #""\u0041""#, #""\u00e9""#, #""\u00E9""#, #""\u20ac""#, #""\ud83d\ude00""#,
    #""\uD83D\uDE00""#, #""\uDBFF\uDFFF""#, #""\u0000""#, #""\u001f""#, #""\u007f""#, #""\u2028\u2029""#,
    #""\\u0041""#, #""a\u0301""#, "\"é\"", "\"€\"", "\"😀\"", "\"\u{7F}\"", "\"\u{80}\"", "\"\u{7FF}\"",
    "\"\u{800}\"", "\"\u{D7FF}\"", "\"\u{E000}\"", "\"\u{10FFFF}\"", "\"\u{2028}\u{2029}\"", "\"\u{FEFF}\"",
    "\"e\u{301}\"", "\"null\"", "\"// no comment\"", "\"[{,:}]\"", "\"" + String(repeating: "x", count: 31) + "\"",
    "\"" + String(repeating: "x", count: 32) + "é\"", "\"" + String(repeating: "x", count: 33) + "\\n\"",
    "\"" + String(repeating: "é", count: 40) + "\"",
  ]

  private static let containers = [
    "[]", "[[]]", "[1]", "[1,2]", "[null,true,false]", "[[],[]]", "[[[[[]]]]]", #"["a"]"#, #"["",""]"#, "[{}]",
    "[{},{}]", "[1,[2,[3]]]", "{}", #"{"":0}"#, #"{"a":1}"#, #"{"a":1,"b":2}"#, #"{"a":{"b":{"c":{}}}}"#, #"{"a":[]}"#,
    #"{"a":null}"#, #"{"a":"b"}"#, #"{"\u0061":1}"#, #"{"é":1}"#, #"{"a b":1}"#, #"{"\"":1}"#, #"{"\\":[{"a":[1]}]}"#,
    #"{"a":-0.5e1,"b":[true,{"c":null}]}"#, #"[{"a":1},[{"b":2}]]"#, #"{"{":"}","[":"]"}"#,
  ]

  private static let spaces = [
    " 1", "1 ", "\t1\t", "\n1\n", "\r1\r", "\r\n 1 \r\n", " [ ] ", "[ 1 , 2 ]", "{ }", #"{ "a" : 1 , "b" : 2 }"#,
    "[\n\t1,\n\t2\n]", "{\r\n\"a\"\r\n:\r\n1\r\n}", " \t\r\n\"a\" \t\r\n", "[ [ ] , { } ]",
  ]

  // MARK: - Refused

  private static let badStructures = [
    "", " ", "\n", ",", ":", "]", "}", "[", "{", "[1", "[1,", #"{"a"#, #"{"a""#, #"{"a":"#, #"{"a":1"#, #"{"a":1,"#,
    "1 2",
    "[] []", "{}{}", "null null", "[]]", "{}}", "[1]x", "1,", "[}", "{]", "[1}", #"{"a":1]"#, "\"a\" \"b\"",
    "truefalse",
    "(1)", "<null>", "'a'", "a", "abc", "$", "#1", "//1", "/**/1", "1//c", "[1]/* c */", "=1", "\\n1", "`1`",
  ]

  private static let badScalars = [
    "nul", "nulll", "Null", "NULL", "tru", "truee", "True", "TRUE", "fals", "falsee", "False", "undefined", "nil",
    "NaN",
    "nan", "Infinity", "-Infinity", "+Infinity", "inf", "-", "+", "-x", "--1", "-+1", "- 1", "-null", "-true", "n", "t",
    "f",
  ]

  private static let badNumbers = [
    "+1", "01", "00", "-01", "-00", "012", "1.", "-1.", ".1", "-.1", "1..2", "1.2.3", "1e", "1E", "1e+", "1e-", "1e1.5",
    "1e1e1", "e1", "1.e1", ".e1", "0x1", "0X1F", "0b1", "0o7", "1_000", "1,000", "1 000", "1a", "1.a", "1ea", "1e5x",
    "0e", "0.", "0.e1", "0x", "1f", "1L", "\u{FF11}", "\u{661}", "1\u{A0}", "1+1", "2-1", "1e 1", "1 e1", "1. 0",
    "-\t1",
  ]

  private static let badStrings = [
    "\"", "\"a", "\"a\\", "\"\\\"", "\"\\x41\"", "\"\\a\"", "\"\\'\"", "\"\\0\"", "\"\\v\"", "\"\\ \"", "\"\\\n\"",
    "\"\\U0041\"", "\"\\u\"", "\"\\u0\"", "\"\\u00\"", "\"\\u004\"", "\"\\u004g\"", "\"\\ug041\"", "\"\\u 041\"",
    "\"\\u+041\"", "\"\\u-041\"", "\"\\u{41}\"", "\"\\u00\u{E9}9\"", "\"\u{0}\"", "\"\u{1}\"", "\"\t\"", "\"\n\"",
    "\"\r\"",
    "\"\u{1F}\"", "\"a\u{8}b\"", "\"\(String(repeating: "x", count: 40))\u{B}\"", "\"a\"b", "\"a\"\"",
    "\u{201C}a\u{201D}",
    "\"\\\u{E9}\"", "\"\\😀\"",
  ]

  private static let badContainers = [
    "[,]", "[1,]", "[,1]", "[1,,2]", "[,,]", "[1 2]", "[1;2]", "[1:2]", "[\"a\" 1]", "[\"a\":1]", "[1,\n,2]", "[ , 1]",
    "{,}", #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":1,,"b":2}"#, #"{"a" 1}"#, #"{"a",1}"#, #"{"a"::1}"#, #"{"a":}"#, #"{:1}"#,
    #"{"a"}"#, "{a:1}", "{1:1}", "{null:1}", "{[]:1}", "{'a':1}", #"{"a":1 "b":2}"#, #"{"a":1;"b":2}"#, #"{"a":1:2}"#,
    #"{"a":"b":"c"}"#, #"{"a":1}}"#, #"{"a":[}"#, #"{"a":{]}"#, "[[1]", "[[[", "{\"a\":{", "[1]]", "[\"a]",
    "[true false]",
    "[1.]", "[01]", "[+1]", "[nul]", "[\"\t\"]", "{\"\n\":1}", "[/**/]", "[1,//c\n2]", "[undefined]", "[NaN]",
  ]

  /// What no text can hold.
  private static let badBytes: [[UInt8]] = [
    [0xFF], [0x22, 0xFF, 0x22], [0x22, 0x80, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xC3], [0x22, 0xC0, 0xAF, 0x22],
    [0x22, 0xC1, 0xBF, 0x22], [0x22, 0xE0, 0x80, 0x80, 0x22], [0x22, 0xE0, 0x9F, 0xBF, 0x22], [0x22, 0xE2, 0x82, 0x22],
    [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xED, 0xBF, 0xBF, 0x22], [0x22, 0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80, 0x22],
    [0x22, 0xF0, 0x80, 0x80, 0x80, 0x22], [0x22, 0xF0, 0x8F, 0xBF, 0xBF, 0x22], [0x22, 0xF0, 0x9F, 0x98, 0x22],
    [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
    [0x22, 0xF8, 0x88, 0x80, 0x80, 0x80, 0x22],
    [0x22, 0x5C, 0xFF, 0x22], [0x22, 0x5C, 0x75, 0x30, 0x30, 0x34, 0xFF, 0x22], [0x5B, 0xFF, 0x5D], [0x31, 0xC2, 0xA0],
    [0x5B, 0x31, 0x00, 0x5D], [0x31, 0x00], [0x00], [0x0C, 0x31], [0x0B, 0x31], [0xC2, 0x85, 0x31],
    [0xE2, 0x80, 0xA8, 0x31],
    [0x7B, 0x22, 0xE9, 0x22, 0x3A, 0x31, 0x7D], Array(repeating: 0x61, count: 40) + [0xFF],
    [0x22] + Array(repeating: 0x61, count: 40) + [0xE9, 0x22],
  ]

  // MARK: - Left open

  private static let hugeNumbers = [
    "1e400", "-1e400", "1e-400", "123456789012345678901234567890", "0.4e00669999999999999999999999999999999999999999",
    "-9223372036854775809", "18446744073709551616", "1.5e+9999", "1e-9999", String(repeating: "9", count: 400),
  ]
  private static let repeatedKeys = [#"{"a":1,"a":2}"#, #"{"a":1,"\u0061":1}"#, #"{"":0,"":0}"#]
  private static let noncharacters =
    ([0xFFFE, 0xFFFF, 0xFDD0, 0x1FFFE] as [UInt32]).map { "\"\(UnicodeScalar($0)!)\"" }
    + [#""\uFFFF""#, #""\uFFFE""#, #""\uD83F\uDFFE""#]
  private static let halfPairs = [
    #""\ud800""#, #""\udc00""#, #""\ud83d""#, #""\ude00\ud83d""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\u0041""#,
    #""\ud800\ud800""#, #""\ud800\ud800\udc00""#, #""\udfff\udfff""#, #"{"\ud800":1}"#, #"["\uDADA"]"#,
  ]
  private static let otherEncodings: [[UInt8]] = [
    [0xFF, 0xFE, 0x31, 0x00], [0xFE, 0xFF, 0x00, 0x31], [0x31, 0x00], [0x00, 0x31],
    [0xFF, 0xFE, 0x00, 0x00, 0x31, 0, 0, 0],
  ]
}
