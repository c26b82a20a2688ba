import CProviderABI
import Glibc

/// A boundary struct that begins with `size` and may be shorter or longer than ours (provider_abi.h C1).
protocol SizedStruct {
  init()
  var size: UInt32 { get set }
}

extension SizedStruct {
  /// Takes over what the producer's `size` covers; the rest stays zero, which reads as "not provided".
  init(copying pointer: UnsafeRawPointer) {
    self.init()
    let given = Int(pointer.loadUnaligned(as: UInt32.self))
    let bytes = min(given, MemoryLayout<Self>.size)
    withUnsafeMutableBytes(of: &self) { _ = memcpy($0.baseAddress!, pointer, bytes) }
  }

  /// Writes what the receiver's `size` covers; `size` becomes ours where we are shorter.
  func write(to pointer: UnsafeMutableRawPointer) {
    let bytes = min(Int(pointer.loadUnaligned(as: UInt32.self)), MemoryLayout<Self>.size)
    var copy = self
    copy.size = UInt32(bytes)
    withUnsafeBytes(of: &copy) { _ = memcpy(pointer, $0.baseAddress!, bytes) }
  }

  /// A zeroed struct that knows its size.
  static func sized() -> Self {
    var fresh = Self()
    fresh.size = UInt32(MemoryLayout<Self>.size)
    return fresh
  }
}

extension prv_handshake: SizedStruct {}
extension prv_reply: SizedStruct {}
extension prv_plugin: SizedStruct {}
extension prv_provider_desc: SizedStruct {}
extension prv_provider: SizedStruct {}
extension prv_host: SizedStruct {}
extension prv_call_request: SizedStruct {}
extension prv_file: SizedStruct {}
extension prv_tool: SizedStruct {}
extension prv_tools_v1: SizedStruct {}
extension prv_file_argument: SizedStruct {}
extension prv_files_v1: SizedStruct {}
extension prv_event: SizedStruct {}
extension prv_usage: SizedStruct {}
extension prv_done: SizedStruct {}
extension prv_log_v1: SizedStruct {}
extension prv_time_v1: SizedStruct {}
extension prv_exec_v1: SizedStruct {}
extension prv_config_v1: SizedStruct {}
extension prv_http_v1: SizedStruct {}
extension prv_http_request: SizedStruct {}
extension prv_http_result: SizedStruct {}
extension prv_http_callbacks: SizedStruct {}
