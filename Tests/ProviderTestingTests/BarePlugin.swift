import CProviderABI
import ProviderTesting
import Synchronization

/// A plugin that does nothing by itself: the test speaks for it through `host`.
enum BarePlugin {
  /// `@unchecked Sendable`: tables that stay where they are.
  struct Pointer<Value>: @unchecked Sendable {
    var pointer: UnsafePointer<Value>
  }

  static let lastHost = Mutex<Pointer<prv_host>?>(nil)
  /// What call_open answers.
  static let openAnswer = Mutex<Int32>(PRV_OK)
  /// The functions of the plugin that were called: "cancel 1".
  static let heard = Mutex<[String]>([])

  static let table: Pointer<prv_plugin> = {
    var provider = prv_provider_desc()
    provider.size = UInt32(MemoryLayout<prv_provider_desc>.size)
    let providers = UnsafeMutablePointer<prv_provider_desc>.allocate(capacity: 1)
    providers.initialize(to: provider)
    var plugin = prv_plugin()
    plugin.size = UInt32(MemoryLayout<prv_plugin>.size)
    plugin.providers = UnsafePointer(providers)
    plugin.provider_count = 1
    plugin.provider_stride = UInt64(MemoryLayout<prv_provider_desc>.stride)
    plugin.create = { _, _, host, _, instance, _ in
      guard let host, let instance else { return PRV_E_INVALID_ARGUMENT }
      BarePlugin.lastHost.withLock { $0 = Pointer(pointer: host) }
      instance.pointee.destroy = { _ in BarePlugin.hear("destroy") }
      instance.pointee.stop = { _ in BarePlugin.hear("stop") }
      instance.pointee.call_open = { _, _, call, _, _ in
        let answer = BarePlugin.openAnswer.withLock { $0 }
        if answer == PRV_E_STATE {
          _ = BarePlugin.speak { host in host.pointee.done(host.pointee.ctx, call, BarePlugin.ok) }
        }
        return answer
      }
      instance.pointee.call_cancel = { _, _, reason in BarePlugin.hear("cancel \(reason)") }
      instance.pointee.call_resume = { _, _ in BarePlugin.hear("resume") }
      instance.pointee.call_close = { _, _ in BarePlugin.hear("close") }
      return PRV_OK
    }
    let table = UnsafeMutablePointer<prv_plugin>.allocate(capacity: 1)
    table.initialize(to: plugin)
    return Pointer(pointer: table)
  }()

  private static let okDone: Pointer<prv_done> = {
    let done = UnsafeMutablePointer<prv_done>.allocate(capacity: 1)
    done.initialize(to: prv_done())
    done.pointee.size = UInt32(MemoryLayout<prv_done>.size)
    return Pointer(pointer: done)
  }()
  static var ok: UnsafePointer<prv_done> { okDone.pointer }

  static func hear(_ word: String) { heard.withLock { $0.append(word) } }

  static func speak<Result>(_ body: (UnsafePointer<prv_host>) -> Result) -> Result {
    body(lastHost.withLock { $0! }.pointer)
  }

  /// A new instance on `host`; what was heard before is forgotten.
  static func instance(on host: MockHost) throws -> MockInstance {
    heard.withLock { $0 = [] }
    openAnswer.withLock { $0 = PRV_OK }
    return try host.makeInstance(
      table.pointer, provider: "bare", settings: #"{"base_url":"https://a.example","n":[7]}"#)
  }

  @discardableResult
  static func emit(_ call: prv_call, _ bytes: [UInt8] = [0x61], kind: UInt32 = PRV_EVENT_TEXT) -> Int32 {
    bytes.withUnsafeBytes { bytes in
      var event = prv_event()
      event.size = UInt32(MemoryLayout<prv_event>.size)
      event.kind = kind
      event.text = prv_str(
        ptr: bytes.baseAddress?.assumingMemoryBound(to: CChar.self), len: UInt64(bytes.count))
      return speak { $0.pointee.emit($0.pointee.ctx, call, &event) }
    }
  }

  @discardableResult
  static func done(_ call: prv_call) -> Int32 { speak { $0.pointee.done($0.pointee.ctx, call, ok) } }
}
