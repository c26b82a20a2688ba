import Bytes
import JSON
import Testing

@testable import LoadTest

struct CallCheckTests {
  /// What the frames of the call `r1`, asked for `ask me`, come to.
  private func end(
    _ frames: [String], expecting expectation: ExpectedContent = .auto, echo: Set<String> = ["echo"]
  ) throws -> CallEnd? {
    var check = CallCheck(expectation: expectation)
    check.echoProviders = echo
    check.begin(requestID: "r1", prompt: "ask me")
    for frame in frames {
      var buffer = ByteBuffer()
      buffer.append(frame)
      if let end = check.take(try JSONView(parsing: buffer.readable)) { return end }
    }
    return nil
  }

  private func delta(_ number: Int, _ text: String) -> String {
    #"{"op":"delta","request_id":"r1","seq":\#(number),"text":"\#(text)"}"#
  }

  private func result(_ text: String, provider: String = "echo", outcome: String = "complete") -> String {
    #"{"op":"call_tool_res","request_id":"r1","ok":true,"text":"\#(text)","#
      + #""metadata":{"provider":"\#(provider)","outcome":"\#(outcome)"}}"#
  }

  private func isWrong(_ end: CallEnd?) -> Bool { if case .wrongContent = end { true } else { false } }

  @Test func `the prompt in pieces and as a whole is a success`() throws {
    let ack = #"{"op":"call_tool_ack","request_id":"r1","accepted":true}"#
    let progress = #"{"op":"progress","request_id":"r1","phase":"waiting"}"#
    #expect(try end([ack, progress, delta(0, "ask "), delta(1, "me"), result("ask me")]) == .success)
  }

  @Test func `acks, progress and deltas are no end`() throws {
    #expect(try end([#"{"op":"call_tool_ack","request_id":"r1","accepted":true}"#, delta(0, "ask me")]) == nil)
  }

  @Test func `an echo of something else is wrong content`() throws {
    #expect(isWrong(try end([delta(0, "ask you"), result("ask you")])))
    #expect(isWrong(try end([result("")])))
  }

  @Test func `another provider may answer what it likes, but not nothing`() throws {
    #expect(try end([delta(0, "yes"), result("yes", provider: "kimi")]) == .success)
    #expect(isWrong(try end([result("", provider: "kimi")])))
  }

  @Test func `the expectation can be fixed`() throws {
    #expect(isWrong(try end([delta(0, "yes"), result("yes", provider: "kimi")], expecting: .prompt)))
    #expect(try end([delta(0, "yes"), result("yes")], expecting: .any) == .success)
  }

  @Test func `deltas that do not join to the text are wrong content`() throws {
    #expect(isWrong(try end([delta(0, "ask"), result("ask me")])))
    #expect(isWrong(try end([result("ask me")])))
    #expect(isWrong(try end([delta(0, "ask me"), delta(1, "!"), result("ask me")])))
  }

  @Test func `deltas with a gap or twice are wrong content`() throws {
    #expect(isWrong(try end([delta(0, "ask "), delta(2, "me"), result("ask me")])))
    #expect(isWrong(try end([delta(1, "ask me"), result("ask me")])))
  }

  @Test func `a result that is not complete is wrong content`() throws {
    #expect(isWrong(try end([delta(0, "ask me"), result("ask me", outcome: "truncated")])))
    #expect(isWrong(try end([#"{"op":"call_tool_res","request_id":"r1","ok":true,"text":"ask me"}"#])))
  }

  @Test func `reasoning is no part of the text`() throws {
    let reasoning = #"{"op":"delta","request_id":"r1","seq":0,"reasoning":"hm"}"#
    #expect(try end([reasoning, delta(1, "ask me"), result("ask me")]) == .success)
  }

  @Test(arguments: [
    #"{"op":"call_tool_res","request_id":"r1","ok":false,"error":{"code":"TIMEOUT","message":"late"}}"#,
    #"{"op":"call_tool_res","request_id":"r1","ok":true,"text":"ask me","error":{"code":"TIMEOUT","message":"late"}}"#,
    #"{"op":"error","request_id":"r1","error":{"code":"TIMEOUT","message":"late"}}"#,
    #"{"op":"error","error":{"code":"TIMEOUT","message":"late"}}"#,
    #"{"op":"error","request_id":null,"error":{"code":"TIMEOUT","message":"late"}}"#,
  ])
  func `an error in any frame is an error with its code`(frame: String) throws {
    #expect(try end([frame]) == .error(code: "TIMEOUT", message: "late", retryAfterSeconds: nil))
  }

  @Test func `a result that is not ok is an error even without saying which`() throws {
    let end = try end([#"{"op":"call_tool_res","request_id":"r1","text":"ask me"}"#])
    guard case .error(code: "no_code", _, nil) = end else {
      Issue.record("\(String(describing: end))")
      return
    }
  }

  @Test func `retry_after is taken along`() throws {
    let refusal =
      #"{"op":"call_tool_res","request_id":"r1","ok":false,"error":{"code":"OVER_CAPACITY","message":"full","#
      + #""details":{"retry_after":0.5}}}"#
    #expect(try end([refusal]) == .error(code: "OVER_CAPACITY", message: "full", retryAfterSeconds: 0.5))
  }

  @Test func `what belongs to another call, or to none, is passed over`() throws {
    #expect(try end([#"{"op":"call_tool_res","request_id":"r2","ok":false,"error":{"code":"X"}}"#]) == nil)
    #expect(try end([#"{"op":"health_res"}"#, #"{"no_op":1}"#]) == nil)
  }

  @Test func `the next call begins anew`() throws {
    var check = CallCheck(expectation: .any)
    for number in 1...2 {
      check.begin(requestID: "r\(number)", prompt: "p")
      for text in [
        #"{"op":"delta","request_id":"r\#(number)","seq":0,"text":"a"}"#,
        #"{"op":"call_tool_res","request_id":"r\#(number)","ok":true,"text":"a","metadata":{"outcome":"complete"}}"#,
      ] {
        var buffer = ByteBuffer()
        buffer.append(text)
        let end = check.take(try JSONView(parsing: buffer.readable))
        #expect(end == (text.contains("delta") ? nil : .success))
      }
    }
  }
}
