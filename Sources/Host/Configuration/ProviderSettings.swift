internal import Bytes
internal import JSON

/// One provider as the configuration or the environment names it.
package struct ProviderSettings: Sendable, Equatable {
  /// Where the provider's plugin runs.
  package enum Isolation: String, Sendable, CaseIterable {
    case inProcess = "in-process"
    case worker
  }

  /// Whether the upstream is asked for a stream.
  package enum UpstreamStream: String, Sendable, CaseIterable {
    /// Whenever the provider can: only so do cancel, the clocks and the outcome hold for a plain answer too.
    case always
    /// Only when the client asked for one.
    case asAsked = "as-asked"
  }

  /// The HTTP version spoken with the upstream.
  package enum HTTPVersion: String, Sendable, CaseIterable {
    case http1 = "1.1"
    case http2 = "2"
  }

  package struct Limits: Sendable, Equatable {
    /// Calls at once; nil: what the plugin's descriptor suggests.
    package var inFlight: Int?
    /// Calls that may wait for one of them; 0: none.
    package var queued = 0
    /// Whether the limit follows what the provider says of calls in flight, up to `inFlight`.
    package var isAdaptive = false

    package init(inFlight: Int? = nil, queued: Int = 0, isAdaptive: Bool = false) {
      self.inFlight = inFlight
      self.queued = queued
      self.isAdaptive = isAdaptive
    }
  }

  /// One model, as `prv.models/1` has it (provider_abi.h); all but the id may be absent.
  package struct Model: Sendable, Equatable {
    package var id: String
    package var aliases: [String] = []
    package var contextTokens: Int?
    package var outputTokens: Int?
    package var capabilities: [String] = []

    package init(id: String) { self.id = id }
  }

  /// Unique: "local".
  package var id: String
  /// The provider's id in its plugin: "openai-compatible".
  package var plugin: String
  package var isEnabled = true
  package var apiKey: Secret?
  /// nil: the plugin's default.
  package var baseURL: String?
  /// Empty: what the provider lists, or the plugin's catalogue.
  package var models: [Model] = []
  package var limits = Limits()
  /// nil: in process for the plugins shipped with the host, a worker for all others.
  package var isolation: Isolation?
  /// Of the plugin's file, 64 hexadecimal digits: another content is refused, and this one is trusted; nil: not pinned.
  package var sha256: String?
  package var upstreamStream = UpstreamStream.always
  package var httpVersion = HTTPVersion.http1
  /// Origins beside that of the base URL which the plugin may reach.
  package var allowedOrigins: [String] = []
  /// Asked of a new version of the plugin before it serves; nil: nothing is.
  package var canary: String?
  /// What only the plugin understands: a JSON object, handed to `create`.
  package var settingsJSON = "{}"
  /// Found in the environment, not in the file.
  package var isDetected = false

  /// Whether an instance made with `other` serves as well: limits are the host's, not the instance's.
  func makesTheSame(as other: ProviderSettings) -> Bool {
    var copy = self
    copy.limits = other.limits
    copy.isDetected = other.isDetected
    copy.canary = other.canary
    return copy == other
  }

  package init(id: String, plugin: String) {
    self.id = id
    self.plugin = plugin
  }

  /// The configured models as a `prv.models/1` array.
  package var modelsJSON: String {
    var text = ByteBuffer()
    text.append("[")
    for (index, model) in models.enumerated() {
      if index > 0 { text.append(",") }
      model.write(to: &text)
    }
    text.append("]")
    return text.string()
  }
}

extension ProviderSettings.Model {
  fileprivate func write(to text: inout ByteBuffer) {
    text.append("{\"id\":")
    text.appendJSON(string: id)
    if !aliases.isEmpty { Self.write("aliases", aliases, to: &text) }
    if let contextTokens {
      text.append(",\"context_tokens\":")
      text.appendDecimal(contextTokens)
    }
    if let outputTokens {
      text.append(",\"output_tokens\":")
      text.appendDecimal(outputTokens)
    }
    if !capabilities.isEmpty { Self.write("capabilities", capabilities, to: &text) }
    text.append("}")
  }

  private static func write(_ name: String, _ words: [String], to text: inout ByteBuffer) {
    text.append(",")
    text.appendJSON(string: name)
    for (index, word) in words.enumerated() {
      text.append(index == 0 ? ":[" : ",")
      text.appendJSON(string: word)
    }
    text.append("]")
  }
}
