/// What a plugin says of itself: its descriptor, checked and copied.
package struct PluginDescription: Sendable, Equatable {
  package var id = ""
  package var name = ""
  package var vendor = ""
  package var version = ""
  package var summary = ""
  package var url = ""
  package var license = ""
  package var sdk = ""
  package var toolchain = ""
  package var abiMinor: UInt32 = 0
  package var providers: [ProviderDescription] = []

  package init() {}
}

/// One provider that a plugin offers.
package struct ProviderDescription: Sendable, Equatable {
  package var id = ""
  package var displayName = ""
  package var capabilities: UInt64 = 0
  package var configSchemaJSON = ""
  package var defaultBaseURL = ""
  package var requiredServices: [String] = []
  package var optionalServices: [String] = []
  /// The largest temperature a request may ask for.
  package var temperatureMax = 2.0
  /// A sensible limit of calls in flight; 0: the host's.
  package var maxConcurrency: UInt32 = 0
  /// A prv.models/1 array; empty: none.
  package var modelsJSON = ""
  /// `call_open` may block: only a worker process may run it.
  package var isBlocking = false
  /// Useless without an API key.
  package var needsKey = false

  package init() {}
}
