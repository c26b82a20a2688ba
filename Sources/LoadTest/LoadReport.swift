/// What a run came to: the table for people and the object for programs are made of it.
package struct LoadReport: Sendable {
  /// Why a run ended.
  package enum Ending: Equatable, Sendable {
    case complete
    /// Somebody ended it early.
    case interrupted
    /// The host went away, or answers no more; in words.
    case hostLost(String)
  }

  package var settings: LoadSettings
  package var url: String
  /// Seconds during which calls ran.
  package var seconds: Double
  package var ending: Ending
  package var observation: Criteria.Observation
  /// The most of each figure that a look at the host has shown.
  package var most: HostFigures
  /// Calls that ran when the run ended and were given up; they count for nothing.
  package var unfinished: Int

  package init(
    settings: LoadSettings, url: String, seconds: Double, ending: Ending, observation: Criteria.Observation,
    most: HostFigures, unfinished: Int
  ) {
    self.settings = settings
    self.url = url
    self.seconds = seconds
    self.ending = ending
    self.observation = observation
    self.most = most
    self.unfinished = unfinished
  }

  package var verdicts: [Criteria.Verdict] { settings.criteria.judge(observation) }

  /// Whether the run went to its end and no criterion failed.
  package var isPassed: Bool { ending == .complete && verdicts.allSatisfy { $0.judgement != .failed } }

  /// Why the run was cut short; nil: it was not.
  package var cutShort: String? {
    switch ending {
    case .complete: nil
    case .interrupted: "interrupted by a signal"
    case .hostLost(let why): why
    }
  }

  var slope: MemoryTrend.Slope? {
    observation.memory.slope(minimumSeconds: settings.criteria.memorySeconds)
  }

  /// How much a counter of the host rose; nil: the host does not say.
  func rise(_ path: KeyPath<HostFigures, Int?>) -> Int? {
    guard let first = observation.before[keyPath: path], let last = observation.after?[keyPath: path] else {
      return nil
    }
    return last - first
  }

  /// Codes of errors, the most frequent first.
  var errorCodes: [(code: String, count: Tally.ErrorCount)] {
    observation.tally.errorCodes.map { ($0.key, $0.value) }
      .sorted { ($1.1.count, $0.0) < ($0.1.count, $1.0) }
  }
}
