import Glibc
import Testing

@testable import ProviderValidator

/// A sample that is broken in one way, and the check that must find it.
struct ChatSample: Sendable, CustomTestStringConvertible {
  /// As chat_sample.c names it.
  var fault: String
  /// nil: every check passes.
  var check: String?

  var testDescription: String { fault }

  static let all = [
    ChatSample(fault: "NONE", check: nil),
    ChatSample(fault: "MODELS_BASIC", check: "models-basic"),
    ChatSample(fault: "MODELS_ERRORS", check: "models-upstream-errors"),
    ChatSample(fault: "HEALTH", check: "health-states"),
    ChatSample(fault: "CHAT_BASIC", check: "chat-basic"),
    ChatSample(fault: "NONSTREAM", check: "chat-nonstream"),
    ChatSample(fault: "CHUNKING", check: "stream-chunking-prime"),
    ChatSample(fault: "SPLIT_UTF8", check: "stream-chunking-prime"),
    ChatSample(fault: "ORDER", check: "stream-order"),
    ChatSample(fault: "DONE_TWICE", check: "stream-done-exactly-once"),
    ChatSample(fault: "TOOL_CALLS", check: "stream-tool-calls"),
    ChatSample(fault: "ERROR_MAPPING", check: "stream-error-mapping"),
    ChatSample(fault: "TRUNCATED", check: "stream-truncated-upstream"),
    ChatSample(fault: "UNKNOWN_FIELDS", check: "stream-unknown-upstream-fields"),
    ChatSample(fault: "DEAF_EARLY", check: "cancel-before-first-byte"),
    ChatSample(fault: "CANCEL_MID", check: "cancel-mid-stream"),
    ChatSample(fault: "CANCEL_RACE", check: "cancel-race-with-done"),
    ChatSample(fault: "DEAF_HEAD", check: "cancel-releases-upstream"),
    ChatSample(fault: "DEAF_DEADLINE", check: "deadline-honoured"),
    ChatSample(fault: "GREEDY", check: "backpressure-slow-consumer"),
    ChatSample(fault: "CROSSTALK", check: "concurrent-streams-64"),
    ChatSample(fault: "THREAD_LOCAL", check: "thread-hopping"),
    ChatSample(fault: "BLOCKING", check: "no-blocking"),
    ChatSample(fault: "BORROWED", check: "borrowed-memory-poison"),
    ChatSample(fault: "DEAF_STOP", check: "stop-with-open-streams"),
    ChatSample(fault: "LATE", check: "late-calls-after-destroy"),
    ChatSample(fault: "NOISY", check: "stdout-stderr-silent"),
    ChatSample(fault: "SECRET", check: "log-no-secrets"),
    ChatSample(fault: "REDIRECT", check: "headers-and-url-hygiene"),
    ChatSample(fault: "FUZZ_UPSTREAM", check: "fuzz-upstream-bytes"),
    ChatSample(fault: "FUZZ_REQUEST", check: "fuzz-request-json"),
    ChatSample(fault: "SOAK", check: "soak"),
  ]

  /// Compiles it as a stranger would, and gives its path. The caller removes the directory.
  func compile(in directory: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    let output = "\(directory)/\(fault.lowercased()).so"
    try Self.run(
      "/usr/bin/cc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
      "-pthread", "-DFAULT=FAULT_\(fault)", "-I\(root)/Sources/CProviderABI/include", "-o", output,
      "\(root)/Tests/ProviderValidatorTests/Fixtures/chat_sample.c")
    chmod(output, 0o755)
    return output
  }

  private static func run(_ words: String...) throws {
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var child = pid_t()
    try #require(posix_spawn(&child, words[0], nil, nil, &arguments, environ) == 0)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    try #require(status == 0, "\(words[0]) ended with \(status)")
  }
}
