import Glibc
import Testing

@Suite struct `The provider ABI` {
  @Test func `only grows: the header keeps every promise of the lock`() throws {
    let header = try HeaderParser.parse(try Self.read("include/provider_abi.h"))
    let lock = try ABIListing(lock: try Self.read("provider_abi.lock"))
    #expect(lock.promisesBroken(by: header) == [])
    guard getenv("PRV_ABI_LOCK") == nil else {
      if lock.promisesBroken(by: header).isEmpty { try Self.write(header.text, to: "provider_abi.lock") }
      return
    }
    #expect(
      lock == header, "the header has grown: run this test once with PRV_ABI_LOCK=write and commit provider_abi.lock")
  }

  @Test func `is asserted field by field in layout.c`() throws {
    let asserts = try Self.read("layout.c")
    for entry in try ABIListing(lock: try Self.read("provider_abi.lock")).structs {
      #expect(asserts.contains("BYTES(\(entry.name), \(entry.size));"))
      for field in entry.fields {
        #expect(asserts.contains("AT(\(entry.name), \(field.name), \(field.offset));"))
      }
    }
  }

  @Test func `has the layout in Swift that the lock says`() throws {
    for entry in try ABIListing(lock: try Self.read("provider_abi.lock")).structs {
      let swift = try #require(swiftLayouts[entry.name], "\(entry.name) is missing in SwiftLayouts.swift")
      #expect(swift.size == entry.size, "\(entry.name)")
      for field in entry.fields {
        #expect(swift.offsets[field.name] == field.offset, "\(entry.name).\(field.name)")
      }
    }
  }

  static func read(_ file: String) throws -> String {
    let descriptor = open(path(of: file), O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ABIListingError("cannot open \(file): errno \(errno)") }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      guard count >= 0 else { throw ABIListingError("cannot read \(file): errno \(errno)") }
      if count == 0 { return String(decoding: text, as: UTF8.self) }
      text += chunk[..<count]
    }
  }

  private static func write(_ text: String, to file: String) throws {
    let descriptor = open(path(of: file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw ABIListingError("cannot write \(file): errno \(errno)") }
    defer { close(descriptor) }
    let bytes = [UInt8](text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw ABIListingError("cannot write \(file): errno \(errno)")
    }
  }

  private static func path(of file: String) -> String {
    #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/Sources/CProviderABI/\(file)"
  }
}

@Suite struct `The comparison with the lock` {
  static let header = """
    /* a comment; with { braces */
    #ifndef PRV_H
    #define PRV_H
    #define PRV_ABI_MINOR 0u
    #define PRV_E_LIMIT (-8) /* a bound */
    typedef uint64_t prv_call;
    typedef struct prv_str { const char *ptr; uint64_t len; } prv_str;
    struct prv_later;
    typedef struct prv_host {
      uint32_t size;
      uint32_t flags;
      prv_str name; /* which */
      int32_t (*emit)(void *ctx, prv_call call);
      uint32_t limit;
    } prv_host;
    PRV_EXPORT int32_t prv_entry(const prv_str *text);
    #endif
    """

  private func broken(_ old: String, _ new: String) throws -> [String] {
    let lock = try ABIListing(lock: HeaderParser.parse(Self.header).text)
    #expect(Self.header.contains(old))
    return lock.promisesBroken(by: try HeaderParser.parse(Self.header.replacing(old, with: new)))
  }

  @Test func `reads back what it wrote`() throws {
    let listing = try HeaderParser.parse(Self.header)
    #expect(try ABIListing(lock: listing.text) == listing)
    #expect(listing.constants.map(\.name) == ["PRV_ABI_MINOR", "PRV_E_LIMIT"])
    #expect(listing.structs.map(\.size) == [16, 40])
    #expect(listing.structs[1].fields.map(\.offset) == [0, 4, 8, 24, 32])
    #expect(listing.structs[1].fields[3].type == "int32_t (*)(void *ctx, prv_call call)")
    #expect(listing.functions.map(\.name) == ["prv_entry"])
  }

  @Test(arguments: [
    ("  uint32_t limit;\n", "  uint32_t limit;\n  uint32_t depth;\n  void *more;\n"),
    ("#define PRV_E_LIMIT (-8)", "#define PRV_E_LIMIT (-8)\n#define PRV_E_NEW (-40)"),
    ("#define PRV_ABI_MINOR 0u", "#define PRV_ABI_MINOR 1u"),
    ("struct prv_later;", "typedef struct prv_later { uint32_t size; uint32_t flags; } prv_later;"),
    ("/* a bound */", "/* a limit */"),
  ])
  func `accepts what only appends`(old: String, new: String) throws {
    #expect(try broken(old, new) == [])
  }

  @Test(arguments: [
    ("#define PRV_E_LIMIT (-8)", "#define PRV_E_LIMIT (-9)", "constant PRV_E_LIMIT was -8, is -9"),
    ("#define PRV_E_LIMIT (-8)", "", "constant PRV_E_LIMIT was removed"),
    ("typedef uint64_t prv_call;", "typedef uint32_t prv_call;", "type prv_call was uint64_t, is uint32_t"),
    ("  uint32_t limit;\n", "", "field prv_host.limit was removed"),
    ("  uint32_t size;\n  uint32_t flags;", "  uint32_t flags;\n  uint32_t size;", "field 0 of prv_host was size at 0"),
    ("  uint32_t limit;\n", "  uint64_t limit;\n", "field 4 of prv_host was limit at 32: uint32_t, is limit at 32"),
    ("  prv_str name;", "  uint32_t first;\n  prv_str name;", "field 2 of prv_host was name at 8: prv_str, is first"),
    ("void *ctx, prv_call call", "void *ctx, prv_call *call", "field 3 of prv_host was emit"),
    ("uint64_t len; }", "uint64_t len; uint64_t more; }", "struct prv_str grew by more"),
    ("const prv_str *text", "const prv_str *text, int32_t n", "function prv_entry was int32_t prv_entry("),
  ])
  func `catches what changes a promise`(old: String, new: String, message: String) throws {
    let broken = try broken(old, new)
    #expect(broken.contains { $0.hasPrefix(message) }, "\(broken)")
  }

  @Test func `refuses a header or lock that it cannot read`() {
    #expect(throws: ABIListingError.self) { try HeaderParser.parse("enum prv_color { PRV_RED };") }
    #expect(throws: ABIListingError.self) { try HeaderParser.parse("typedef struct prv_x { long n; } prv_x;") }
    #expect(throws: ABIListingError.self) { try ABIListing(lock: "surprise PRV_OK = 0") }
  }
}
