package import Decisions
package import Wire

/// The one seam through which the host reaches a provider, wherever its code runs (PROVIDER-ABI: in process now, in a
/// worker later). Shaped as messages: open, event, done, cancel, resume.
///
/// Thread: `information` any; the rest on the event loop of the call.
package protocol ProviderInstance: AnyObject, Sendable {
  /// What the plugin's descriptor and the configuration say.
  var information: ProviderInformation { get }

  /// Whether it will never serve again, though nobody stopped it: its plugin is in quarantine. Thread: any.
  var isSpent: Bool { get }

  /// Begins a call. `request` and what it points to are borrowed until this returns. Events may reach `sink` before
  /// it returns; they always come on `loop`. The instance holds `sink` strongly until `providerDone` was called or
  /// `release` was.
  func open(_ request: ProviderRequest, sink: any ProviderCallSink, on loop: EventLoop) throws(ProviderFailure)
    -> ProviderCallID

  /// Aborts the call's upstream exchanges and tells the plugin to stop. `providerDone` still comes unless the call is
  /// released. Cancelling a call that has ended does nothing.
  func cancel(_ call: ProviderCallID, reason: ProviderCancelReason, on loop: EventLoop)

  /// After the sink answered `.pause`: the plugin may go on, its exchanges are read again.
  func resume(_ call: ProviderCallID, on loop: EventLoop)

  /// The host no longer listens: cancels when that was not done, and drops the sink at once. The plugin's `done` may
  /// come any time later and harms nobody.
  func release(_ call: ProviderCallID, reason: ProviderCancelReason, on loop: EventLoop)
}

/// A call as its instance knows it: index and generation, valid on its loop; a stale one is ignored.
package struct ProviderCallID: Hashable, Sendable {
  package var rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Where the events of one call go. Every function is called on the call's loop, never from inside a call into the
/// instance except `open`.
package protocol ProviderCallSink: AnyObject {
  /// One event; its buffers are borrowed. The answer is what the plugin's `emit` returns.
  func providerEvent(_ event: ProviderEvent) -> ProviderFlow
  /// The connection to the upstream stands, or answered (feeds the connect and first-token clocks).
  func providerPhase(_ phase: ProviderPhase)
  /// The last function for this call.
  func providerDone(_ end: ProviderEnd)
}

package enum ProviderFlow: Sendable { case proceed, pause, cancelled }
package enum ProviderPhase: Sendable { case connected, headers }
package enum ProviderCancelReason: UInt32, Sendable { case client = 1, deadline = 2, stop = 3 }
package enum ProviderCallKind: UInt32, Sendable { case chat = 1, models = 2, health = 3, tool = 4 }

/// What a call asks for. Buffers are borrowed for the duration of `open`.
package struct ProviderRequest {
  package var kind: ProviderCallKind
  package var wantsStream: Bool
  package var attempt: UInt32
  package var deadline: Instant
  package var connectTimeoutNanoseconds: UInt64
  package var requestID: UnsafeRawBufferPointer
  package var model: UnsafeRawBufferPointer
  package var bodySchema: StaticString
  package var body: UnsafeRawBufferPointer
  /// What came with the call (prv.files/1).
  package var files: [ProviderFile]
  /// Told to the upstream with each exchange, by the host: a plugin knows nothing of it. nil: nothing is.
  package var trace: TraceContext?

  package init(
    kind: ProviderCallKind, wantsStream: Bool, attempt: UInt32, deadline: Instant, connectTimeoutNanoseconds: UInt64,
    requestID: UnsafeRawBufferPointer, model: UnsafeRawBufferPointer, bodySchema: StaticString,
    body: UnsafeRawBufferPointer, files: [ProviderFile] = [], trace: TraceContext? = nil
  ) {
    self.kind = kind
    self.wantsStream = wantsStream
    self.attempt = attempt
    self.deadline = deadline
    self.connectTimeoutNanoseconds = connectTimeoutNanoseconds
    self.requestID = requestID
    self.model = model
    self.bodySchema = bodySchema
    self.body = body
    self.files = files
    self.trace = trace
  }
}

/// A provider's identity and abilities, from its descriptor and the configuration.
package struct ProviderInformation: Sendable {
  package var id: String
  package var pluginID: String
  package var pluginPath: String
  package var pluginVersion: String
  package var displayName: String
  package var capabilities: UInt64
  package var temperatureMax: Double
  package var defaultLimit: Int
  /// The built-in catalogue (prv.models/1 array), or what the configuration lists.
  package var modelsJSON: String
  package var baseURL: String
  /// What it contributes beside chats.
  package var tools: [ToolOffer]

  package init(
    id: String, pluginID: String, pluginPath: String, pluginVersion: String, displayName: String, capabilities: UInt64,
    temperatureMax: Double, defaultLimit: Int, modelsJSON: String, baseURL: String,
    tools: [ToolOffer] = []
  ) {
    self.id = id
    self.pluginID = pluginID
    self.pluginPath = pluginPath
    self.pluginVersion = pluginVersion
    self.displayName = displayName
    self.capabilities = capabilities
    self.temperatureMax = temperatureMax
    self.defaultLimit = defaultLimit
    self.modelsJSON = modelsJSON
    self.baseURL = baseURL
    self.tools = tools
  }
}
