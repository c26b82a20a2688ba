/// A plugin: one shared library with one or more providers.
public struct PluginDescriptor: Sendable {
  /// Reverse DNS, never changed once published: `org.patchbay.echo`.
  public var id: String
  public var name: String
  public var vendor: String
  /// `1.2.0`
  public var version: String
  public var description: String
  public var url: String
  public var license: String
  public var providers: [any Provider.Type]

  public init(
    id: String, name: String, vendor: String = "", version: String, description: String = "", url: String = "",
    license: String = "", providers: [any Provider.Type]
  ) {
    self.id = id
    self.name = name
    self.vendor = vendor
    self.version = version
    self.description = description
    self.url = url
    self.license = license
    self.providers = providers
  }
}

/// A provider as the host knows it before it makes an instance.
public struct ProviderDescriptor: Sendable {
  /// Lower case, digits and `-`; the `plugin` of the configuration: `kimi`.
  public var id: String
  public var displayName: String
  public var capabilities: Capabilities
  /// Useless without an API key.
  public var needsKey: Bool
  /// JSON Schema of the provider's own settings; empty: it has none.
  public var settingsSchema: String
  /// Empty when the operator must give one, or no network is used.
  public var defaultBaseURL: String
  /// Services of provider_abi.h without which `init` fails: `prv.http/1`.
  public var requiredServices: [String]
  public var optionalServices: [String]
  /// The largest temperature a request may ask for; 0: 2.
  public var temperatureMax: Double
  /// A sensible limit of calls in flight; 0: the host's.
  public var maxConcurrency: UInt32
  /// The built-in catalogue, used until `models` has answered.
  public var models: [ModelDescription]

  public init(
    id: String, displayName: String, capabilities: Capabilities = [.chat, .stream], needsKey: Bool = false,
    settingsSchema: String = "", defaultBaseURL: String = "", requiredServices: [String] = [],
    optionalServices: [String] = [], temperatureMax: Double = 0, maxConcurrency: UInt32 = 0,
    models: [ModelDescription] = []
  ) {
    self.id = id
    self.displayName = displayName
    self.capabilities = capabilities
    self.needsKey = needsKey
    self.settingsSchema = settingsSchema
    self.defaultBaseURL = defaultBaseURL
    self.requiredServices = requiredServices
    self.optionalServices = optionalServices
    self.temperatureMax = temperatureMax
    self.maxConcurrency = maxConcurrency
    self.models = models
  }
}

/// What a provider can do; the bits of provider_abi.h (`PRV_CAN_*`).
public struct Capabilities: OptionSet, Sendable {
  public var rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }

  public static let chat = Capabilities(rawValue: 1)
  public static let stream = Capabilities(rawValue: 2)
  public static let tools = Capabilities(rawValue: 4)
  public static let images = Capabilities(rawValue: 8)
  public static let thinking = Capabilities(rawValue: 16)
  public static let webSearch = Capabilities(rawValue: 32)
  public static let listModels = Capabilities(rawValue: 64)
  public static let checkHealth = Capabilities(rawValue: 128)
  public static let json = Capabilities(rawValue: 256)
}
