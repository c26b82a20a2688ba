import Testing

@testable import Host

struct LogTests {
  @Test(arguments: [Log.Format.text, .json], ["plain-secret-0123", #"with"quote\and=more"#])
  func `a secret is redacted in message and fields, also as others wrote it in JSON`(
    format: Log.Format, secret: String
  ) throws {
    let escaped = secret.map { #""\"#.contains($0) ? #"\\#($0)"# : "\($0)" }.joined()
    let reader = try LogReader(format: format)
    reader.log.redact(secret)
    reader.log.warning(
      "it said \(secret)", ("plain", secret), ("quoted", "a word and \(secret)"), ("json", "{\"k\":\"\(escaped)\"}"))
    let line = try reader.line()
    #expect(!line.contains(secret.prefix(8)) && !line.contains(secret.suffix(8)), "\(line)")
    #expect(line.split(separator: "[redacted]", omittingEmptySubsequences: false).count == 5, "\(line)")
  }

  @Test func `a word too short to be a secret stays readable`() throws {
    let reader = try LogReader()
    reader.log.redact("seven77")
    reader.log.info("it said seven77")
    #expect(try reader.line() == "info it said seven77")
  }
}
