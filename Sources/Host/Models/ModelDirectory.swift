/// The models of every provider and where each list comes from: the configuration, the provider itself, or the
/// catalogue that its plugin carries, in this order.
///
/// Plain data; whoever holds it makes a catalogue of it.
struct ModelDirectory {
  private struct Shelf {
    var isConfigured: Bool
    var builtIn: [ModelEntry]
    var models: [ModelEntry]
  }

  private var shelves: [Shelf]
  /// The providers that serve, by number, in the order of the configuration.
  private let order: [Int]
  private let defaultName: String?

  /// - Parameters:
  ///   - configured: whether the operator listed the models of each provider, by the providers' numbers.
  ///   - order: nil: all, by number.
  init(providers: [ProviderInformation], configured: [Bool], order: [Int]? = nil, defaultName: String?) {
    self.defaultName = defaultName
    self.order = order ?? Array(providers.indices)
    shelves = providers.indices.map { index in
      let models = ModelEntry.entries(
        fromJSON: providers[index].modelsJSON, provider: index, providerID: providers[index].id
      ).models
      return Shelf(isConfigured: configured[index], builtIn: models, models: models)
    }
  }

  /// Whether a provider's own list matters: it was not configured.
  func wantsList(_ provider: Int) -> Bool { !shelves[provider].isConfigured }

  func hasModels(_ provider: Int) -> Bool { !shelves[provider].models.isEmpty }

  /// The provider has listed what it serves. What the plugin's catalogue knows of those models is kept.
  mutating func listed(_ models: [ModelEntry], by provider: Int) {
    guard wantsList(provider), !models.isEmpty else { return }
    let builtIn = shelves[provider].builtIn
    shelves[provider].models = models.map { $0.completed(from: builtIn) }
  }

  /// The id of its first model; nil while none is known.
  func firstModel(of provider: Int) -> String? {
    guard shelves.indices.contains(provider) else { return nil }
    return shelves[provider].models.first?.id
  }

  /// Takes over what the providers that `stay` have listed before.
  mutating func keepLists(of old: ModelDirectory, where stay: (Int) -> Bool) {
    for index in shelves.indices where index < old.shelves.count && stay(index) && wantsList(index) {
      shelves[index].models = old.shelves[index].models
    }
  }

  var catalogue: ModelCatalogue {
    ModelCatalogue(models: order.flatMap { shelves[$0].models }, defaultName: defaultName)
  }

  /// Whether `default_model` names a model there is.
  var hasDefault: Bool { defaultName.map { catalogue[$0] != nil } ?? true }
}

extension ModelEntry {
  /// What is missing here is taken from the entry of the same id.
  fileprivate func completed(from known: [ModelEntry]) -> ModelEntry {
    guard let same = known.first(where: { $0.id == id }) else { return self }
    return ModelEntry(
      id: id, provider: provider, providerID: providerID, aliases: aliases.isEmpty ? same.aliases : aliases,
      contextTokens: contextTokens ?? same.contextTokens, outputTokens: outputTokens ?? same.outputTokens,
      capabilities: capabilities.isEmpty ? same.capabilities : capabilities)
  }
}
