/// What an ELF shared library says of itself: its segments, what it needs, and what it exports.
///
/// Host's `ELFLibrary` answers whether a file may be mapped, and refuses early; this reads on and tells everything.
/// Every offset comes from the file and is checked before it is used.
struct ELFImage {
  struct Fault: Error {
    var expected: String
    var found: String
  }

  struct Segment: Equatable {
    var kind: UInt32
    var flags: UInt32
    var offset: UInt64
    var address: UInt64
    var fileBytes: UInt64
    var memoryBytes: UInt64

    static let loaded: UInt32 = 1
    static let dynamic: UInt32 = 2
    static let threadLocal: UInt32 = 7
    static let stack: UInt32 = 0x6474_E551
    static let readOnlyAfterRelocation: UInt32 = 0x6474_E552

    var isExecutable: Bool { flags & 1 != 0 }
    var isWritable: Bool { flags & 2 != 0 }
  }

  struct Symbol: Equatable {
    var name: String
    var isFunction: Bool
  }

  private static let headerBytes = 64
  private static let segmentBytes = 56
  private static let segmentsLimit = 512
  private static let dynamicEntriesLimit = 4096
  private static let symbolsLimit = 1 << 20
  private static let nameBytesLimit = 4096

  private let bytes: [UInt8]
  private(set) var machine: UInt16 = 0
  private(set) var segments: [Segment] = []
  /// DT_NEEDED, in order.
  private(set) var needed: [String] = []
  /// DT_RUNPATH or DT_RPATH, split at its colons.
  private(set) var searchPath: [String] = []
  /// DT_TEXTREL: its code is written to when it is mapped.
  private(set) var hasTextRelocations = false
  /// DF_STATIC_TLS: some of its thread-local storage must fit into what the process kept free at its start.
  private(set) var usesStaticTLS = false
  /// The defined global and weak symbols that others can bind to, sorted by name.
  private(set) var exports: [Symbol] = []

  init(_ bytes: [UInt8]) throws(Fault) {
    self.bytes = bytes
    try readHeader()
    guard let dynamic = segments.first(where: { $0.kind == Segment.dynamic }) else {
      throw Fault(expected: "a dynamic section", found: "none")
    }
    try readDynamic(dynamic)
  }

  func segments(_ kind: UInt32) -> [Segment] { segments.filter { $0.kind == kind } }

  // MARK: - Reading

  private mutating func readHeader() throws(Fault) {
    guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
      throw Fault(expected: "an ELF file", found: bytes.isEmpty ? "an empty file" : "something else")
    }
    guard bytes.count >= Self.headerBytes else {
      throw Fault(expected: "at least \(Self.headerBytes) bytes", found: "\(bytes.count) bytes")
    }
    guard bytes[4] == 2, bytes[5] == 1 else {
      throw Fault(expected: "a 64-bit little-endian file", found: "class \(bytes[4]), byte order \(bytes[5])")
    }
    machine = try read(at: 18)
    guard machine == Self.ownMachine else {
      throw Fault(expected: "machine \(Self.ownMachine), this one", found: "machine \(machine)")
    }
    let type: UInt16 = try read(at: 16)
    guard type == 3 else { throw Fault(expected: "a shared library (type 3)", found: "type \(type)") }
    let table: UInt64 = try read(at: 32)
    let entryBytes: UInt16 = try read(at: 54)
    let count: UInt16 = try read(at: 56)
    guard Int(entryBytes) == Self.segmentBytes, count <= Self.segmentsLimit, table <= UInt64(bytes.count) else {
      throw Fault(
        expected: "a program header table of at most \(Self.segmentsLimit) entries inside the file",
        found: "\(count) entries of \(entryBytes) bytes at \(table)")
    }
    for index in 0..<UInt64(count) { segments.append(try readSegment(at: table + index * UInt64(Self.segmentBytes))) }
  }

  private func readSegment(at base: UInt64) throws(Fault) -> Segment {
    let segment = Segment(
      kind: try read(at: base), flags: try read(at: base + 4), offset: try read(at: base + 8),
      address: try read(at: base + 16), fileBytes: try read(at: base + 32), memoryBytes: try read(at: base + 40))
    let (end, over) = segment.offset.addingReportingOverflow(segment.fileBytes)
    guard segment.kind != Segment.loaded && segment.kind != Segment.dynamic || !over && end <= UInt64(bytes.count)
    else {
      throw Fault(expected: "a whole file", found: "\(bytes.count) bytes of at least \(over ? UInt64.max : end)")
    }
    return segment
  }

  private mutating func readDynamic(_ dynamic: Segment) throws(Fault) {
    var values: [(tag: UInt64, value: UInt64)] = []
    for index in 0..<min(dynamic.fileBytes / 16, UInt64(Self.dynamicEntriesLimit)) {
      let base = dynamic.offset + index * 16
      let tag: UInt64 = try read(at: base)
      if tag == 0 { break }
      values.append((tag, try read(at: base + 8)))
    }
    func value(_ tag: UInt64) -> UInt64? { values.last { $0.tag == tag }?.value }
    guard let stringAddress = value(5), let symbolAddress = value(6) else {
      throw Fault(expected: "dynamic symbols and their names", found: "none")
    }
    let strings = try fileOffset(of: stringAddress)
    for (tag, value) in values where tag == 1 { needed.append(try text(at: strings, value)) }
    for (tag, value) in values where tag == 15 || tag == 29 {
      searchPath += try text(at: strings, value).split(separator: ":").map(String.init)
    }
    let flags = value(30) ?? 0
    hasTextRelocations = value(22) != nil || flags & 4 != 0
    usesStaticTLS = flags & 0x10 != 0
    let count = try symbolCount(gnuHash: value(0x6FFF_FEF5), classicHash: value(4))
    try readExports(count, at: fileOffset(of: symbolAddress), names: strings)
  }

  private mutating func readExports(_ count: UInt64, at table: UInt64, names: UInt64) throws(Fault) {
    guard count <= Self.symbolsLimit else {
      throw Fault(expected: "at most \(Self.symbolsLimit) symbols", found: "\(count)")
    }
    for index in 0..<count {
      let base = table + index * 24
      let information: UInt8 = try read(at: base + 4)
      let other: UInt8 = try read(at: base + 5)
      let section: UInt16 = try read(at: base + 6)
      let binding = information >> 4
      // Local symbols bind nobody; hidden and internal ones neither; absolute ones are version names.
      guard section != 0, section != 0xFFF1, binding == 1 || binding == 2 || binding == 10,
        other & 3 == 0 || other & 3 == 3
      else { continue }
      let name: UInt32 = try read(at: base)
      exports.append(Symbol(name: try text(at: names, UInt64(name)), isFunction: [2, 10].contains(information & 15)))
    }
    exports.sort { $0.name < $1.name }
  }

  /// How many dynamic symbols there are; ELF says it only through the hash tables.
  private func symbolCount(gnuHash: UInt64?, classicHash: UInt64?) throws(Fault) -> UInt64 {
    if let classicHash {
      let count: UInt32 = try read(at: fileOffset(of: classicHash) + 4)
      return UInt64(count)
    }
    guard let gnuHash else { return 0 }
    let table = try fileOffset(of: gnuHash)
    let buckets: UInt32 = try read(at: table)
    let first: UInt32 = try read(at: table + 4)
    let bloomWords: UInt32 = try read(at: table + 8)
    let bucketTable = table + 16 + UInt64(bloomWords) * 8
    var last: UInt32 = 0
    for bucket in 0..<UInt64(buckets) { last = max(last, try read(at: bucketTable + bucket * 4)) }
    guard last >= first else { return UInt64(first) }
    let chains = bucketTable + UInt64(buckets) * 4
    while last < UInt32.max {
      let chained: UInt32 = try read(at: chains + UInt64(last - first) * 4)
      if chained & 1 == 1 { break }
      last += 1
    }
    return UInt64(last) + 1
  }

  private func fileOffset(of address: UInt64) throws(Fault) -> UInt64 {
    for segment in segments
    where segment.kind == Segment.loaded && address >= segment.address && address - segment.address < segment.fileBytes
    {
      return segment.offset + (address - segment.address)
    }
    throw Fault(expected: "tables inside the file", found: "one at address \(address)")
  }

  private func text(at strings: UInt64, _ offset: UInt64) throws(Fault) -> String {
    let (start, over) = strings.addingReportingOverflow(offset)
    guard !over, start < UInt64(bytes.count) else {
      throw Fault(expected: "names inside the file", found: "one at \(offset)")
    }
    let rest = bytes[Int(start)...].prefix(Self.nameBytesLimit)
    guard let end = rest.firstIndex(of: 0) else {
      throw Fault(expected: "names of at most \(Self.nameBytesLimit) bytes", found: "a longer one")
    }
    return String(decoding: rest[..<end], as: UTF8.self)
  }

  private func read<Value: FixedWidthInteger>(at offset: UInt64) throws(Fault) -> Value {
    guard offset <= UInt64(bytes.count), UInt64(bytes.count) - offset >= UInt64(MemoryLayout<Value>.size) else {
      throw Fault(expected: "a whole file", found: "\(bytes.count) bytes, and a table at \(offset)")
    }
    return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Int(offset), as: Value.self) }
  }
}

extension ELFImage {
  /// The machine this validator was built for, as ELF numbers it.
  #if arch(x86_64)
    static let ownMachine: UInt16 = 62
  #elseif arch(arm64)
    static let ownMachine: UInt16 = 183
  #endif
}
