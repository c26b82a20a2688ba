import Glibc
import Testing

@testable import Host

/// A temporary directory, removed with everything in it when the test lets go of it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/patchbay-tests-XXXXXX\0".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
    path = String(cString: try #require(made))
  }

  deinit { PluginFixture.run("/bin/rm", ["-rf", path]) }

  func write(_ bytes: [UInt8], to name: String, mode: mode_t = 0o644) throws -> String {
    let file = "\(path)/\(name)"
    let stream = try #require(fopen(file, "w"))
    _ = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, stream) }
    fclose(stream)
    chmod(file, mode)
    return file
  }

  func read(_ name: String) throws -> [UInt8] {
    let stream = try #require(fopen("\(path)/\(name)", "r"))
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, stream)
      if count == 0 { return bytes }
      bytes.append(contentsOf: buffer[..<count])
    }
  }
}

/// Plugins written in C, compiled by the tests from the header alone.
enum PluginFixture {
  private static let root = String(#filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 })

  /// Compiles `Fixtures/<source>.c` to `<directory>/<name>`.
  @discardableResult
  static func compile(
    _ source: String, _ options: [String] = [], to name: String, in directory: TemporaryDirectory
  ) throws -> String {
    let warnings = ["-Wall", "-Wextra", "-Wno-unused", "-Wno-unused-parameter", "-Werror"]
    return try compile(
      file: "Tests/HostTests/Fixtures/\(source).c",
      ["-std=c11", "-fvisibility=hidden", "-pthread", "-I\(root)/Tests/HostTests/Fixtures"] + warnings + options,
      to: name, in: directory)
  }

  /// Compiles one file of the repository as a stranger would: a C compiler and the header, nothing else.
  @discardableResult
  static func compile(
    file: String, _ options: [String], to name: String, in directory: TemporaryDirectory
  ) throws -> String {
    let output = "\(directory.path)/\(name)"
    let status = run(
      "/usr/bin/cc",
      ["-O1", "-shared", "-fPIC", "-I\(root)/Sources/CProviderABI/include", "-o", output, "\(root)/\(file)"] + options)
    try #require(status == 0, "cc could not compile \(file)")
    chmod(output, 0o755)
    return output
  }

  /// Runs a program to its end and returns its status.
  @discardableResult
  static func run(_ program: String, _ arguments: [String]) -> Int32 {
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child = pid_t()
    guard posix_spawn(&child, program, nil, nil, &words, environ) == 0 else { return -1 }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return status
  }
}
