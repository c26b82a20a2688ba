internal import Glibc
internal import ProviderTesting

/// One chat as the upstream answers it, and what a client must be told of it: our own in the OpenAI format, or what the
/// plugin's author recorded (`--recording`).
struct ScriptedChat: Sendable {
  var answer: UpstreamAnswer
  var text: String
  var finish: String
  /// Input and output tokens; nil: the recording does not say.
  var tokens: [UInt64]?
  /// The model to ask for; nil: one of the plugin's catalogue.
  var model: String?
  /// The answer stops in the middle, and stays open.
  var stalled: UpstreamAnswer
  /// Up to here the answer may break off, and must not be taken for whole.
  var endOffset: Int
  /// The answer in other words, with characters of several bytes.
  var accented: UpstreamAnswer
  var accentedText: String
  /// Answers to everything but chats.
  var routes: [MockUpstream.Route]
  var isRecorded: Bool

  static let openAI = ScriptedChat(
    answer: ChatScript.answer, text: ChatScript.text, finish: "stop",
    tokens: [ChatScript.inputTokens, ChatScript.outputTokens], stalled: ChatScript.stalled,
    endOffset: ChatScript.endOffset, accented: ChatScript.accented, accentedText: ChatScript.accentedPieces.joined(),
    routes: ChatScript.modelRoutes, isRecorded: false)

  /// Reads a recording: its first POST is the chat. Lines `#= text …`, `#= finish …`, `#= tokens INPUT OUTPUT` and
  /// `#= model …` say what a client must be told; `\\n` in a text is a line end. A stream that is cut in its first half
  /// must not be taken for whole.
  init(recording text: String) throws(RecordingError) {
    let exchanges = try RecordedExchange.parse(text)
    guard let chat = exchanges.first(where: { $0.method == "POST" }) else {
      throw RecordingError(line: 1, message: "no exchange begins with > POST")
    }
    var said: [String: String] = [:]
    for line in text.split(separator: "\n") where line.hasPrefix("#= ") {
      let words = line.dropFirst(3).split(separator: " ", maxSplits: 1)
      if words.count == 2 { said[String(words[0])] = String(words[1]) }
    }
    guard let expected = said["text"] else {
      throw RecordingError(line: 1, message: "it does not say what the answer is; add #= text …")
    }
    let tokens = said["tokens"].map { $0.split(separator: " ").compactMap { UInt64($0) } }
    guard tokens?.count ?? 2 == 2 else { throw RecordingError(line: 1, message: "expected #= tokens INPUT OUTPUT") }
    let half = chat.answer.body.count / 2
    self.init(
      answer: chat.answer, text: Self.lines(expected), finish: said["finish"] ?? "stop", tokens: tokens,
      model: said["model"], stalled: chat.answer.stalled(at: half), endOffset: half, accented: chat.answer,
      accentedText: Self.lines(expected),
      routes: exchanges.filter { $0.method != "POST" }.map {
        .init(method: $0.method, path: $0.path, answer: $0.answer)
      },
      isRecorded: true)
  }

  private init(
    answer: UpstreamAnswer, text: String, finish: String, tokens: [UInt64]?, model: String? = nil,
    stalled: UpstreamAnswer, endOffset: Int, accented: UpstreamAnswer, accentedText: String,
    routes: [MockUpstream.Route], isRecorded: Bool
  ) {
    self.answer = answer
    self.text = text
    self.finish = finish
    self.tokens = tokens
    self.model = model
    self.stalled = stalled
    self.endOffset = endOffset
    self.accented = accented
    self.accentedText = accentedText
    self.routes = routes
    self.isRecorded = isRecorded
  }

  private static func lines(_ text: String) -> String {
    text.split(separator: "\\n", omittingEmptySubsequences: false).joined(separator: "\n")
  }
}

/// A recording that an author gives to the validator.
package enum ChatRecording {
  private static let bytesLimit = 16 << 20

  /// Reads the file, and says what is wrong with it.
  package static func check(_ path: String) throws(ValidationFault) { _ = try read(path) }

  static func read(_ path: String) throws(ValidationFault) -> ScriptedChat {
    guard let file = fopen(path, "r") else {
      throw ValidationFault("cannot read the recording \(path): \(String(cString: strerror(errno)))")
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&piece, 1, piece.count, file), count > 0 {
      bytes += piece[..<count]
      guard bytes.count <= bytesLimit else {
        throw ValidationFault("the recording \(path) is over \(bytesLimit) bytes")
      }
    }
    do throws(RecordingError) {
      return try ScriptedChat(recording: String(decoding: bytes, as: UTF8.self))
    } catch {
      throw ValidationFault("\(path): \(error)")
    }
  }
}
