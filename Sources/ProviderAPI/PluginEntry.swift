public import CProviderABI

/// The library's one exported function, in one line:
///
///     @c @implementation
///     public func prv_plugin_entry_v1(
///       _ handshake: UnsafePointer<prv_handshake>!, _ reply: UnsafeMutablePointer<prv_reply>!
///     ) -> Int32 { PluginEntry.answer(handshake, reply, plugin: myPlugin) }
public enum PluginEntry {
  /// Answers the host's handshake with the plugin's table; pure, and the same each time (PRV-R002).
  public static func answer(
    _ handshake: UnsafePointer<prv_handshake>?, _ reply: UnsafeMutablePointer<prv_reply>?, plugin: PluginDescriptor
  ) -> Int32 {
    guard let handshake, let reply else { return PRV_E_INVALID_ARGUMENT }
    let given = prv_handshake(copying: handshake)
    var answer = prv_reply(copying: reply)
    guard given.magic == PRV_MAGIC else {
      answer.error("the handshake's magic is \(given.magic), expected \(PRV_MAGIC): the host is no Patchbay")
      return PRV_E_INCOMPATIBLE
    }
    guard given.min_abi_minor <= PRV_ABI_MINOR else {
      answer.error(
        "\(plugin.id) was built for provider ABI \(PRV_ABI_MAJOR).\(PRV_ABI_MINOR), the host asks for at least "
          + "\(PRV_ABI_MAJOR).\(given.min_abi_minor); rebuild the plugin")
      return PRV_E_INCOMPATIBLE
    }
    answer.plugin = PluginTable.table(of: plugin)
    answer.write(to: reply)
    return PRV_OK
  }
}
