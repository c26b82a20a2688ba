import Bytes
public import ProviderAPI

/// What one exchange of a chat came to.
public struct ChatRound: Sendable {
  /// Bytes of an answer that are kept to be sent back.
  static let keptBytes = 8 << 20

  public internal(set) var reason = FinishReason.stop
  /// Calls of the tool that the provider runs itself; they were not shown to the client.
  public internal(set) var echoedCalls: [EchoedCall] = []
  /// Calls that the client was shown.
  public internal(set) var shownCallCount = 0
  /// The answer's text; kept only in a dialect with an echoed tool.
  public private(set) var text: [UInt8] = []
  /// The answer's reasoning; kept only in a dialect with an echoed tool.
  public private(set) var reasoning: [UInt8] = []
  private let keepsTexts: Bool

  init(keepsTexts: Bool) { self.keepsTexts = keepsTexts }

  mutating func keep(text piece: UnsafeRawBufferPointer) throws(ProviderError) {
    guard keepsTexts else { return }
    try check(piece)
    text += piece
  }

  mutating func keep(reasoning piece: UnsafeRawBufferPointer) throws(ProviderError) {
    guard keepsTexts else { return }
    try check(piece)
    reasoning += piece
  }

  private func check(_ piece: UnsafeRawBufferPointer) throws(ProviderError) {
    guard piece.count <= Self.keptBytes - text.count - reasoning.count else {
      throw ProviderError(.limit, "an answer with web search is longer than \(Self.keptBytes) bytes")
    }
  }
}
