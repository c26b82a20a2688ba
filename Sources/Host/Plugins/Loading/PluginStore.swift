internal import Bytes
internal import CLinux
internal import Glibc

/// The host's own copies of plugin files, one path per content: `<state>/plugins/<sha256>/<name>.so`.
///
/// The system's loader sees only these, so writing over a plugin's file cannot kill the host, and a new content never
/// has an old name. A note per source file, `<state>/plugins/known/<device>-<inode>`, remembers which copy an unchanged
/// file has, so that a start does not hash it again.
struct PluginStore {
  /// A copy that may be loaded.
  struct Copy: Equatable {
    var path: String
    var sha256: String
    /// The source was unchanged since it was copied; nothing was hashed.
    var wasKnown: Bool
  }

  /// A file that changed less than this before it was read may change again within one tick of the file system's
  /// clock without another time stamp; no note is made of it.
  private static let settledNanoseconds: Int64 = 100_000_000
  private static let noteBytesLimit = 4096

  /// Absolute: a worker opens its copy from another working directory.
  let directory: String

  /// `stateDirectory` is the host's, seen from where the process stands.
  init(stateDirectory: String) { directory = Self.absolute(stateDirectory) + "/plugins" }

  private static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
    defer { free(here) }
    return "\(String(cString: here))/\(path)"
  }

  /// The copy of `file`, made when it is not there yet. Only a library with our entry is copied.
  func copy(of file: borrowing PluginFile) throws(PluginFault) -> Copy {
    if let known = knownCopy(of: file) { return known }
    let content = try file.read()
    defer { PluginFile.unmap(content) }
    let bytes = UnsafeRawBufferPointer(content)
    try ELFLibrary(bytes).requireEntry()
    let sha256 = SHA256.hash(bytes).withUnsafeBytes { Hex.encode($0) }
    let parent = "\(directory)/\(sha256)"
    for path in [directory, directory + "/known", parent] { try makeDirectory(path) }
    let path = "\(parent)/\(file.name)"
    if !holds(path, bytes) { try write(bytes, to: path) }
    try note(file, sha256, path)
    return Copy(path: path, sha256: sha256, wasKnown: false)
  }

  private func notePath(_ identity: PluginFile.Identity) -> String {
    "\(directory)/known/\(identity.device)-\(identity.inode)"
  }

  /// What a note says: the source as it was, the copy as it was, and where the copy is.
  private func noteText(_ source: PluginFile.Identity, _ copy: PluginFile.Identity, _ sha256: String, _ name: String)
    -> String
  {
    "patchbay 1 \(source.bytes) \(source.modifiedNanoseconds) \(source.changedNanoseconds) \(copy.inode) \(copy.bytes)"
      + " \(copy.modifiedNanoseconds) \(copy.changedNanoseconds) \(sha256) \(name)\n"
  }

  private func knownCopy(of file: borrowing PluginFile) -> Copy? {
    guard let text = readNote(notePath(file.identity)) else { return nil }
    let words = text.split(separator: " ", maxSplits: 10)
    guard words.count == 11 else { return nil }
    let sha256 = String(words[9])
    let path = "\(directory)/\(sha256)/\(file.name)"
    guard let copy = ownIdentity(path), noteText(file.identity, copy, sha256, file.name) == text else { return nil }
    return Copy(path: path, sha256: sha256, wasKnown: true)
  }

  private func note(_ file: borrowing PluginFile, _ sha256: String, _ path: String) throws(PluginFault) {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let nanoseconds = Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
    guard nanoseconds &- file.identity.changedNanoseconds > Self.settledNanoseconds,
      let copy = ownIdentity(path)
    else { return }
    var text = ByteBuffer()
    text.append(noteText(file.identity, copy, sha256, file.name))
    try write(text.readable, to: notePath(file.identity))
  }

  private func readNote(_ path: String) -> String? {
    let descriptor = clinux_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: Self.noteBytesLimit, alignment: 1) { buffer in
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      guard count > 0 else { return nil }
      return String(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count]), as: UTF8.self)
    }
  }

  /// The identity of a regular file that is ours alone.
  private func ownIdentity(_ path: String) -> PluginFile.Identity? {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
      status.st_mode & (S_IWGRP | S_IWOTH) == 0
    else { return nil }
    return PluginFile.Identity(status)
  }

  private func holds(_ path: String, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let identity = ownIdentity(path), identity.bytes == bytes.count else { return false }
    let descriptor = clinux_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
      var position = 0
      while position < bytes.count {
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        guard count > 0, count <= bytes.count - position,
          memcmp(buffer.baseAddress!, bytes.baseAddress! + position, count) == 0
        else { return false }
        position += count
      }
      return true
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws(PluginFault) {
    let temporary = "\(path).\(getpid()).new"
    unlink(temporary)
    let descriptor = clinux_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.unwritable(temporary, errno) }
    defer { close(descriptor) }
    var rest = bytes
    while !rest.isEmpty {
      let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else {
        let code = errno
        unlink(temporary)
        throw Self.unwritable(temporary, code)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
    guard rename(temporary, path) == 0 else {
      let code = errno
      unlink(temporary)
      throw Self.unwritable(path, code)
    }
  }

  /// Makes `path` and what is missing above it, for us alone; refuses one that others write to.
  private func makeDirectory(_ path: String) throws(PluginFault) {
    if mkdir(path, 0o700) != 0 && errno == ENOENT, let slash = path.utf8.lastIndex(of: 0x2F), slash > path.startIndex {
      try makeDirectory(String(path[..<slash]))
      mkdir(path, 0o700)
    }
    var status = stat()
    guard stat(path, &status) == 0 else { throw Self.unwritable(path, errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw Self.unwritable(path, ENOTDIR) }
    guard path.utf8.starts(with: directory.utf8) else { return }
    guard status.st_uid == geteuid(), status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
      throw PluginFault(
        "the host's own directory \(path) can be written by others",
        remedy: "chown it to the user that runs the host and chmod 700 it")
    }
  }

  private static func unwritable(_ path: String, _ code: Int32) -> PluginFault {
    PluginFault(
      "its copy cannot be written to \(path): \(systemMessage(code))",
      remedy: "make the state directory writable for the user that runs the host")
  }
}
