import CLinux
import Glibc
import Host

/// Asks a running host something at its control socket.
enum ControlClient {
  struct Answer {
    var isApplied: Bool
    var text: String
  }

  /// nil: nobody is there; errno says why.
  static func ask(_ command: String, at path: String) -> Answer? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    guard var address = UnixAddress(path), address.connect(descriptor) else { return nil }
    Terminal.write(command + "\n", to: descriptor)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    return Answer(isApplied: lines.first == "ok", text: lines.dropFirst().joined(separator: "\n"))
  }
}
