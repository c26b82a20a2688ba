internal import Glibc

/// A signal's name for people: `SIGSEGV (Segmentation fault)`.
enum SignalName {
  private static let names: [Int32: String] = [
    SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGILL: "SIGILL", SIGSEGV: "SIGSEGV", SIGTRAP: "SIGTRAP",
    SIGKILL: "SIGKILL", SIGPIPE: "SIGPIPE", SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGSYS: "SIGSYS", SIGALRM: "SIGALRM",
  ]

  static func of(_ signal: Int32) -> String {
    let meaning = strsignal(signal).map { String(cString: $0) } ?? "unknown"
    return "\(names[signal] ?? "signal \(signal)") (\(meaning))"
  }
}
