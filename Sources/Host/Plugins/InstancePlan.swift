internal import ProviderContract

/// What an instance of a provider is made with, wherever its code will run: the plugin's word and the operator's,
/// joined and checked.
struct InstancePlan: Sendable {
  var plugin: FoundPlugin
  /// The provider's id in its plugin.
  var providerID: String
  var information: ProviderInformation
  /// What `create` gets: never the key.
  var settings: VisibleSettings
  /// What the instance may reach.
  var origins: Set<UpstreamOrigin>
  var key: String?
  /// Whether a call may block its loop (PRV_PROVIDER_BLOCKING).
  var isBlocking: Bool

  init(_ offer: (plugin: FoundPlugin, description: ProviderDescription), _ settings: ProviderSettings)
    throws(PluginFault)
  {
    let baseURL = settings.baseURL ?? offer.description.defaultBaseURL
    plugin = offer.plugin
    providerID = offer.description.id
    information = ProviderInformation(
      id: settings.id, pluginID: offer.plugin.description.id, pluginPath: offer.plugin.path,
      pluginVersion: offer.plugin.description.version, displayName: offer.description.displayName,
      capabilities: offer.description.capabilities, temperatureMax: offer.description.temperatureMax,
      defaultLimit: Int(offer.description.maxConcurrency),
      modelsJSON: settings.models.isEmpty ? offer.description.modelsJSON : settings.modelsJSON,
      baseURL: baseURL, tools: offer.description.tools)
    self.settings = VisibleSettings(json: try settings.createJSON(baseURL: baseURL))
    origins = try Self.origins(settings, baseURL)
    key = settings.apiKey?.value
    isBlocking = offer.description.isBlocking
  }

  /// As another process has it.
  init(
    plugin: FoundPlugin, providerID: String, information: ProviderInformation, settings: VisibleSettings,
    origins: Set<UpstreamOrigin>, key: String?, isBlocking: Bool
  ) {
    self.plugin = plugin
    self.providerID = providerID
    self.information = information
    self.settings = settings
    self.origins = origins
    self.key = key
    self.isBlocking = isBlocking
  }

  private static func origins(_ settings: ProviderSettings, _ baseURL: String) throws(PluginFault) -> Set<
    UpstreamOrigin
  > {
    var origins: Set<UpstreamOrigin> = []
    for url in [baseURL] + settings.allowedOrigins where !url.isEmpty {
      guard let origin = UpstreamOrigin(url) else {
        throw PluginFault(
          "\"\(url)\" of provider \"\(settings.id)\" is not an http or https URL without user information",
          remedy: "correct base_url or allowed_origins")
      }
      origins.insert(origin)
    }
    return origins
  }
}
