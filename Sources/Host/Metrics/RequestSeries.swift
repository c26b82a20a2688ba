/// Whose requests one set of counts is about.
struct RequestSeries: Hashable, Sendable {
  /// "" before one is known, and for what the host answers itself.
  var provider: String
  /// "" for tools, and before one is known.
  var model: String
  /// "chat", the tool's name, or "other" for a name that is no tool's.
  var tool: String

  /// A request whose tool is not known.
  static let unknown = RequestSeries(provider: "", model: "", tool: "other")
  /// What is beyond the bound on series.
  static let other = RequestSeries(provider: "other", model: "other", tool: "other")

  /// Those that every host has, by number: `unknown`, `other`, then the host's own tools, chat without a known model
  /// among them.
  static let fixed: [RequestSeries] =
    [unknown, other] + NativeTool.allCases.map { RequestSeries(provider: "", model: "", tool: $0.rawValue) }

  static let unknownNumber = 0
  static let otherNumber = 1
  static func number(of tool: NativeTool) -> Int { 2 + (NativeTool.allCases.firstIndex(of: tool) ?? 0) }

  /// Whether they are chats with a model, which OpenTelemetry has names for.
  var isChat: Bool { tool == NativeTool.chat.rawValue && !model.isEmpty }
}

/// How a request was answered.
enum RequestOutcome: String, Sendable, CaseIterable {
  case complete, truncated, cancelled, failed
  /// Nothing ran.
  case refused

  init(_ outcome: CallOutcome) {
    self =
      switch outcome {
      case .complete: .complete
      case .truncated: .truncated
      case .cancelled: .cancelled
      case .failed: .failed
      }
  }

  /// Its place among the counts of a series.
  var place: Int {
    switch self {
    case .complete: 0
    case .truncated: 1
    case .cancelled: 2
    case .failed: 3
    case .refused: 4
    }
  }
}
