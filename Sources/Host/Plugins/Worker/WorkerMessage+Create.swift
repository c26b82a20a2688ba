internal import Bytes
internal import ProviderContract

/// What a worker is told first: the plugin, and what its one instance is made with. No key is in it.
struct WorkerCreate {
  /// Stands for the key in the worker, so that it is asked for where the host will put it.
  static let keyPlaceholder = "key-of-the-host"

  var plan: InstancePlan
  var hasUpstream: Bool
  var graceMilliseconds: UInt64
  var logLevel: LogLevel

  func write(to message: inout ByteBuffer) {
    for text in [
      plan.plugin.path, plan.plugin.copyPath, plan.plugin.sha256, plan.providerID, plan.information.id,
      plan.information.pluginID, plan.information.baseURL, plan.settings.json,
    ] { message.appendField(text) }
    message.appendField(UInt32(truncatingIfNeeded: plan.origins.count))
    for origin in plan.origins { message.appendField(origin.url) }
    message.appendField(UInt32(plan.key == nil ? 0 : 1))
    message.appendField(UInt32(plan.isBlocking ? 1 : 0))
    message.appendField(UInt32(hasUpstream ? 1 : 0))
    message.appendField(graceMilliseconds)
    message.appendField(UInt32(logLevel.rawValue))
  }
}

extension WorkerCreate {
  init(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    let path = try fields.text(limit: 65_536)
    let copyPath = try fields.text(limit: 65_536)
    let sha256 = try fields.text(limit: 64)
    let providerID = try fields.text(limit: 64)
    let id = try fields.text(limit: 256)
    let pluginID = try fields.text(limit: 256)
    let baseURL = try fields.text(limit: 8192)
    let json = try fields.text(limit: 8 << 20)
    var origins: Set<UpstreamOrigin> = []
    for _ in 0..<(try fields.u32()) {
      let url = try fields.text(limit: 8192)
      guard let origin = UpstreamOrigin(url) else { throw WorkerFrameFault(found: url, expected: "an origin") }
      origins.insert(origin)
    }
    let key = try fields.flag() ? Self.keyPlaceholder : nil
    let isBlocking = try fields.flag()
    // What the plugin does not see of itself is left empty.
    let information = ProviderInformation(
      id: id, pluginID: pluginID, pluginPath: path, pluginVersion: "", displayName: "", capabilities: 0,
      temperatureMax: 2, defaultLimit: 0, modelsJSON: "", baseURL: baseURL)
    plan = InstancePlan(
      plugin: FoundPlugin(path: path, copyPath: copyPath, sha256: sha256, description: PluginDescription()),
      providerID: providerID, information: information, settings: VisibleSettings(json: json), origins: origins,
      key: key, isBlocking: isBlocking)
    hasUpstream = try fields.flag()
    graceMilliseconds = try fields.u64()
    logLevel = try fields.logLevel()
    try fields.end()
  }
}

/// A worker's first word: what its sandbox lacks.
struct WorkerHello: Equatable {
  static let version: UInt32 = 1
  private static let entriesLimit: UInt32 = 64

  var missing: [String]

  func write(to message: inout ByteBuffer) {
    message.appendField(Self.version)
    message.appendField(UInt32(truncatingIfNeeded: missing.count))
    for text in missing { message.appendField(text) }
  }

  init(missing: [String]) { self.missing = missing }

  init(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    let version = try fields.u32()
    guard version == Self.version else {
      throw WorkerFrameFault(found: "protocol \(version)", expected: "protocol \(Self.version)")
    }
    let count = try fields.u32()
    guard count <= Self.entriesLimit else {
      throw WorkerFrameFault(found: "\(count) lines in hello", expected: "at most \(Self.entriesLimit)")
    }
    missing = []
    for _ in 0..<count { missing.append(try fields.text(limit: 1024)) }
    try fields.end()
  }
}

extension PluginFault {
  func write(to message: inout ByteBuffer) {
    message.appendField(reason)
    message.appendField(remedy)
  }

  init(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    let reason = try fields.text(limit: 16 << 10)
    self.init(reason, remedy: try fields.text(limit: 16 << 10))
    try fields.end()
  }
}

extension WorkerFieldReader {
  mutating func logLevel() throws(WorkerFrameFault) -> LogLevel { LogLevel(rawValue: Int(try u32())) ?? .info }
}
