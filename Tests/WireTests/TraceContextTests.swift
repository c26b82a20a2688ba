import Testing

@testable import Wire

private let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
private let span = "00f067aa0ba902b7"
private let good = "00-\(trace)-\(span)-01"

/// Gives the numbers one after the other.
private func sequence(_ numbers: UInt64...) -> () -> UInt64 {
  var rest = numbers[...]
  return { rest.popFirst() ?? 0 }
}

/// W3C Trace Context, level 2.
struct TraceContextTests {
  @Test func `a context is read, and passed on with a span of our own`() throws {
    let context = try #require(TraceContext(parent: good, state: "vendor=a, other=b"))
    #expect(context.traceID == trace && context.spanID == span && context.flags == 1)
    let child = context.child(sequence(0xAB))
    #expect(child.parent == "00-\(trace)-00000000000000ab-01")
    #expect(child.state == "vendor=a,other=b")
    #expect(context.child(sequence(0)).spanID == "0000000000000001", "all zeros is no id")
  }

  @Test(arguments: [
    "", "00", good + "0", good + "-00", "\(good) ", "00-\(trace)-\(span)", "00-\(trace)-\(span)-1",
    "00-\(trace)-\(span)-0x",
    "0-\(trace)-\(span)-01", "ff-\(trace)-\(span)-01", "ff-\(trace)-\(span)-01-what", "0x-\(trace)-\(span)-01",
    "00-\(String(repeating: "0", count: 32))-\(span)-01", "00-\(trace)-\(String(repeating: "0", count: 16))-01",
    "00-\(trace.uppercased())-\(span)-01", "00-\(trace)-\(span.uppercased())-01", "FF-\(trace)-\(span)-01",
    "00_\(trace)-\(span)-01", "00-\(trace)_\(span)-01", "00-\(trace)-\(span)_01", "00-\(trace.dropLast())g-\(span)-01",
    "00-\(trace.dropLast())-\(span)-01", "01-\(trace)-\(span)-01x", "01-\(trace)-\(span)-01.x", "é\(good.dropFirst(2))",
  ])
  func `what is no context is none`(parent: String) {
    #expect(TraceContext(parent: parent) == nil)
  }

  @Test(arguments: ["01-\(trace)-\(span)-01", "cc-\(trace)-\(span)-01-what-the-future", "fe-\(trace)-\(span)-01-"])
  func `of a later version the first four fields are taken`(parent: String) throws {
    let context = try #require(TraceContext(parent: parent))
    #expect(context.parent == good, "and passed on in the version that is known here")
  }

  @Test(arguments: [(512, true), (513, false)])
  func `a later version is bounded`(bytes: Int, isTaken: Bool) {
    let long = "cc-\(trace)-\(span)-01-" + String(repeating: "x", count: bytes - 56)
    #expect(long.utf8.count == bytes)
    #expect((TraceContext(parent: long) != nil) == isTaken)
  }

  @Test(arguments: [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("fc", "00")])
  func `flags that are known are kept`(given: String, kept: String) throws {
    #expect(try #require(TraceContext(parent: "00-\(trace)-\(span)-\(given)")).parent.hasSuffix("-\(kept)"))
  }

  @Test func `headers without a parent are no trace, and bad ones begin one`() throws {
    func context(_ parents: [String], _ states: [String] = []) -> TraceContext? {
      var headers = HTTPHeaders()
      for parent in parents { headers.append("Traceparent", parent) }
      for state in states { headers.append("TraceState", state) }
      return TraceContext(headers, random: sequence(1, 2, 3))
    }
    #expect(context([], ["a=b"]) == nil)
    #expect(context([good], ["a=b", "c=d"])?.state == "a=b,c=d")
    for begun in [context(["nonsense"], ["a=b"]), context([good, good], ["a=b"])] {
      #expect(try #require(begun).parent == "00-00000000000000010000000000000002-0000000000000003-02")
      #expect(try #require(begun).state.isEmpty, "a state belongs to its trace")
    }
    #expect(TraceContext(beginning: sequence(0, 0, 0)).traceID.hasSuffix("1"), "all zeros is no id")
  }

  // MARK: - tracestate

  @Test(arguments: [
    ("", ""), ("a=1", "a=1"), (" a=1 ,\tb=2,, ", "a=1,b=2"), ("tenant@system=x y", "tenant@system=x y"),
    ("a=", ""), ("=1", ""), ("a", ""), ("A=1", ""), ("a=1=2", ""), ("a=\u{7F}", ""), ("a=é", ""), ("a b=1", ""),
    ("good=1,bad", ""),
  ])
  func `a state is passed on whole, or not at all`(given: String, kept: String) {
    #expect(TraceContext.checked(given) == kept)
  }

  @Test(arguments: [(32, true), (33, false)])
  func `a state has at most 32 entries`(count: Int, isKept: Bool) {
    let state = (0..<count).map { "k\($0)=v" }.joined(separator: ",")
    #expect(TraceContext.checked(state) == (isKept ? state : ""))
  }

  @Test(arguments: [(256, true), (257, false)])
  func `an entry's key and value are bounded`(count: Int, isKept: Bool) {
    let long = String(repeating: "x", count: count)
    #expect(TraceContext.checked("\(long)=1").isEmpty != isKept)
    #expect(TraceContext.checked("k=\(long)").isEmpty != isKept)
  }

  @Test func `too many bytes lose long entries first, then the last ones`() {
    func entry(_ name: String, _ bytes: Int) -> String { "\(name)=" + String(repeating: "v", count: bytes - 2) }
    let exact = [entry("a", 127), entry("b", 127), entry("c", 127), entry("d", 128)].joined(separator: ",")
    #expect(exact.utf8.count == 512 && TraceContext.checked(exact) == exact)
    #expect(TraceContext.checked(exact + ",e=1") == exact)
    let large = entry("l", 129)
    #expect(TraceContext.checked("\(large),\(exact)") == exact)
    #expect(TraceContext.checked("\(large),a=1") == "\(large),a=1")
    #expect(TraceContext.checked(String(repeating: "a=1,", count: 2_049)).isEmpty)
  }
}

struct PercentEncodingTests {
  @Test(
    arguments: [
      ("", ""), ("plain", "plain"), ("a%3Ap99", "a:p99"), ("%c3%A9", "é"), ("a+b", "a+b"), ("%", nil), ("%4", nil),
      ("%4g", nil), ("%ff", nil), ("%00", "\0"),
    ] as [(String, String?)])
  func `a value of a query is decoded, or is none`(text: String, decoded: String?) {
    #expect(HTTPText.percentDecoded(text) == decoded)
  }
}
