public import ProviderAPI

extension ProviderSettings {
  /// A switch; `fallback` when the setting is absent.
  public func bool(_ name: String, default fallback: Bool) throws(ProviderError) -> Bool {
    guard let value = self[name] else { return fallback }
    guard let flag = value.bool else {
      throw ProviderError(.invalidArgument, "\(name) must be true or false, got \(value.text)")
    }
    return flag
  }
}
