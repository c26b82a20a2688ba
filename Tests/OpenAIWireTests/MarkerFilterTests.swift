import Bytes
import ProviderAPI
import Testing

@testable import OpenAIWire

@Suite struct `The marker filter` {
  private static let markers: [StaticString] = ["<|begin_of_box|>", "<|end_of_box|>"]

  private func filtered(_ pieces: [ArraySlice<UInt8>]) -> String {
    var filter = MarkerFilter(Self.markers)
    var text = ByteBuffer()
    for piece in pieces { Array(piece).withUnsafeBytes { filter.pass($0, to: &text) } }
    filter.finish(to: &text)
    return text.string()
  }

  private static let cases = [
    ("The answer is <|begin_of_box|>42<|end_of_box|>.", "The answer is 42."),
    ("<|begin_of_box|><|end_of_box|>", ""), ("<<|end_of_box|>|", "<|"), ("<|begin_of_bo", "<|begin_of_bo"),
    ("<|begin_<|begin_of_box|>x", "<|begin_x"), ("grüß<|end_of_box|>👋<", "grüß👋<"), ("", ""), ("a < b", "a < b"),
  ]

  @Test(arguments: cases)
  func `removes markers wherever the text is split`(text: String, expected: String) {
    let bytes = Array(text.utf8)
    for split in 0...bytes.count { #expect(filtered([bytes[..<split], bytes[split...]]) == expected, "at \(split)") }
    #expect(filtered(bytes.indices.map { bytes[$0...$0] }) == expected)
  }

  @Test func `lets go of a beginning that became none at the end of an answer`() {
    var dialect = Dialect()
    dialect.removedMarkers = Self.markers
    let answer = Transcript(of: [chunk(#"{"content":"a<|beg"}"#), finish("stop")], in: dialect)
    #expect(answer.text == "a<|beg")
    #expect(answer.end == .stop)
  }
}
