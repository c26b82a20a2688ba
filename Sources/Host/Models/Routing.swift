/// The providers and their models as one immutable snapshot. Each loop holds its own reference; a call keeps the one it
/// began with.
final class Routing: Sendable {
  /// By number, removed ones among them: a call that began before may still hold one.
  let providers: [any ProviderInstance]
  /// The numbers of those that serve, in the order of the configuration.
  let active: [Int]
  let catalogue: ModelCatalogue
  /// By provider number: what each call asks of its provider's information, without copying that.
  let temperatureMaxima: [Double]
  /// What the providers contribute beside chats.
  let tools: ToolDirectory
  /// Lives as long as this. Watched in its stead: an object that is referenced weakly is slower to hold, and each call
  /// holds its snapshot.
  let life = Life()

  final class Life: Sendable {}

  /// By provider number: how many instances have served under it.
  let generations: [Int]
  /// New versions of plugins that were not taken.
  let refusedUpdates: [RefusedUpdate]

  /// Which models may answer for which, as the configuration allows.
  private let fallback: [(from: ModelEntry, to: [ModelEntry])]

  /// - Parameter fallback: rules of the configuration; names that no provider serves are left out.
  init(
    providers: [any ProviderInstance], active: [Int]? = nil, catalogue: ModelCatalogue,
    fallback: [Configuration.Fallback] = [], generations: [Int]? = nil, refusedUpdates: [RefusedUpdate] = []
  ) {
    self.generations = generations ?? Array(repeating: 1, count: providers.count)
    self.refusedUpdates = refusedUpdates
    self.providers = providers
    self.active = active ?? Array(providers.indices)
    self.catalogue = catalogue
    temperatureMaxima = providers.map(\.information.temperatureMax)
    tools = ToolDirectory(providers: providers, active: self.active)
    self.fallback = fallback.compactMap { rule in
      guard let from = catalogue[rule.from] else { return nil }
      let to = rule.to.compactMap { catalogue[$0] }.filter { $0 !== from }
      return to.isEmpty ? nil : (from, to)
    }
  }

  /// The models that may answer for `model` and can do what is asked; usually none.
  func fallbacks(for model: ModelEntry, _ arguments: ChatArguments) -> [ModelEntry] {
    guard !fallback.isEmpty, let rule = fallback.first(where: { $0.from === model }) else { return [] }
    return rule.to.filter { entry in
      do throws(CallError) {
        try arguments.check(temperatureMax: temperatureMaxima[entry.provider], entry)
        return true
      } catch {
        return false
      }
    }
  }

  /// No provider yet: the host is starting.
  static let empty = Routing(providers: [], catalogue: ModelCatalogue(models: []))

  /// The model of a request, or why there is none.
  func model(named name: String?) throws(CallError) -> ModelEntry {
    guard let name else {
      guard let index = catalogue.defaultModel else {
        let reason =
          catalogue.defaultName.map { "default_model \($0) is served by no provider; name a model (list_models)" }
          ?? "no model is available; check the providers with 'patchbay plugin list' and their keys"
        throw CallError(.notFound, reason, [("near", .strings([]))])
      }
      return catalogue.models[index]
    }
    if let entry = catalogue[name] { return entry }
    let near = catalogue.names(near: name)
    let hint = near.isEmpty ? "list_models names them all" : "near: \(near.joined(separator: ", "))"
    throw CallError(
      .notFound, "Unknown model: \(CallError.shortened(name)); \(hint)",
      [("requested_model", .string(CallError.shortened(name))), ("near", .strings(near))])
  }
}
