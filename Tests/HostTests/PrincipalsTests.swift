import Testing

@testable import Host

private let editor = "editor-token-0001"
private let watcher = "watcher-token-002"

private func principals() -> Principals {
  Principals([("editor", .client, editor), ("watcher", .viewer, watcher)])
}

struct PrincipalsTests {
  @Test func `a token finds its principal and nobody else`() {
    let principals = principals()
    #expect(!principals.isOpen)
    #expect(
      principals.principal(withToken: editor) == Principals.Principal(index: 0, name: "editor", role: .client))
    #expect(
      principals.principal(withToken: watcher) == Principals.Principal(index: 1, name: "watcher", role: .viewer))
    for wrong in ["", "editor", editor + " ", String(editor.dropLast()), editor.uppercased()] {
      #expect(principals.principal(withToken: wrong) == nil)
    }
  }

  @Test func `every principal's token is compared, whichever it is`() {
    let principals = Principals((0..<10).map { ("p\($0)", .client, "a-token-of-number-\($0)") })
    principals.replace((0..<9).map { ("p\($0)", .client, "a-token-of-number-\($0)") })
    for token in (0..<10).map({ "a-token-of-number-\($0)" }) + ["", "none of them, at all"] {
      var compared = 0
      let found = principals.principal(withToken: token) { left, right in
        compared += 1
        #expect(left.count == 32 && right.count == 32, "digests, not tokens")
        return left == right
      }
      #expect(compared == 10)
      #expect(found == principals.principal(withToken: token))
      #expect((found == nil) == (token.isEmpty || token.contains("none") || token.hasSuffix("9")))
    }
  }

  @Test func `without principals the host is open, and no token finds anybody`() {
    let open = Principals([])
    #expect(open.isOpen)
    #expect(open.principal(withToken: "") == nil)
  }

  @Test func `a token is changed for its principal alone`() throws {
    let principals = principals()
    let own = try #require(principals.principal(withToken: editor))
    #expect(principals.rotate(own, from: editor, to: "a-new-token-00001") == .rotated)
    #expect(principals.principal(withToken: editor) == nil)
    #expect(principals.principal(withToken: "a-new-token-00001")?.name == "editor")
    #expect(principals.principal(withToken: watcher)?.name == "watcher")
    #expect(principals.rotate(own, from: editor, to: "another-token-0002") == .unauthorized)
    #expect(principals.rotate(own, from: watcher, to: "another-token-0002") == .unauthorized)
  }

  @Test(arguments: [(15, Principals.Rotation.weak), (16, .rotated), (17, .rotated)])
  func `a new token has at least 16 characters`(count: Int, outcome: Principals.Rotation) throws {
    for letter in ["x", "é"] {
      let principals = principals()
      let own = try #require(principals.principal(withToken: editor))
      #expect(principals.rotate(own, from: editor, to: String(repeating: letter, count: count)) == outcome)
      #expect((principals.principal(withToken: editor) == nil) == (outcome == .rotated))
    }
  }

  @Test func `a weak token with the wrong old one says only that the old one is wrong`() throws {
    let principals = principals()
    let own = try #require(principals.principal(withToken: editor))
    #expect(principals.rotate(own, from: "wrong", to: "weak") == .unauthorized)
  }

  @Test func `another list keeps numbers and rotated tokens, and shuts out who is gone`() throws {
    let principals = principals()
    let own = try #require(principals.principal(withToken: editor))
    let other = try #require(principals.principal(withToken: watcher))
    #expect(principals.rotate(own, from: editor, to: "a-new-token-00001") == .rotated)
    principals.replace([("new", .client, "a-third-token-00003"), ("editor", .client, editor)])
    #expect(principals.knows(own))
    #expect(!principals.knows(other))
    #expect(principals.principal(withToken: "a-new-token-00001") == own, "the rotated token stays")
    #expect(principals.principal(withToken: watcher) == nil)
    #expect(principals.rotate(other, from: watcher, to: "a-fourth-token-0004") == .unauthorized)
    #expect(principals.principal(withToken: "a-third-token-00003")?.index == 2)
    principals.replace([("editor", .client, "another-configured-1")])
    #expect(principals.principal(withToken: "a-new-token-00001") == nil, "the configured token has changed")
    #expect(principals.principal(withToken: "another-configured-1") == own)
    principals.replace([("editor", .viewer, "another-configured-1")])
    #expect(!principals.knows(own), "with another role it is another")
    principals.replace([])
    #expect(principals.isOpen)
    #expect(principals.principal(withToken: "another-configured-1") == nil)
  }
}
