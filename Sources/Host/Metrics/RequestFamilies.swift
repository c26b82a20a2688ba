/// What was counted of requests, series by series, as metrics: ours, and by OpenTelemetry's names.
///
/// Metrics without a tool label add up the tools of a provider.
struct RequestFamilies {
  private typealias Declared = DeclaredMetrics
  private typealias Place = RequestCells.Place
  private typealias Family = MetricSnapshot.Family
  private typealias Label = MetricSnapshot.Label

  private var requests = Family(Declared.requestsTotal)
  private var errors = Family(Declared.requestErrors)
  private var tokens = Family(Declared.tokens)
  private var duration = Family(Declared.duration)
  private var firstToken = Family(Declared.firstToken)
  private var interChunk = Family(Declared.interChunk)
  private var queueWait = Family(Declared.queueWait)
  private var cancel = Family(Declared.cancelUpstream)
  private var genAI = GenAIFamilies()
  /// What a provider's tools counted together, by provider.
  private var tools = OrderedSums()
  /// All that was counted, by provider.
  private var providers = OrderedSums()

  /// - Parameter words: the merged block of the series; nil: there is none.
  mutating func add(_ series: RequestSeries, _ words: [UInt64]?) {
    guard let words else { return }
    providers.add(words, to: series.provider)
    for outcome in RequestOutcome.allCases {
      requests.series.append(
        .init(
          labels: [
            Label(name: "provider", value: series.provider), Label(name: "model", value: series.model),
            Label(name: "tool", value: series.tool), Label(name: "outcome", value: outcome.rawValue),
          ], value: .number(Double(words[Place.outcomes + outcome.place]))))
    }
    guard !series.provider.isEmpty else { return }
    if series.model.isEmpty { return tools.add(words, to: series.provider) }
    addModel(provider: series.provider, model: series.model, words)
    if series.isChat { genAI.add(series, words) }
  }

  private mutating func addModel(provider: String, model: String, _ words: [UInt64]) {
    let labels = [Label(name: "provider", value: provider), Label(name: "model", value: model)]
    for (direction, place) in [("input", Place.inputTokens), ("output", Place.outputTokens)] {
      tokens.series.append(
        .init(labels: labels + [Label(name: "direction", value: direction)], value: .number(Double(words[place]))))
    }
    duration.add(labels, Self.allDurations(words)[...], at: 0, .duration)
    firstToken.add(labels, words[...], at: Place.firstToken, .firstToken)
    interChunk.add(labels, words[...], at: Place.interChunk, .interChunk)
  }

  /// With and without an error.
  private static func allDurations(_ words: [UInt64]) -> [UInt64] {
    let size = BucketBounds.duration.words
    var sums = Array(repeating: UInt64(0), count: size)
    for index in Place.durations..<Place.words { sums[(index - Place.durations) % size] &+= words[index] }
    return sums
  }

  mutating func collect(into snapshot: inout MetricSnapshot) {
    for (provider, words) in tools.sums { addModel(provider: provider, model: "", words) }
    for (provider, words) in providers.sums {
      let label = [Label(name: "provider", value: provider)]
      for code in ErrorCode.allCases where words[Place.errors + code.place] > 0 {
        errors.series.append(
          .init(
            labels: label + [Label(name: "code", value: code.rawValue)],
            value: .number(Double(words[Place.errors + code.place]))))
      }
      queueWait.add(label, words[...], at: Place.queueWait, .queueWait)
      cancel.add(label, words[...], at: Place.cancel, .cancel)
    }
    snapshot.families += [requests, errors, tokens, duration, firstToken, interChunk, queueWait, cancel]
    genAI.collect(into: &snapshot)
  }
}

/// Sums of blocks by a name, in the order in which the names came.
private struct OrderedSums {
  private(set) var sums: [(name: String, words: [UInt64])] = []
  private var places: [String: Int] = [:]

  mutating func add(_ words: [UInt64], to name: String) {
    guard let place = places[name] else {
      places[name] = sums.count
      return sums.append((name, words))
    }
    for index in words.indices { sums[place].words[index] &+= words[index] }
  }
}

/// The same chats by the names of OpenTelemetry's semantic conventions for generative AI.
private struct GenAIFamilies {
  private typealias Declared = DeclaredMetrics
  private typealias Place = RequestCells.Place
  private typealias Label = MetricSnapshot.Label

  private var duration = MetricSnapshot.Family(Declared.genAIDuration)
  private var firstToken = MetricSnapshot.Family(Declared.genAIFirstToken)
  private var perToken = MetricSnapshot.Family(Declared.genAIPerToken)
  private var usage = MetricSnapshot.Family(Declared.genAITokens)

  mutating func add(_ series: RequestSeries, _ words: [UInt64]) {
    let labels = [
      Label(name: "gen_ai_operation_name", value: "chat"), Label(name: "gen_ai_provider_name", value: series.provider),
      Label(name: "gen_ai_request_model", value: series.model),
    ]
    for code in [nil] + ErrorCode.allCases.map(Optional.some) {
      duration.add(
        labels + [Label(name: "error_type", value: code?.rawValue ?? "")], words[...], at: Place.duration(code),
        .duration, shown: Declared.genAIDuration.bounds)
    }
    firstToken.add(
      labels, words[...], at: Place.firstToken, .firstToken, shown: Declared.genAIFirstToken.bounds)
    perToken.add(labels, words[...], at: Place.perToken, .perToken)
    usage.add(labels + [Label(name: "gen_ai_token_type", value: "input")], words[...], at: Place.inputUsage, .tokens)
    usage.add(labels + [Label(name: "gen_ai_token_type", value: "output")], words[...], at: Place.outputUsage, .tokens)
  }

  func collect(into snapshot: inout MetricSnapshot) {
    snapshot.families += [duration, firstToken, perToken, usage]
  }
}

extension MetricSnapshot.Family {
  /// Adds a histogram's series, if anything was observed.
  fileprivate mutating func add(
    _ labels: [MetricSnapshot.Label], _ words: ArraySlice<UInt64>, at first: Int, _ bounds: BucketBounds,
    shown: [Double]? = nil
  ) {
    guard let seen = MetricSnapshot.Distribution(words, at: first, bounds, shown: shown) else { return }
    series.append(.init(labels: labels, value: .distribution(seen)))
  }
}
