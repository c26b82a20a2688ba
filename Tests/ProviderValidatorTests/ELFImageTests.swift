import Glibc
import Testing

@testable import ProviderValidator

/// What a compiler of this machine makes, whole, cut and changed.
struct ELFImageTests {
  /// A library with an entry, a helper that others see, one that they do not, and a needed library.
  private static let library: [UInt8] = {
    var template = Array("/tmp/patchbay-elf-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return [] }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let source = "\(directory)/a.c"
    let output = "\(directory)/a.so"
    defer {
      unlink(source)
      unlink(output)
      rmdir(directory)
    }
    guard let stream = fopen(source, "w") else { return [] }
    fputs(
      """
      #define OPEN __attribute__((visibility("default")))
      OPEN int prv_plugin_entry_v1(void) { return 0; }
      OPEN int data = 7;
      int hidden(void) { return 1; }
      static __thread int mine;
      OPEN int *weak(void) __attribute__((weak));
      int *weak(void) { return &mine; }
      """, stream)
    fclose(stream)
    let arguments: [String] = [
      "/usr/bin/cc", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-rpath,$ORIGIN/x:/opt/y", "-o", output, source,
    ]
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child = pid_t()
    guard posix_spawn(&child, "/usr/bin/cc", nil, nil, &words, environ) == 0 else { return [] }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return (try? PluginCopy.read(output)) ?? []
  }()

  @Test func `tells exports, needs, search path and segments`() throws {
    let image = try ELFImage(Self.library)
    let exports = image.exports.map { "\($0.name) \($0.isFunction)" }
    #expect(
      exports.contains("prv_plugin_entry_v1 true") && exports.contains("data false") && exports.contains("weak true"))
    #expect(!exports.contains { $0.hasPrefix("hidden") || $0.hasPrefix("mine") })
    #expect(!image.needed.isEmpty && image.needed.allSatisfy { $0.contains(".so") })
    #expect(image.searchPath == ["$ORIGIN/x", "/opt/y"])
    #expect(!image.hasTextRelocations && !image.usesStaticTLS)
    #expect(image.segments(ELFImage.Segment.threadLocal).map(\.memoryBytes) == [4])
    #expect(image.segments(ELFImage.Segment.stack).map(\.isExecutable) == [false])
    #expect(!image.segments(ELFImage.Segment.loaded).isEmpty)
  }

  /// Everything the reader looks at lies in the file's first segments; a cut anywhere is an error and never a trap.
  @Test func `a file cut at any byte is refused or read`() {
    let library = Self.library
    for length in stride(from: 0, to: library.count, by: library.count > 64_000 ? 61 : 7) {
      _ = try? ELFImage(Array(library[..<length]))
    }
    for length in 0..<min(2048, library.count) {
      #expect(throws: ELFImage.Fault.self) { try ELFImage(Array(library[..<length])) }
    }
  }

  @Test func `no changed byte of its tables is a trap`() {
    var random = SplitMix(seed: 42)
    let library = Self.library
    for _ in 0..<2000 {
      var changed = library
      for _ in 0..<(1 + Int(random.next() % 4)) {
        changed[Int(random.next() % UInt64(min(changed.count, 4096)))] = UInt8(truncatingIfNeeded: random.next())
      }
      _ = try? ELFImage(changed)
    }
  }

  @Test(arguments: [(0, UInt8(0)), (4, 1), (5, 2), (16, 2), (18, 3), (54, 57)])
  func `another kind of file is refused`(offset: Int, value: UInt8) {
    var changed = Self.library
    changed[offset] = value
    #expect(throws: ELFImage.Fault.self) { try ELFImage(changed) }
  }
}
