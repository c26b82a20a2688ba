internal import CProviderABI
internal import ProviderContract
internal import Glibc

/// A plugin whose library is mapped and whose descriptor was accepted. It is never unloaded.
///
/// `@unchecked Sendable`: the table is the plugin's, static and immutable (C5).
package final class LoadedPlugin: @unchecked Sendable {
  /// The file that the operator put there.
  package let path: String
  /// The host's copy, which is what runs.
  package let copyPath: String
  package let sha256: String
  package let description: PluginDescription
  let table: UnsafePointer<prv_plugin>

  /// Maps a plugin that was found, for instances in this process.
  convenience init(_ found: FoundPlugin) throws(PluginFault) {
    let copy = PluginStore.Copy(path: found.copyPath, sha256: found.sha256, wasKnown: true)
    try self.init(path: found.path, copy: copy)
    guard description == found.description else {
      throw PluginFault(
        "its descriptor is not the one it had when it was looked at (PRV-R002)",
        remedy: "correct the plugin: the entry gives the same descriptor each time")
    }
  }

  private typealias Entry =
    @convention(c) (UnsafePointer<prv_handshake>?, UnsafeMutablePointer<prv_reply>?) -> Int32

  /// Maps `copy` and asks its entry for the descriptor; `flags` are those of prv_handshake.
  init(path: String, copy: PluginStore.Copy, flags: UInt32 = 0) throws(PluginFault) {
    guard let library = dlopen(copy.path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) else {
      throw PluginFault(
        "the system cannot link it: \(Self.linkerMessage(without: copy.path))",
        remedy: "install what it needs, or link it with -Wl,-z,defs to find what is missing")
    }
    guard let symbol = dlsym(library, "prv_plugin_entry_v1") else {
      throw PluginFault("it does not export prv_plugin_entry_v1", remedy: "export it (PRV_EXPORT in provider_abi.h)")
    }
    table = try Self.negotiate(unsafeBitCast(symbol, to: Entry.self), flags)
    description = try DescriptorReader.read(table)
    self.path = path
    copyPath = copy.path
    sha256 = copy.sha256
  }

  private static func negotiate(_ entry: Entry, _ flags: UInt32) throws(PluginFault) -> UnsafePointer<prv_plugin> {
    var handshake = prv_handshake()
    handshake.size = UInt32(MemoryLayout<prv_handshake>.size)
    handshake.flags = flags
    handshake.magic = UInt64(PRV_MAGIC)
    handshake.abi_minor = PRV_ABI_MINOR
    handshake.min_abi_minor = 0
    handshake.host_name = prv_str(HostName.name)
    handshake.host_version = prv_str(HostName.version)
    var reply = prv_reply()
    reply.size = UInt32(MemoryLayout<prv_reply>.size)
    let (status, sentence) = SinkText.gather { sink in
      reply.error = sink
      return entry(&handshake, &reply)
    }
    guard status == PRV_OK else {
      let quoted = sentence.isEmpty ? "and gave no reason" : "and said: \(sentence)"
      throw PluginFault("its entry answered \(status) \(quoted)", remedy: "rebuild the plugin for this host")
    }
    guard let plugin = reply.plugin else {
      throw PluginFault("its entry answered PRV_OK without a descriptor", remedy: "set prv_reply.plugin")
    }
    return plugin
  }

  /// What dlerror says, without the path that stands before it.
  private static func linkerMessage(without path: String) -> String {
    guard let message = dlerror() else { return "unknown error" }
    let text = String(cString: message)
    let prefix = path + ": "
    return text.utf8.starts(with: prefix.utf8) ? String(text.dropFirst(prefix.count)) : text
  }
}

/// The flags of prv_handshake, for those who do not import the header.
enum PluginHandshake {
  static let scan = UInt32(PRV_HANDSHAKE_SCAN)
  static let worker = UInt32(PRV_HANDSHAKE_WORKER)
}

/// How the host names itself to plugins.
enum HostName {
  static let name: StaticString = "patchbay"
  static let version: StaticString = "0.1.0"
}
