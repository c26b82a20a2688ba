internal import JSON

/// What is wrong with a prv.models/1 array.
package enum ModelCatalogueFaults {
  /// Empty: nothing, as with an empty text.
  package static func of(_ text: String) -> [String] {
    if text.isEmpty { return [] }
    guard let models = (try? JSONValue(parsing: text))?.array else { return ["it is not a JSON array"] }
    var names: Set<String> = []
    var faults: [String] = []
    for (index, model) in models.enumerated() {
      guard let id = model["id"]?.string, !id.isEmpty else {
        faults.append("entry \(index) has no id")
        continue
      }
      let aliases = (model["aliases"]?.array ?? []).map { $0.string ?? "" }
      for name in [id] + aliases {
        if name.isEmpty { faults.append("\(id) has an alias that is not a text") }
        if !names.insert(name).inserted { faults.append("the name \(name) is there twice") }
      }
      for member in ["context_tokens", "output_tokens"] {
        if let value = model[member], (value.integer ?? 0) <= 0 { faults.append("\(member) of \(id) is \(value.text)") }
      }
      for capability in model["capabilities"]?.array ?? [] where capability.string?.isEmpty ?? true {
        faults.append("\(id) has the capability \(capability.text), which is no name")
      }
    }
    return faults
  }
}
