/// The head and the dynamic symbols of an ELF shared library, read without loading it, so that a file that is no
/// plugin of ours never runs its constructors.
///
/// Every offset comes from the file and is checked before it is used; the bytes are borrowed.
struct ELFLibrary {
  /// The machine this host was built for, as ELF numbers it.
  #if arch(x86_64)
    static let ownMachine: UInt16 = 62
  #elseif arch(arm64)
    static let ownMachine: UInt16 = 183
  #endif

  private static let headerBytes = 64
  private static let segmentBytes = 56
  private static let segmentsLimit = 512
  private static let dynamicEntriesLimit = 4096

  private struct Segment {
    var offset: UInt64
    var address: UInt64
    var fileBytes: UInt64
  }

  private let bytes: UnsafeRawBufferPointer
  private var loaded: [Segment] = []
  private var symbols: UInt64 = 0
  private var strings: UInt64 = 0
  private var stringsBytes: UInt64 = 0
  private var gnuHash: UInt64?
  private var classicHash: UInt64?

  init(_ bytes: UnsafeRawBufferPointer) throws(PluginFault) {
    self.bytes = bytes
    guard bytes.count >= 4, bytes[0] == 0x7F, bytes[1] == 0x45, bytes[2] == 0x4C, bytes[3] == 0x46 else {
      throw PluginFault("not an ELF file", remedy: "put only shared libraries named *.so into a plugin directory")
    }
    guard bytes.count >= Self.headerBytes else { throw Self.truncated(Self.headerBytes, bytes.count) }
    guard bytes[4] == 2, bytes[5] == 1 else {
      throw PluginFault("not a 64-bit little-endian ELF file", remedy: "build the plugin for this machine")
    }
    let type: UInt16 = try read(at: 16)
    let machine: UInt16 = try read(at: 18)
    guard machine == Self.ownMachine else {
      throw PluginFault(
        "built for \(Self.machineName(machine)), this host runs on \(Self.machineName(Self.ownMachine))",
        remedy: "build the plugin for this machine")
    }
    guard type == 3 else {
      throw PluginFault("an ELF file of type \(type), not a shared library (3)", remedy: "link the plugin with -shared")
    }
    try readSegments()
  }

  private mutating func readSegments() throws(PluginFault) {
    let table: UInt64 = try read(at: 32)
    let entryBytes: UInt16 = try read(at: 54)
    let count: UInt16 = try read(at: 56)
    guard Int(entryBytes) == Self.segmentBytes, count <= Self.segmentsLimit, table <= UInt64(bytes.count) else {
      throw Self.malformed("its program header table")
    }
    var dynamic: Segment?
    for index in 0..<UInt64(count) {
      let base = table + index * UInt64(Self.segmentBytes)
      let type: UInt32 = try read(at: base)
      guard type == 1 || type == 2 else { continue }
      let segment = Segment(
        offset: try read(at: base + 8), address: try read(at: base + 16), fileBytes: try read(at: base + 32))
      let (end, over) = segment.offset.addingReportingOverflow(segment.fileBytes)
      guard !over, end <= UInt64(bytes.count) else { throw Self.truncated(Int(clamping: end), bytes.count) }
      if type == 1 { loaded.append(segment) } else { dynamic = segment }
    }
    guard let dynamic else { throw Self.malformed("its dynamic section, which is missing") }
    try readDynamic(dynamic)
  }

  private mutating func readDynamic(_ dynamic: Segment) throws(PluginFault) {
    var symbolTable: UInt64?
    var stringTable: UInt64?
    let count = min(dynamic.fileBytes / 16, UInt64(Self.dynamicEntriesLimit))
    entries: for index in 0..<count {
      let base = dynamic.offset + index * 16
      let tag: UInt64 = try read(at: base)
      let value: UInt64 = try read(at: base + 8)
      switch tag {
      case 0: break entries
      case 4: classicHash = try fileOffset(of: value)
      case 5: stringTable = try fileOffset(of: value)
      case 6: symbolTable = try fileOffset(of: value)
      case 10: stringsBytes = value
      case 22: throw Self.textRelocations
      case 30 where value & 4 != 0: throw Self.textRelocations
      case 0x6FFF_FEF5: gnuHash = try fileOffset(of: value)
      default: continue
      }
    }
    guard let symbolTable, let stringTable else { throw Self.malformed("its dynamic symbol table, which is missing") }
    symbols = symbolTable
    strings = stringTable
  }

  /// Whether `name` is a defined dynamic symbol, found as the system's loader finds it: through the hash table.
  func exports(_ name: String) throws(PluginFault) -> Bool {
    let name = Array(name.utf8)
    if let gnuHash { return try exports(name, gnuHash: gnuHash) }
    if let classicHash { return try exports(name, classicHash: classicHash) }
    return false
  }

  private func exports(_ name: [UInt8], gnuHash table: UInt64) throws(PluginFault) -> Bool {
    var hash: UInt32 = 5381
    for byte in name { hash = hash &* 33 &+ UInt32(byte) }
    let buckets: UInt32 = try read(at: table)
    let firstSymbol: UInt32 = try read(at: table + 4)
    let bloomWords: UInt32 = try read(at: table + 8)
    guard buckets > 0 else { return false }
    let bucketTable = table + 16 + UInt64(bloomWords) * 8
    let chainTable = bucketTable + UInt64(buckets) * 4
    var symbol: UInt32 = try read(at: bucketTable + UInt64(hash % buckets) * 4)
    guard symbol >= firstSymbol, symbol != 0 else { return false }
    while true {
      // Ends at the chain's mark, or throws at the end of the file.
      let chained: UInt32 = try read(at: chainTable + UInt64(symbol - firstSymbol) * 4)
      if chained | 1 == hash | 1, try isDefined(symbol, as: name) { return true }
      if chained & 1 == 1 || symbol == .max { return false }
      symbol += 1
    }
  }

  private func exports(_ name: [UInt8], classicHash table: UInt64) throws(PluginFault) -> Bool {
    let count: UInt32 = try read(at: table + 4)
    guard UInt64(count) * 24 <= UInt64(bytes.count) else { throw Self.malformed("its symbol hash table") }
    for symbol in 0..<count where try isDefined(symbol, as: name) { return true }
    return false
  }

  private func isDefined(_ symbol: UInt32, as name: [UInt8]) throws(PluginFault) -> Bool {
    let base = symbols + UInt64(symbol) * 24
    let nameOffset: UInt32 = try read(at: base)
    let information: UInt8 = try read(at: base + 4)
    let section: UInt16 = try read(at: base + 6)
    guard section != 0, information >> 4 == 1 || information >> 4 == 2 else { return false }
    let start = strings + UInt64(nameOffset)
    guard UInt64(nameOffset) + UInt64(name.count) < stringsBytes,
      start + UInt64(name.count) < UInt64(bytes.count)
    else { return false }
    let text = bytes[Int(start)..<Int(start) + name.count]
    return text.elementsEqual(name) && bytes[Int(start) + name.count] == 0
  }

  private func fileOffset(of address: UInt64) throws(PluginFault) -> UInt64 {
    for segment in loaded where address >= segment.address && address - segment.address < segment.fileBytes {
      return segment.offset + (address - segment.address)
    }
    throw Self.malformed("its dynamic section, which points outside the file")
  }

  private func read<Value: FixedWidthInteger>(at offset: UInt64) throws(PluginFault) -> Value {
    guard offset <= UInt64(bytes.count), UInt64(bytes.count) - offset >= UInt64(MemoryLayout<Value>.size) else {
      throw Self.truncated(Int(clamping: offset) &+ MemoryLayout<Value>.size, bytes.count)
    }
    return bytes.loadUnaligned(fromByteOffset: Int(offset), as: Value.self)
  }

  private static func truncated(_ expected: Int, _ found: Int) -> PluginFault {
    PluginFault(
      "a truncated ELF file: \(found) bytes found, at least \(expected) expected", remedy: "copy the file again")
  }

  /// Code that is written to when it is loaded (DT_TEXTREL) can be neither shared nor given back to the system.
  private static var textRelocations: PluginFault {
    PluginFault("it relocates its own code (DT_TEXTREL)", remedy: "compile it with -fPIC")
  }

  private static func malformed(_ what: String) -> PluginFault {
    PluginFault("a malformed ELF file: unexpected \(what)", remedy: "rebuild the plugin")
  }

  private static func machineName(_ machine: UInt16) -> String {
    switch machine {
    case 3: "x86"
    case 40: "arm"
    case 62: "x86_64"
    case 183: "aarch64"
    case 243: "riscv64"
    default: "machine \(machine)"
    }
  }
}

extension ELFLibrary {
  /// Refuses a library that does not export the entry of this host's ABI major (PRV-R001).
  func requireEntry() throws(PluginFault) {
    if try exports("prv_plugin_entry_v1") { return }
    for major in 2...9 where try exports("prv_plugin_entry_v\(major)") {
      throw PluginFault("built for ABI major \(major), this host speaks 1", remedy: "rebuild the plugin")
    }
    throw PluginFault(
      "it does not export prv_plugin_entry_v1",
      remedy: "export it (PRV_EXPORT in provider_abi.h), or move a library that is no plugin elsewhere")
  }
}
