import CProviderABI
import EchoSwiftProvider
import ProviderAPI

/// All that the library exports.
@c @implementation
public func prv_plugin_entry_v1(
  _ handshake: UnsafePointer<prv_handshake>!, _ reply: UnsafeMutablePointer<prv_reply>!
) -> Int32 {
  PluginEntry.answer(handshake, reply, plugin: .plugin)
}
