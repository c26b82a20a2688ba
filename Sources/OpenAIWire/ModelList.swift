import JSON
public import ProviderAPI

/// The answer of `GET …/models`, and how it meets what is known beforehand.
public enum ModelList {
  /// Models of one list; what follows is left out.
  static let modelLimit = 10_000

  /// Reads `{"data":[…]}`, `{"models":[…]}` or a bare array.
  ///
  /// - Throws: `.badResponse` for anything else.
  public static func decode(_ body: UnsafeRawBufferPointer) throws(ProviderError) -> [ModelDescription] {
    let json: JSONView
    do throws(JSONError) {
      json = try JSONView(parsing: body)
    } catch {
      throw ProviderError(.badResponse, "expected a list of models: \(error.reason) at byte \(error.offset)")
    }
    let list = json.kind == .array ? json : json["data"] ?? json["models"]
    guard let list, list.kind == .array else {
      throw ProviderError(.badResponse, "expected a list of models, got \(json.kind) without the array data")
    }
    return list.elements().prefix(modelLimit).compactMap { model($0) }
  }

  /// The models of `listed` in their order, each with what `catalogue` knows beyond it.
  public static func merge(_ listed: [ModelDescription], with catalogue: [ModelDescription]) -> [ModelDescription] {
    listed.map { model in
      guard let known = catalogue.first(where: { $0.id == model.id }) else { return model }
      var merged = model
      for alias in known.aliases where !merged.aliases.contains(alias) { merged.aliases.append(alias) }
      if merged.contextTokens == 0 { merged.contextTokens = known.contextTokens }
      if merged.outputTokens == 0 { merged.outputTokens = known.outputTokens }
      for capability in known.capabilities where !merged.capabilities.contains(capability) {
        merged.capabilities.append(capability)
      }
      return merged
    }
  }

  /// The models that the operator listed: ids, or objects of `prv.models/1`. nil: none is listed.
  public static func configured(_ settings: ProviderSettings) throws(ProviderError) -> [ModelDescription]? {
    guard let value = settings["models"], value != .null else { return nil }
    guard let entries = value.array else {
      throw ProviderError(.invalidArgument, "models must be an array of ids or of objects with an id")
    }
    var models: [ModelDescription] = []
    for (index, entry) in entries.enumerated() {
      guard let id = entry.string ?? entry["id"]?.string, !id.isEmpty else {
        throw ProviderError(
          .invalidArgument, "models.\(index) must be an id or an object with an id, got \(entry.text)")
      }
      func count(_ name: String) -> UInt64 { entry[name]?.integer.flatMap { UInt64(exactly: $0) } ?? 0 }
      func texts(_ name: String) -> [String] { entry[name]?.array?.compactMap(\.string) ?? [] }
      models.append(
        ModelDescription(
          id: id, aliases: texts("aliases"), contextTokens: count("context_tokens"),
          outputTokens: count("output_tokens"), capabilities: texts("capabilities")))
    }
    return models.isEmpty ? nil : models
  }

  // MARK: - One model

  /// nil: it has no id.
  private static func model(_ json: JSONView) -> ModelDescription? {
    guard let id = json["id"]?.string() ?? json["name"]?.string(), !id.isEmpty else { return nil }
    // In turn: Moonshot and OpenRouter, vLLM, llama.cpp.
    let context =
      count(json["context_length"]) ?? count(json["max_model_len"]) ?? count(json["meta"]?["n_ctx_train"]) ?? 0
    var capabilities: [String] = []
    if json["supports_image_in"]?.bool() ?? false { capabilities.append("images") }
    if json["supports_reasoning"]?.bool() ?? false { capabilities.append("thinking") }
    return ModelDescription(
      id: id, aliases: json["aliases"].map { $0.elements().compactMap { $0.string() } } ?? [], contextTokens: context,
      capabilities: capabilities)
  }

  private static func count(_ view: JSONView?) -> UInt64? { view?.int().flatMap { UInt64(exactly: $0) } }
}
