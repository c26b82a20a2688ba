internal import CLinux
internal import Glibc

/// A plugin's file: opened, and found to be writable by nobody who could not also replace the host.
///
/// A symbolic link is followed when its owner is root or us, as long as the file it leads to and that file's own
/// directory pass the same checks: a link in a directory that only its owner writes is that owner's word.
package struct PluginFile: ~Copyable {
  /// The largest plugin that is read.
  static let bytesLimit = 256 << 20

  /// What changes when a file's content does; all of it as `fstat` says.
  struct Identity: Equatable {
    var device: UInt64
    var inode: UInt64
    var bytes: Int
    var modifiedNanoseconds: Int64
    /// Nobody but the kernel sets this one, so an equal identity means an equal content.
    var changedNanoseconds: Int64

    init(_ status: stat) {
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
      bytes = Int(status.st_size)
      modifiedNanoseconds = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
      changedNanoseconds = Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
    }
  }

  let descriptor: Int32
  /// The entry's name in its directory, a link's own: `libkimi.so`.
  let name: String
  let identity: Identity

  package init(path: String) throws(PluginFault) {
    let (directory, name) = Self.split(path)
    self.name = name
    let parent = try Self.openDirectory(directory)
    defer { close(parent) }
    var status = stat()
    guard fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw Self.unreadable(errno) }
    guard status.st_mode & S_IFMT == S_IFLNK else {
      (descriptor, identity) = try Self.openFile(name, in: parent)
      return
    }
    try Self.requireOwner(status, "the symbolic link")
    guard let resolved = realpath(path, nil) else {
      throw PluginFault("a symbolic link that leads nowhere: \(systemMessage(errno))", remedy: "repair or remove it")
    }
    defer { free(resolved) }
    let (targetDirectory, targetName) = Self.split(String(cString: resolved))
    let targetParent = try Self.openDirectory(targetDirectory)
    defer { close(targetParent) }
    (descriptor, identity) = try Self.openFile(targetName, in: targetParent)
  }

  deinit { close(descriptor) }

  /// The whole content, in pages that the caller gives back with `unmap`: megabytes on the heap would stay with it.
  ///
  /// A file that changes its size meanwhile is refused: it is still being written.
  func read() throws(PluginFault) -> UnsafeMutableRawBufferPointer {
    // An empty file has a page too: mmap refuses none, and what reads the content says what is wrong with it.
    let pages = mmap(nil, max(1, identity.bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED else { throw Self.unreadable(errno) }
    let content = UnsafeMutableRawBufferPointer(start: pages, count: identity.bytes)
    var filled = 0
    while filled < content.count {
      let got = pread(descriptor, content.baseAddress! + filled, content.count - filled, off_t(filled))
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else {
        let code = got < 0 ? errno : 0
        Self.unmap(content)
        throw code != 0
          ? Self.unreadable(code)
          : PluginFault("it became shorter while it was read", remedy: "copy it under another name and rename it")
      }
      filled += got
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, Identity(status) == identity else {
      Self.unmap(content)
      throw PluginFault("it changed while it was read", remedy: "copy it under another name and rename it")
    }
    return content
  }

  static func unmap(_ content: UnsafeMutableRawBufferPointer) { munmap(content.baseAddress, max(1, content.count)) }

  private static func openFile(_ name: String, in parent: Int32) throws(PluginFault) -> (Int32, Identity) {
    // Not blocking: a FIFO named *.so must not stop the host.
    let descriptor = clinux_openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0)
    guard descriptor >= 0 else { throw unreadable(errno) }
    do throws(PluginFault) {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw unreadable(errno) }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw PluginFault("not a regular file", remedy: "put only shared libraries named *.so into a plugin directory")
      }
      try requireOwner(status, "the file")
      guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
        throw PluginFault(
          "writable by others than its owner (mode \(String(status.st_mode & 0o7777, radix: 8)))",
          remedy: "chmod go-w the file")
      }
      guard status.st_size <= off_t(bytesLimit) else {
        throw PluginFault(
          "\(status.st_size) bytes long, at most \(bytesLimit) are read", remedy: "strip the library's debug symbols")
      }
      return (descriptor, Identity(status))
    } catch {
      close(descriptor)
      throw error
    }
  }

  private static func openDirectory(_ path: String) throws(PluginFault) -> Int32 {
    let descriptor = clinux_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw unreadable(errno) }
    do throws(PluginFault) {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw unreadable(errno) }
      try requireOwner(status, "its directory \(path)")
      guard status.st_mode & S_IWOTH == 0 || status.st_mode & S_ISVTX != 0 else {
        throw PluginFault("its directory \(path) is writable by everyone", remedy: "chmod o-w the directory")
      }
      return descriptor
    } catch {
      close(descriptor)
      throw error
    }
  }

  private static func requireOwner(_ status: stat, _ what: String) throws(PluginFault) {
    guard status.st_uid == 0 || status.st_uid == geteuid() else {
      throw PluginFault(
        "\(what) belongs to user \(status.st_uid), expected root or user \(geteuid())",
        remedy: "chown it to the user that runs the host")
    }
  }

  private static func unreadable(_ code: Int32) -> PluginFault {
    PluginFault("it cannot be read: \(systemMessage(code))", remedy: "make it readable for the user that runs the host")
  }

  /// `a/b.so` → `a`, `b.so`; a path without a slash is in `.`.
  private static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: 0x2F) else { return (".", path) }
    let directory = String(path[..<slash])
    return (directory.isEmpty ? "/" : directory, String(path[path.utf8.index(after: slash)...]))
  }
}
