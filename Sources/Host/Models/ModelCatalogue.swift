import Bytes
import JSON
import Synchronization

/// One model of one provider, as clients see it. Shared by reference: every call holds one.
final class ModelEntry: Sendable, Equatable {
  let id: String
  /// The provider's number in the registry.
  let provider: Int
  let providerID: String
  let aliases: [String]
  /// Tokens; nil: the provider does not say.
  let contextTokens: Int64?
  let outputTokens: Int64?
  let capabilities: [String]
  /// What `LoopMeter` knows it by; 0: it has not counted for it yet.
  let series = Atomic<UInt64>(0)

  init(
    id: String, provider: Int, providerID: String, aliases: [String] = [], contextTokens: Int64? = nil,
    outputTokens: Int64? = nil, capabilities: [String] = []
  ) {
    self.id = id
    self.provider = provider
    self.providerID = providerID
    self.aliases = aliases
    self.contextTokens = contextTokens
    self.outputTokens = outputTokens
    self.capabilities = capabilities
  }

  static func == (left: ModelEntry, right: ModelEntry) -> Bool {
    (left.id, left.provider, left.providerID) == (right.id, right.provider, right.providerID)
      && (left.contextTokens, left.outputTokens) == (right.contextTokens, right.outputTokens)
      && left.aliases == right.aliases && left.capabilities == right.capabilities
  }
}

/// Which models there are and which provider serves each name. Immutable; a changed list is a new catalogue.
struct ModelCatalogue: Sendable {
  let models: [ModelEntry]
  /// The model of a request that names none.
  let defaultModel: Int?
  /// `default_model` of the configuration.
  let defaultName: String?
  private let indexByName: [String: Int]

  /// - Parameters:
  ///   - models: in the order of the providers; the first of two with the same name answers to it, the other to
  ///     `provider/name` only.
  ///   - defaultName: `default_model` of the configuration; nil: the first model.
  init(models: [ModelEntry], defaultName: String? = nil) {
    self.models = models
    var names: [String: Int] = [:]
    // Ids go before aliases: an alias never hides a model.
    for (index, model) in models.enumerated() {
      if names[model.id] == nil { names[model.id] = index }
    }
    for (index, model) in models.enumerated() {
      for name in model.aliases where names[name] == nil { names[name] = index }
      for name in [model.id] + model.aliases {
        let qualified = "\(model.providerID)/\(name)"
        if names[qualified] == nil { names[qualified] = index }
      }
    }
    indexByName = names
    self.defaultName = defaultName
    defaultModel = defaultName.flatMap { names[$0] } ?? (defaultName == nil && !models.isEmpty ? 0 : nil)
  }

  subscript(_ name: String) -> ModelEntry? { indexByName[name].map { models[$0] } }

  /// Names that are compared with an unknown one: it is done on a loop, for whoever asks.
  static let comparedNames = 256

  /// Up to three names that resemble `name`, nearest first, for the error that it is unknown.
  func names(near name: String) -> [String] {
    let lowered = name.lowercased()
    let wanted = Array(lowered.utf8.prefix(100))
    var seen: Set<String> = []
    var ranked: [(distance: Int, name: String)] = []
    let names = models.lazy.flatMap { [$0.id] + $0.aliases }
    for candidate in names.prefix(Self.comparedNames) where seen.insert(candidate).inserted {
      let bytes = Array(candidate.lowercased().utf8)
      let farthest = max(2, bytes.count / 2)
      // Lengths alone say how many edits it takes at least.
      guard abs(bytes.count - wanted.count) <= farthest || bytes.count > wanted.count else { continue }
      let contains = !wanted.isEmpty && candidate.lowercased().contains(lowered)
      let distance = contains ? 0 : EditDistance.between(wanted, bytes)
      if distance <= farthest { ranked.append((distance, candidate)) }
    }
    ranked.sort { ($0.distance, $0.name) < ($1.distance, $1.name) }
    return ranked.prefix(3).map(\.name)
  }
}

extension ModelEntry {
  /// Reads a provider's list (prv.models/1, an array). Entries that are not well formed are left out and counted.
  static func entries(fromJSON json: String, provider: Int, providerID: String) -> (
    models: [ModelEntry], malformed: Int
  ) {
    guard let list = try? JSONValue(parsing: json), let elements = list.array else { return ([], json.isEmpty ? 0 : 1) }
    var models: [ModelEntry] = []
    var malformed = 0
    for element in elements {
      if let model = ModelEntry(element, provider: provider, providerID: providerID) {
        models.append(model)
      } else {
        malformed += 1
      }
    }
    return (models, malformed)
  }

  /// Aliases that one model may have; more are left out.
  static let aliasesLimit = 32

  /// One object of prv.models/1; nil when it has no id or one over 100 characters, which no request could name.
  convenience init?(_ value: JSONValue, provider: Int, providerID: String) {
    let names = ChatArguments.Bounds.modelCharacters
    guard let id = value["id"]?.string, names.contains(id.unicodeScalars.count) else { return nil }
    let aliases = (value["aliases"]?.array ?? []).compactMap(\.string)
      .filter { names.contains($0.unicodeScalars.count) }
    self.init(
      id: id, provider: provider, providerID: providerID, aliases: Array(aliases.prefix(Self.aliasesLimit)),
      contextTokens: value["context_tokens"]?.integer, outputTokens: value["output_tokens"]?.integer,
      capabilities: value["capabilities"]?.array?.compactMap(\.string) ?? [])
  }

  /// Writes the entry of `list_models_res`.
  func write(to buffer: inout ByteBuffer) {
    buffer.append("{\"id\":")
    buffer.appendJSON(string: id)
    buffer.append(",\"provider\":")
    buffer.appendJSON(string: providerID)
    for (name, tokens) in [("context_tokens", contextTokens), ("output_tokens", outputTokens)] {
      buffer.append(",\"\(name)\":")
      if let tokens { buffer.appendDecimal(tokens) } else { buffer.append("null") }
    }
    for (name, texts) in [("capabilities", capabilities), ("aliases", aliases)] {
      buffer.append(",\"\(name)\":")
      JSONValue.array(texts.map(JSONValue.string)).write(to: &buffer)
    }
    buffer.append("}")
  }
}

/// How many edits lead from one short text to another (Levenshtein).
enum EditDistance {
  static func between(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let substituted = diagonal + (a == b ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substituted, row[j] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
