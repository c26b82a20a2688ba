internal import Bytes
internal import JSON

extension ProviderSettings {
  /// The object that `create` gets: the provider's own settings and "base_url", "models", "has_key"; never the key.
  func createJSON(baseURL: String) throws(PluginFault) -> String {
    var text = ByteBuffer()
    text.append("{\"base_url\":")
    text.appendJSON(string: baseURL)
    text.append(",\"models\":")
    text.append(modelsJSON)
    text.append(apiKey == nil ? ",\"has_key\":false" : ",\"has_key\":true")
    let own = Array(settingsJSON.utf8)
    let isObject = own.withUnsafeBytes { bytes in
      guard let settings = try? JSONView(parsing: bytes), settings.kind == .object else { return false }
      for (key, value) in settings.members() where !Self.isReserved(key) {
        text.append(",")
        text.append(key.bytes)
        text.append(":")
        text.append(value.bytes)
      }
      return true
    }
    guard isObject else {
      throw PluginFault("the settings of provider \"\(id)\" are not a JSON object", remedy: "correct its settings")
    }
    text.append("}")
    return text.string()
  }

  private static func isReserved(_ key: JSONView) -> Bool {
    key.equals("base_url") || key.equals("models") || key.equals("has_key")
  }
}

/// The settings as a plugin sees them, for prv.config/1.
struct VisibleSettings: Sendable {
  let json: String

  /// The JSON text at `path`: names and indices joined by dots ("models.0").
  func value(at path: String) -> [UInt8]? {
    var json = json
    return json.withUTF8 { text in
      guard var value = try? JSONView(parsing: UnsafeRawBufferPointer(text)) else { return nil }
      for name in path.split(separator: ".", omittingEmptySubsequences: false) {
        let member: JSONView? =
          switch value.kind {
          case .object: value[key: String(name)]
          case .array: Int(name).flatMap { $0 >= 0 ? value[$0] : nil }
          default: nil
          }
        guard let member else { return nil }
        value = member
      }
      return [UInt8](value.bytes)
    }
  }
}
