import OpenAIWire

/// What the models of one generation have in common. New ones read as `current`.
enum KimiFamily: Equatable {
  /// Always thinks, with an effort.
  case k3
  /// Thinking can be switched.
  case toggled
  /// Always thinks, without a choice.
  case current
  /// Sampling is free: moonshot-v1, the first K2 models, kimi-latest.
  case older

  init(_ model: String) {
    if model.hasPrefix("kimi-k3") || model == "k3" || model.hasPrefix("k3-") {
      self = .k3
    } else if model.hasPrefix("kimi-k2.5") || model.hasPrefix("kimi-k2.6") {
      self = .toggled
    } else if model.hasPrefix("moonshot-v1") || model == "kimi-k2" || model.hasPrefix("kimi-k2-")
      || model.hasPrefix("kimi-latest") || model.hasPrefix("kimi-thinking")
    {
      self = .older
    } else {
      self = .current
    }
  }

  /// Whether the model refuses any temperature and top_p but its own.
  var hasFixedSampling: Bool { self != .older }

  /// Whether the model may want its reasoning back.
  var mayThink: Bool { self != .older }

  var thinking: Dialect.Thinking {
    switch self {
    case .k3: .effort(Dialect.Effort(minimal: "low", low: "low", medium: "high", high: "high", max: "max"))
    case .toggled: .toggled
    case .current, .older: .notAsked
    }
  }
}
