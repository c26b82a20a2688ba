import Testing
import Wire

struct DeflateNegotiationTests {
  private static let generous = DeflateTerms(keepsContext: true, windowBits: 15)
  private static let frugal = DeflateTerms(keepsContext: false, windowBits: 12)

  private func header(_ values: String..., granting terms: DeflateTerms = generous) -> String? {
    guard case .agreed(_, let header) = DeflateAnswer(to: values, granting: terms) else { return nil }
    return header
  }

  @Test(
    arguments: [
      ("permessage-deflate", "permessage-deflate"),
      ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
      ("permessage-deflate; client_max_window_bits=15", "permessage-deflate"),
      ("permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=9"),
      // zlib has no window of 8 bits; a client that wants one may as well use the whole.
      ("permessage-deflate; client_max_window_bits=8", "permessage-deflate"),
      ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"),
      ("permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15"),
      (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
      ),
      (
        "permessage-deflate; client_max_window_bits; server_max_window_bits=10; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10"
      ),
      // White space, quotes, empty elements, other extensions.
      (" permessage-deflate ;\tserver_max_window_bits = \"10\" ", "permessage-deflate; server_max_window_bits=10"),
      ("permessage-deflate; server_max_window_bits=\"1\\0\"", "permessage-deflate; server_max_window_bits=10"),
      (", ,permessage-deflate,", "permessage-deflate"),
      ("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"),
      ("mux; max-channels=4; flow-control, permessage-deflate", "permessage-deflate"),
    ])
  func `an offer that can be kept is agreed on`(offer: String, answer: String) {
    #expect(header(offer) == answer)
  }

  @Test(
    arguments: [
      "", "x-other", "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits",
      "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
      "permessage-deflate; server_max_window_bits=010", "permessage-deflate; server_max_window_bits=1e1",
      "permessage-deflate; server_max_window_bits=99999999999999999999",
      "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=16",
      "permessage-deflate; client_max_window_bits=08", "permessage-deflate; server_no_context_takeover=1",
      "permessage-deflate; client_no_context_takeover=true", "permessage-deflate; unknown",
      "permessage-deflate; Server_no_context_takeover",
      "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
      "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
      "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
      "permessage-deflate; client_max_window_bits; client_max_window_bits",
      "permessage-deflate; client_max_window_bits=9; client_max_window_bits=10",
    ])
  func `an offer that cannot be kept to the letter is declined`(offer: String) {
    #expect(DeflateAnswer(to: [offer], granting: Self.generous) == .declined)
  }

  @Test(
    arguments: [
      "permessage-deflate;", "permessage-deflate; =9", "permessage-deflate; a=", "permessage-deflate; a=\"\"",
      "permessage-deflate; a=\"b", "permessage-deflate; a=\"b c\"", "permessage-deflate; a=\"b\\", "a b", "a;;b", "a/b",
      "permessage-deflate; server_max_window_bits=10 10", "permessage-deflate x", "\u{1}", ";", "=",
    ])
  func `what is no list of extensions is malformed`(value: String) {
    #expect(DeflateAnswer(to: [value], granting: Self.generous) == .malformed)
    #expect(DeflateAnswer(to: ["permessage-deflate", value], granting: Self.generous) == .malformed)
  }

  @Test func `the first offer that can be kept counts, over commas and fields`() {
    #expect(
      header(
        "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=11, permessage-deflate"
      )
        == "permessage-deflate; server_max_window_bits=11")
    #expect(
      header("permessage-deflate; unknown", "permessage-deflate; server_no_context_takeover")
        == "permessage-deflate; server_no_context_takeover")
  }

  @Test func `a frugal server says what the client may not do`() {
    #expect(
      header("permessage-deflate; client_max_window_bits", granting: Self.frugal)
        == "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=12")
    #expect(
      header("permessage-deflate; client_max_window_bits=10; server_max_window_bits=15", granting: Self.frugal)
        == "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
        + "client_max_window_bits=10")
    // A client that cannot be told may use the whole window.
    guard case .agreed(let terms, _) = DeflateAnswer(to: ["permessage-deflate"], granting: Self.frugal) else {
      Issue.record("not agreed")
      return
    }
    #expect(terms.clientWindowBits == 15 && terms.serverWindowBits == 12)
    #expect(!terms.clientKeepsContext && !terms.serverKeepsContext)
  }

  @Test func `no parameters, no fields: no answer`() {
    #expect(DeflateAnswer(to: [], granting: Self.generous) == .declined)
  }
}
