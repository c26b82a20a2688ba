import Bytes
package import JSON

/// What an answer must be to count as a success.
package enum ExpectedContent: String, Sendable, CaseIterable {
  /// `prompt` from the providers that echo, `any` from all others.
  case auto
  /// The prompt itself.
  case prompt
  /// Any text that is not empty.
  case any
}

/// How one call ended.
package enum CallEnd: Equatable, Sendable {
  /// A result without error and with the content that was expected.
  case success
  /// A result without error, with other content; what was found, without the content itself.
  case wrongContent(String)
  /// `code` is the host's, in capitals, or the tool's own, in small letters.
  case error(code: String, message: String, retryAfterSeconds: Double?)
}

/// Follows the frames of a streamed call and says how it ended; one value serves all calls of a connection, in turn.
///
/// Success is a `call_tool_res` with `ok`, without `error`, complete, whose text is what was expected and is what its
/// deltas, numbered without a gap, join to. A reply of any other kind is none.
package struct CallCheck: ~Copyable {
  /// What an answer may have; more is wrong content. The host's own limit.
  package static let answerBytesLimit = 16 << 20

  private var requestID = ""
  private var prompt = ""
  private let expectation: ExpectedContent
  /// The providers of which `auto` expects the prompt.
  package var echoProviders: Set<String> = []
  private var joined = ByteBuffer()
  private var deltas: Int64 = 0
  /// The first thing that was wrong with the deltas.
  private var fault: String?

  package init(expectation: ExpectedContent) { self.expectation = expectation }

  /// Begins another call; frames of the one before are passed over from now on.
  package mutating func begin(requestID: String, prompt: String) {
    self.requestID = requestID
    self.prompt = prompt
    joined.removeAll(keeping: 64 << 10)
    deltas = 0
    fault = nil
  }

  /// nil: the call goes on. An error frame that names no call is taken for this one's, the only one on its connection.
  package mutating func take(_ frame: JSONView) -> CallEnd? {
    let id = frame["request_id"]
    guard id.map({ $0.isNull || $0.equals(requestID) }) ?? true, let kind = frame["op"] else { return nil }
    if kind.equals("delta") {
      takeDelta(frame)
      return nil
    }
    if kind.equals("call_tool_res") { return end(frame) }
    return kind.equals("error") ? Self.error(in: frame) : nil
  }

  private mutating func takeDelta(_ frame: JSONView) {
    if frame["seq"]?.int() != deltas { fault = fault ?? "delta \(deltas) is missing or out of order" }
    deltas += 1
    guard let text = frame["text"] else { return }
    if joined.count > Self.answerBytesLimit {
      fault = fault ?? "an answer of more than \(Self.answerBytesLimit) bytes"
    } else {
      text.appendString(to: &joined)
    }
  }

  private func end(_ frame: JSONView) -> CallEnd {
    guard frame["error"].map(\.isNull) ?? true, frame["ok"]?.bool() == true else { return Self.error(in: frame) }
    if let fault { return .wrongContent(fault) }
    let outcome = frame["metadata"]?["outcome"]?.string()
    guard outcome == "complete" else {
      return .wrongContent("outcome \(outcome ?? "missing") in a result that is ok, expected complete")
    }
    guard let text = frame["text"]?.string() else { return .wrongContent("a result without text") }
    var whole = text
    guard whole.withUTF8({ joined.readable.elementsEqual($0) }) else {
      return .wrongContent("the deltas join to \(joined.count) bytes that are not the text of \(text.utf8.count)")
    }
    return content(text, provider: frame["metadata"]?["provider"]?.string())
  }

  private func content(_ text: String, provider: String?) -> CallEnd {
    let isEcho = provider.map(echoProviders.contains) ?? false
    if expectation == .prompt || (expectation == .auto && isEcho) {
      return text == prompt ? .success : .wrongContent("\(text.utf8.count) bytes that are not the prompt")
    }
    return text.isEmpty ? .wrongContent("an empty text") : .success
  }

  private static func error(in frame: JSONView) -> CallEnd {
    let error = frame["error"]
    let code = error?["code"]?.string() ?? "no_code"
    return .error(
      code: String(code.prefix(64)),
      message: String((error?["message"]?.string() ?? "a result that is not ok and has no error").prefix(200)),
      retryAfterSeconds: error?["details"]?["retry_after"]?.double())
  }
}
