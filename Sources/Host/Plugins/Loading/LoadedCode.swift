internal import CLinux
internal import Glibc

/// The mapped code of plugins, as far as memory goes.
enum LoadedCode {
  private static let mapsBytesLimit = 4 << 20

  /// Gives the pages of the plugins' code back: the kernel maps a library's cached pages around each one that is
  /// touched, most of them for nothing. What runs again is mapped again from the page cache.
  ///
  /// Safe because code is mapped privately and never written: libraries with text relocations are refused.
  ///
  /// - Parameter copies: the paths of the libraries.
  static func giveBackPages(of copies: [String]) {
    let copies = Set(copies.map { absolute($0) })
    for line in maps().split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 5)
      guard words.count == 6, words[1] == "r-xp" else { continue }
      guard copies.contains(String(words[5].drop { $0 == " " })) else { continue }
      let bounds = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard bounds.count == 2, bounds[0] < bounds[1] else { continue }
      madvise(UnsafeMutableRawPointer(bitPattern: bounds[0]), Int(bounds[1] - bounds[0]), MADV_DONTNEED)
    }
  }

  private static func absolute(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func maps() -> String {
    let descriptor = clinux_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while text.count < mapsBytesLimit {
      let count = read(descriptor, &piece, piece.count)
      guard count > 0 else { break }
      text += piece[..<count]
    }
    return String(decoding: text, as: UTF8.self)
  }
}
