internal import Bytes
internal import CLinux
internal import Glibc

/// Which plugins may run in the host's own process when the configuration does not say.
package enum PluginTrust: Sendable, Equatable {
  /// All: for tests, and tools that are thrown away themselves.
  case all
  /// Those that came with the host, by the SHA-256 of their content.
  case shipped(Set<String>)

  private static let bytesLimit = 1 << 20

  /// What the `SHA256SUMS` beside this program, or in `../lib/patchbay` of it, lists. None when there is no such file.
  package static func ofThisProgram() -> PluginTrust {
    guard let resolved = realpath("/proc/self/exe", nil) else { return .shipped([]) }
    defer { free(resolved) }
    let program = String(cString: resolved)
    guard let slash = program.utf8.lastIndex(of: 0x2F) else { return .shipped([]) }
    let directory = String(program[..<slash])
    for path in ["\(directory)/SHA256SUMS", "\(directory)/../lib/patchbay/SHA256SUMS"] {
      if let text = read(path) { return .shipped(hashes(in: text)) }
    }
    return .shipped([])
  }

  func trusts(_ sha256: String) -> Bool {
    switch self {
    case .all: true
    case .shipped(let hashes): hashes.contains(sha256)
    }
  }

  /// The first words of the lines of `sha256sum`'s output.
  static func hashes(in text: String) -> Set<String> {
    Set(
      text.split(separator: "\n").compactMap { line in
        let word = line.prefix { $0 != " " }
        return word.utf8.count == 64 && word.utf8.allSatisfy(isHexDigit) ? String(word) : nil
      })
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
  }

  private static func read(_ path: String) -> String? {
    let descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    // Whoever writes this file decides what runs in the host.
    guard fstat(descriptor, &status) == 0, status.st_uid == 0 || status.st_uid == geteuid(),
      status.st_mode & (S_IWGRP | S_IWOTH) == 0
    else { return nil }
    var text = ByteBuffer()
    while text.count < bytesLimit {
      let room = text.writable(65_536)
      let count = Glibc.read(descriptor, room.baseAddress, room.count)
      guard count > 0 else { break }
      text.commit(count)
    }
    return text.string()
  }
}
