public import CProviderABI
import OpenAICompatible
import ProviderAPI

/// All that the library exports (PRV-R001).
@c @implementation
public func prv_plugin_entry_v1(
  _ handshake: UnsafePointer<prv_handshake>!, _ reply: UnsafeMutablePointer<prv_reply>!
) -> Int32 {
  PluginEntry.answer(
    handshake, reply,
    plugin: PluginDescriptor(
      id: "org.patchbay.openai-compatible", name: "OpenAI-compatible", vendor: "Patchbay", version: "1.0.0",
      description: "Reaches any server that speaks the OpenAI chat format.", providers: [OpenAICompatible.self]))
}
