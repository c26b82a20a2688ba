/// Takes what looks like a key out of a provider's message: some repeat the key that they refuse.
enum KeyRedaction {
  /// Runs this long of letters and digits mixed are no words.
  private static let shortestKey = 16

  static func redact(_ message: String) -> String {
    var result = ""
    var run: [UInt8] = []
    func settle() {
      result += isKey(run) ? "[redacted]" : String(decoding: run, as: UTF8.self)
      run = []
    }
    for scalar in message.unicodeScalars {
      if scalar.isASCII, isKeyByte(UInt8(scalar.value)) {
        run.append(UInt8(scalar.value))
      } else {
        settle()
        result.unicodeScalars.append(scalar)
      }
    }
    settle()
    return result
  }

  private static func isKey(_ run: [UInt8]) -> Bool {
    if run.starts(with: "sk-".utf8), run.count > 3 { return true }
    return run.count >= shortestKey && (run.contains { (0x30...0x39).contains($0) } || run.contains(0x2A))
  }

  /// Letters, digits, `-`, `_`, `.` and the `*` of keys that are shown in part.
  private static func isKeyByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x2A: true
    default: false
    }
  }
}
