public import ProviderAPI

/// How one provider, or one of its models, speaks the OpenAI chat format: data that the request, the answer and the
/// errors are read and written by. The defaults are the plain format.
public struct Dialect: Sendable {
  // MARK: - Request

  /// The member that bounds the answer: `max_tokens` or `max_completion_tokens`.
  public var maximumTokensMember: StaticString = "max_tokens"
  public var sampling = Sampling.free
  public var toolChoice = ToolChoice.any
  public var thinking = Thinking.notAsked
  /// The JSON of the tool that stands for web search; nil: the provider has none.
  public var webSearchTool: String?
  /// The member that takes the conversation's key for cache affinity; nil: none.
  public var sessionMember: StaticString?
  /// Whether usage must be asked for by `stream_options`.
  public var asksForUsage = true
  /// Whether tool arguments come in pieces only when `tool_stream` asks for it.
  public var asksForToolStream = false
  /// Whether `reasoning_content` of earlier turns goes back, unmodified, or is left out.
  public var returnsReasoning = true
  /// Whether the role `developer` is known; else it is written as `system`.
  public var knowsDeveloperRole = true
  /// Whether empty content beside tool calls is refused, and so left out.
  public var refusesEmptyContent = false

  // MARK: - Answer

  /// Whether an answer has ended only with `[DONE]`; else its finish reason is enough.
  public var requiresDone = false
  /// A tool that the provider runs itself when its call is answered with its own arguments; nil: none.
  public var echoedTool: String?
  /// Texts that are no part of the answer, such as `<|begin_of_box|>`.
  public var removedMarkers: [StaticString] = []
  /// Members of a chunk that are handed on as annotations under their own name.
  public var annotations: [StaticString] = []
  /// Finish reasons that do not mean what they say.
  public var finishRules = [FinishRule("error", .fails(.upstream, "the upstream ended its answer with an error"))]

  // MARK: - Errors

  public var errors = ErrorMapping()

  public init() {}

  public enum Sampling: Sendable {
    /// Temperature, top_p and penalties go out as they came.
    case free
    /// The model has fixed values and refuses any other: none is sent.
    case fixed
    /// Values are moved into these ranges.
    case bounded(temperature: ClosedRange<Double>, topP: ClosedRange<Double>)
  }

  public enum ToolChoice: Sendable {
    case any
    /// `auto` alone is known: `none` leaves the tools out, anything else cannot be asked for.
    case automatic
  }

  /// How a thinking level is asked for.
  public enum Thinking: Sendable {
    /// There is no switch: the model always thinks, or never.
    case notAsked
    /// `"thinking":{"type":"enabled"|"disabled"}`; the level `minimal` disables.
    case toggled
    /// `"reasoning_effort":…`
    case effort(Effort)
  }

  /// The provider's word for each thinking level.
  public struct Effort: Sendable {
    public var minimal: StaticString
    public var low: StaticString
    public var medium: StaticString
    public var high: StaticString
    public var max: StaticString

    public init(
      minimal: StaticString, low: StaticString, medium: StaticString, high: StaticString, max: StaticString
    ) {
      self.minimal = minimal
      self.low = low
      self.medium = medium
      self.high = high
      self.max = max
    }
  }
}

/// What a provider's finish reason means.
public struct FinishRule: Sendable {
  public enum Meaning: Sendable {
    case ends(FinishReason)
    /// The answer broke off: never an end. The failure may be tried again.
    case fails(ProviderError.Code, StaticString)
  }

  public var word: StaticString
  public var meaning: Meaning

  public init(_ word: StaticString, _ meaning: Meaning) {
    self.word = word
    self.meaning = meaning
  }
}
