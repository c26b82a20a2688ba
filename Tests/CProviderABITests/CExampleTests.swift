import CProviderABI
import Glibc
import ProviderTesting
import Testing

/// Builds Examples/c/echo.c as its author would and runs it on the mock host.
@Suite struct `The example in C` {
  let host = MockHost()

  /// Compiled once, loaded for good: a plugin is never unloaded.
  private static let library = Result { try CLibrary(compiling: "Examples/c/echo.c") }

  private func instance() throws -> MockInstance {
    try host.makeInstance(try Self.library.get().entry, provider: "echo-c")
  }

  @Test(arguments: [
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "hi"),
    ("{\"model\": \"x\", \"messages\" : [ {\"content\": \"a } ] , b\", \"role\": \"user\"} ]}", "a } ] , b"),
    (
      "{\"messages\":[{\"role\":\"user\",\"content\":\"1\"},{\"role\":\"assistant\",\"content\":\"2\"}],\"n\":[1,{}]}",
      "1"
    ),
    ("{\"n\":-1.5e3,\"t\":true,\"messages\":[{\"x\":null,\"role\":\"user\",\"content\":\"a\"}]}", "a"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"\\\"\\\\\\/\\n\\t\\r\\b\\f\"}]}", "\"\\/\n\t\r\u{8}\u{C}"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00é😀\"}]}", "Aé€😀é😀"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}", ""),
    ("{\"messages\":[]}", ""),
    ("{}", ""),
  ])
  func `answers with the last user message`(body: String, answer: String) throws {
    let call = try instance().open(PRV_CALL_CHAT, body: body)
    host.run()
    #expect(call.text == answer)
    #expect(call.finishReason == "stop")
    #expect(call.dones.map(\.status) == [PRV_OK])
    #expect(call.isClosed)
    #expect(host.violations.isEmpty)
  }

  @Test func `refuses what it cannot do, and providers it does not have`() throws {
    #expect(throws: MockFailure(status: PRV_E_UNSUPPORTED, message: "this provider only chats")) {
      try instance().open(PRV_CALL_MODELS)
    }
    let failure = #expect(throws: MockFailure.self) {
      try host.makeInstance(try Self.library.get().entry, provider: "echo-c2")
    }
    #expect(failure?.status == PRV_E_NOT_FOUND)
    #expect(host.violations.isEmpty)
  }
}

/// A provider library made of one C file.
private struct CLibrary: @unchecked Sendable {  // a function of a library that stays loaded
  let entry: MockHost.Entry

  init(compiling source: String) throws {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    var template = Array("/tmp/patchbay-example-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ABIListingError("mkdtemp: errno \(errno)") }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let library = "\(directory)/echo.so"
    defer {
      unlink(library)
      rmdir(directory)
    }
    try Self.run([
      "cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
      "-I", "\(root)/Sources/CProviderABI/include", "-o", library, "\(root)/\(source)",
    ])
    guard let handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE),
      let symbol = dlsym(handle, "prv_plugin_entry_v1")
    else { throw ABIListingError(String(cString: dlerror())) }
    typealias Function = @convention(c) (UnsafePointer<prv_handshake>?, UnsafeMutablePointer<prv_reply>?) -> Int32
    let function = unsafeBitCast(symbol, to: Function.self)
    entry = { function($0, $1) }
  }

  private static func run(_ arguments: [String]) throws {
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var process: pid_t = 0
    let spawned = posix_spawnp(&process, arguments[0], nil, nil, &pointers, environ)
    guard spawned == 0 else { throw ABIListingError("cannot run \(arguments[0]): errno \(spawned)") }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { throw ABIListingError("cannot wait for \(arguments[0]): errno \(errno)") }
    }
    guard status == 0 else { throw ABIListingError("\(arguments[0]) refused \(arguments.last ?? "")") }
  }
}
