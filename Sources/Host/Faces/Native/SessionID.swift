import Bytes
import CLinux

/// 256 random bits as 43 URL-safe characters.
enum SessionID {
  static func make() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    let filled = bytes.withUnsafeMutableBytes { getrandom($0.baseAddress, $0.count, 0) }
    precondition(filled == 32, "the kernel gave \(filled) of 32 random bytes")
    return bytes.withUnsafeBytes { Array(Base64.encodeURLSafe($0).utf8) }
  }
}
