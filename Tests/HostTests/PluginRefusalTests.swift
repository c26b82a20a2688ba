import Glibc
import Testing

@testable import Host

/// Every way in which a file is not taken as a plugin, with the sentence its owner reads.
@Suite struct PluginRefusalTests {
  private let directory: TemporaryDirectory
  private let state: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    state = try TemporaryDirectory()
  }

  private let scanner = InProcessScanner()

  private func scan() -> PluginScan {
    PluginScan.run(directories: [directory.path], store: PluginStore(stateDirectory: state.path), scanner: scanner)
  }

  /// The refusal of the only file, without the words every refusal begins with.
  private func refusal() throws -> String {
    let scan = scan()
    #expect(scan.found.isEmpty)
    let refusal = try #require(scan.refused.first)
    #expect(scan.refused.count == 1)
    #expect(refusal.description == "cannot load plugin \(refusal.path): \(refusal.reason); \(refusal.remedy)")
    return "\(refusal.reason); \(refusal.remedy)"
  }

  private func refusal(of options: String...) throws -> String {
    try PluginFixture.compile("refusals", options.map { "-D" + $0 }, to: "x.so", in: directory)
    return try refusal()
  }

  @Test func `a sound plugin is loaded`() throws {
    try PluginFixture.compile("refusals", to: "x.so", in: directory)
    let plugin = try #require(scan().found.first)
    #expect(plugin.description.id == "org.example.refused")
    #expect(plugin.description.providers.map(\.id) == ["refused"])
    #expect(plugin.path == directory.path + "/x.so")
    #expect(plugin.copyPath == "\(state.path)/plugins/\(plugin.sha256)/x.so")
  }

  @Test func `a file that is not ELF is refused`() throws {
    _ = try directory.write(Array("#!/bin/sh\n".utf8), to: "x.so")
    #expect(
      try refusal() == "not an ELF file; put only shared libraries named *.so into a plugin directory")
  }

  @Test func `an empty file is refused`() throws {
    _ = try directory.write([], to: "x.so")
    #expect(try refusal().hasPrefix("not an ELF file; "))
  }

  @Test func `a library cut at any place is refused`() throws {
    let whole = try TemporaryDirectory()
    try PluginFixture.compile("refusals", to: "x.so", in: whole)
    let bytes = try whole.read("x.so")
    #expect(throws: Never.self) { try bytes.withUnsafeBytes { try ELFLibrary($0).requireEntry() } }
    let loadedEnd = try #require(
      (4..<bytes.count).last { count in
        (try? bytes[..<count].withUnsafeBytes { try ELFLibrary($0).requireEntry() }) == nil
      })
    #expect(loadedEnd > 4096)
    for count in 4...loadedEnd {
      let fault = #expect(throws: PluginFault.self) {
        try bytes[..<count].withUnsafeBytes { try ELFLibrary($0).requireEntry() }
      }
      #expect(fault?.reason.contains("truncated ELF file: \(count) bytes found") == true)
    }
    _ = try directory.write(Array(bytes[..<loadedEnd]), to: "x.so")
    #expect(try refusal().hasSuffix("expected; copy the file again"))
  }

  @Test func `no damaged byte of the head harms the reader`() throws {
    try PluginFixture.compile("refusals", to: "x.so", in: directory)
    let bytes = try directory.read("x.so")
    var refused = 0
    for index in 0..<1024 {
      for value: UInt8 in [0, 0x7F, 0x80, 0xFF] {
        var damaged = bytes
        damaged[index] = value
        let isSound = (try? damaged.withUnsafeBytes { try ELFLibrary($0).requireEntry() }) != nil
        if !isSound { refused += 1 }
      }
    }
    #expect(refused > 100)
  }

  @Test func `a library for another machine is refused`() throws {
    let made = try TemporaryDirectory()
    try PluginFixture.compile("refusals", to: "x.so", in: made)
    var bytes = try made.read("x.so")
    bytes[18] = 243
    bytes[19] = 0
    _ = try directory.write(bytes, to: "x.so")
    #expect(try refusal().hasPrefix("built for riscv64, this host runs on "))
  }

  @Test func `a program is refused`() throws {
    let made = try TemporaryDirectory()
    try PluginFixture.compile("refusals", to: "x.so", in: made)
    var bytes = try made.read("x.so")
    bytes[16] = 2
    _ = try directory.write(bytes, to: "x.so")
    #expect(try refusal() == "an ELF file of type 2, not a shared library (3); link the plugin with -shared")
  }

  @Test(arguments: ["-Wl,--hash-style=gnu", "-Wl,--hash-style=sysv"])
  func `a library that is no plugin never runs its constructors`(style: String) throws {
    try PluginFixture.compile("refusals", ["-DCASE_CONSTRUCTOR", style], to: "x.so", in: directory)
    #expect(
      try refusal() == "it does not export prv_plugin_entry_v1; "
        + "export it (PRV_EXPORT in provider_abi.h), or move a library that is no plugin elsewhere")
  }

  @Test func `a plugin of another major is refused by name`() throws {
    #expect(try refusal(of: "CASE_OTHER_MAJOR") == "built for ABI major 3, this host speaks 1; rebuild the plugin")
  }

  @Test func `the sentence of an entry that fails is quoted`() throws {
    #expect(
      try refusal(of: "CASE_ENTRY_FAILS")
        == "its entry answered -3 and said: needs minor 7, the host speaks 0; rebuild the plugin for this host")
  }

  @Test func `an entry without a descriptor is refused`() throws {
    #expect(
      try refusal(of: "CASE_NO_DESCRIPTOR")
        == "its entry answered PRV_OK without a descriptor; set prv_reply.plugin")
  }

  @Test func `a missing symbol is named`() throws {
    let text = try refusal(of: "CASE_UNDEFINED")
    #expect(text.hasPrefix("the system cannot link it: undefined symbol: nobody_defines_this"))
  }

  @Test func `an uninitialised descriptor is refused`() throws {
    #expect(try refusal(of: "CASE_SIZE_ZERO").hasPrefix("prv_plugin has size 0, expected "))
  }

  @Test func `a descriptor without create is refused`() throws {
    #expect(
      try refusal(of: "CASE_NO_CREATE") == "its descriptor has no `create` function; fill in prv_plugin.create")
  }

  @Test func `a descriptor without providers is refused`() throws {
    #expect(try refusal(of: "CASE_NO_PROVIDERS").hasPrefix("it describes 0 providers, expected 1 to 64; "))
  }

  @Test func `a stride that fits no provider is refused`() throws {
    #expect(try refusal(of: "CASE_BAD_STRIDE").hasPrefix("its provider_stride is 13, expected a multiple of 8 of "))
  }

  @Test func `a provider that is too short is refused`() throws {
    #expect(try refusal(of: "CASE_SHORT_PROVIDER").hasPrefix("prv_provider_desc has size 16, expected "))
  }

  @Test func `a required service that nobody offers is named`() throws {
    #expect(
      try refusal(of: "CASE_UNKNOWN_SERVICE")
        == "its provider \"refused\" requires the service prv.telepathy/1, which this host does not offer; "
        + "update the host, or make the service optional")
  }

  @Test(arguments: ["Org.example", "example", "org..example", ""])
  func `a plugin id that is not reverse DNS is refused`(id: String) throws {
    let text = try refusal(of: "PLUGIN_ID=\"\(id)\"")
    #expect(text.hasPrefix("its id is \"\(id)\", expected reverse DNS of lower-case letters, digits, '-' and '.'; "))
  }

  @Test func `of two plugins with one id the first by name stays`() throws {
    try PluginFixture.compile("refusals", ["-DPROVIDER_ID=\"b\""], to: "b.so", in: directory)
    try PluginFixture.compile("refusals", ["-DPROVIDER_ID=\"a\""], to: "a.so", in: directory)
    let scan = scan()
    #expect(scan.found.map(\.path) == [directory.path + "/a.so"])
    #expect(scan.refused.map(\.reason) == ["its id org.example.refused is taken by \(directory.path)/a.so"])
  }

  @Test func `of two plugins with one provider the first directory's stays`() throws {
    let second = try TemporaryDirectory()
    try PluginFixture.compile("refusals", ["-DPLUGIN_ID=\"org.example.z\""], to: "z.so", in: directory)
    try PluginFixture.compile("refusals", ["-DPLUGIN_ID=\"org.example.a\""], to: "a.so", in: second)
    let scan = PluginScan.run(
      directories: [directory.path, second.path], store: PluginStore(stateDirectory: state.path), scanner: scanner)
    #expect(scan.found.map(\.path) == [directory.path + "/z.so"])
    #expect(scan.refused.map(\.reason) == ["its provider \"refused\" is already offered by \(directory.path)/z.so"])
  }

  @Test func `only files named as shared libraries are looked at`() throws {
    _ = try directory.write(Array("text".utf8), to: "README.md")
    _ = try directory.write(Array("text".utf8), to: ".hidden.so")
    _ = try directory.write(Array("text".utf8), to: "x.so.1")
    let scan = scan()
    #expect(scan.found.isEmpty && scan.refused.isEmpty)
  }

  @Test func `a directory that is not there holds nothing`() throws {
    let scan = PluginScan.run(
      directories: [directory.path + "/nowhere"], store: PluginStore(stateDirectory: state.path), scanner: scanner)
    #expect(scan.found.isEmpty && scan.refused.isEmpty)
  }
}
