package import CProviderABI
internal import Glibc

/// A mapped plugin and its entry. It stays mapped: nothing of a plugin is ever unloaded.
///
/// `@unchecked Sendable`: the entry may be called from any thread (R002).
package struct PluginLibrary: @unchecked Sendable {
  package typealias Entry =
    @convention(c) (UnsafePointer<prv_handshake>?, UnsafeMutablePointer<prv_reply>?) -> Int32

  package let entry: Entry
  private let crumbs: Breadcrumbs

  package init(_ path: String, _ crumbs: Breadcrumbs) throws(CheckStop) {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let place = crumbs.begins("dlopen(\(name))")
    guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) else {
      let message = dlerror().map { String(cString: $0) } ?? "no reason given"
      throw CheckStop(.fail(expected: "the system links it with RTLD_NOW", found: Self.without(path, message)))
    }
    crumbs.ended("dlopen(\(name)) returned", at: place)
    guard let symbol = dlsym(handle, "prv_plugin_entry_v1") else {
      throw CheckStop(
        .fail(expected: "the symbol prv_plugin_entry_v1", found: "the system finds none", rule: "PRV-R001"))
    }
    entry = unsafeBitCast(symbol, to: Entry.self)
    self.crumbs = crumbs
  }

  /// Asks the entry with a handshake as this host makes it; `flags` are those of prv_handshake.
  package func ask(flags: UInt32 = PRV_HANDSHAKE_VALIDATE, _ change: (inout prv_handshake) -> Void = { _ in })
    -> EntryAnswer
  {
    lend("patchbay") { name in
      lend("0.1.0") { version in
        var handshake = prv_handshake()
        handshake.size = UInt32(MemoryLayout<prv_handshake>.size)
        handshake.flags = flags
        handshake.magic = UInt64(PRV_MAGIC)
        handshake.abi_minor = PRV_ABI_MINOR
        handshake.host_name = name
        handshake.host_version = version
        change(&handshake)
        return withUnsafePointer(to: handshake) { ask($0) }
      }
    }
  }

  /// Asks the entry with a handshake of the caller's.
  package func ask(_ handshake: UnsafePointer<prv_handshake>) -> EntryAnswer {
    var reply = prv_reply()
    return ask(handshake, into: &reply)
  }

  /// Asks the entry to fill in a reply of the caller's; its head and its sink are set here.
  package func ask(into reply: UnsafeMutablePointer<prv_reply>) -> EntryAnswer {
    var handshake = prv_handshake()
    handshake.size = UInt32(MemoryLayout<prv_handshake>.size)
    handshake.magic = UInt64(PRV_MAGIC)
    return withUnsafePointer(to: handshake) { ask($0, into: reply) }
  }

  private func ask(_ handshake: UnsafePointer<prv_handshake>, into reply: UnsafeMutablePointer<prv_reply>)
    -> EntryAnswer
  {
    let gathered = GatheredText()
    reply.pointee.size = UInt32(MemoryLayout<prv_reply>.size)
    reply.pointee.error = gathered.sink
    let status = crumbs.around("prv_plugin_entry_v1(flags \(handshake.pointee.flags))") { entry(handshake, reply) }
    return EntryAnswer(status: status, plugin: reply.pointee.plugin, sentence: gathered.text)
  }

  /// What dlerror says, without the path that stands before it.
  private static func without(_ path: String, _ message: String) -> String {
    message.hasPrefix("\(path): ") ? String(message.dropFirst(path.count + 2)) : message
  }
}

/// What the entry answered.
package struct EntryAnswer: CustomStringConvertible, @unchecked Sendable {  // the descriptor is [static]
  package var status: Int32
  package var plugin: UnsafePointer<prv_plugin>?
  /// What it wrote into `error`.
  package var sentence: String

  package var description: String {
    let descriptor = plugin == nil ? "no descriptor" : "a descriptor"
    return "status \(status), \(descriptor)\(sentence.isEmpty ? "" : ", and \"\(sentence)\"")"
  }
}
