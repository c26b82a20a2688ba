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
  /// What it contributes beside chats (prv.tools/1).
  package var tools: [ToolOffer] = []

  package init() {}
}

/// A tool as its plugin describes it.
package struct ToolOffer: Sendable, Equatable {
  package var name: String
  package var summary: String
  /// As the plugin wrote it, not yet read.
  package var inputSchemaJSON: String
  /// It may be tried again after a failure.
  package var isRepeatable: Bool
  /// The argument through which files come; nil: there is none.
  package var files: FilesOffer?

  package init(
    name: String = "", summary: String = "", inputSchemaJSON: String = "", isRepeatable: Bool = false,
    files: FilesOffer? = nil
  ) {
    self.name = name
    self.summary = summary
    self.inputSchemaJSON = inputSchemaJSON
    self.isRepeatable = isRepeatable
    self.files = files
  }
}

/// An argument for files (prv.files/1).
package struct FilesOffer: Sendable, Equatable {
  package var argument: String
  /// 1: the argument is one file, not an array.
  package var countLimit: Int
  /// Of one file's content; 0: what the host takes.
  package var bytesLimit: Int

  package init(argument: String = "", countLimit: Int = 1, bytesLimit: Int = 0) {
    self.argument = argument
    self.countLimit = countLimit
    self.bytesLimit = bytesLimit
  }
}
