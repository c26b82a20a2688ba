import CProviderABI
import ProviderAPI

@c @implementation
public func prv_plugin_entry_v1(
  _ handshake: UnsafePointer<prv_handshake>!, _ reply: UnsafeMutablePointer<prv_reply>!
) -> Int32 {
  PluginEntry.answer(
    handshake, reply,
    plugin: PluginDescriptor(
      id: "com.example.echo-swift", name: "Echo in Swift", vendor: "Example", version: "1.0.0",
      providers: [EchoSwift.self]))
}
