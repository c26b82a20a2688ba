import Glibc
import ProviderContract
import Testing

@testable import Host

/// Who may have written a plugin's file, and the copy that the host runs.
@Suite struct PluginFileTests {
  private let directory: TemporaryDirectory
  private let state: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    state = try TemporaryDirectory()
    path = try PluginFixture.compile("refusals", to: "x.so", in: directory)
  }

  private var store: PluginStore { PluginStore(stateDirectory: state.path) }

  private func refusal() throws -> PluginFault {
    try #require(throws: PluginFault.self) { _ = try PluginFile(path: path) }
  }

  private func copy() throws -> PluginStore.Copy {
    let file = try PluginFile(path: path)
    return try store.copy(of: file)
  }

  /// Makes the file look as if it had been there for a while.
  private func settle() throws {
    var now = timespec()
    var status = stat()
    try #require(stat(path, &status) == 0)
    repeat {
      clock_gettime(CLOCK_REALTIME, &now)
    } while (now.tv_sec - status.st_ctim.tv_sec) * 1_000_000_000
      + now.tv_nsec - status.st_ctim.tv_nsec <= 110_000_000
  }

  @Test(arguments: [0o775, 0o757, 0o666] as [mode_t])
  func `a file that others may write is refused`(mode: mode_t) throws {
    chmod(path, mode)
    #expect(
      try refusal()
        == PluginFault(
          "writable by others than its owner (mode \(String(mode, radix: 8)))", remedy: "chmod go-w the file"))
  }

  @Test func `a directory that everyone may write is refused, unless only owners delete there`() throws {
    chmod(directory.path, 0o777)
    #expect(
      try refusal()
        == PluginFault("its directory \(directory.path) is writable by everyone", remedy: "chmod o-w the directory"))
    chmod(directory.path, 0o1777)
    _ = try PluginFile(path: path)
  }

  @Test(.enabled(if: getuid() == 0)) func `a file of a stranger is refused`() throws {
    try #require(chown(path, 4242, 4242) == 0)
    #expect(try refusal().reason == "the file belongs to user 4242, expected root or user 0")
  }

  @Test(.enabled(if: getuid() == 0)) func `a directory of a stranger is refused`() throws {
    try #require(chown(directory.path, 4242, 4242) == 0)
    #expect(
      try refusal().reason == "its directory \(directory.path) belongs to user 4242, expected root or user 0")
  }

  @Test(.enabled(if: getuid() != 0)) func `a file that cannot be read is refused`() throws {
    chmod(path, 0)
    #expect(try refusal().reason == "it cannot be read: Permission denied")
  }

  @Test func `a file that is not there is refused`() throws {
    unlink(path)
    #expect(try refusal().reason == "it cannot be read: No such file or directory")
  }

  @Test func `a directory and a pipe are refused, and nothing waits for them`() throws {
    unlink(path)
    mkdir(path, 0o755)
    #expect(try refusal().reason == "not a regular file")
    rmdir(path)
    mkfifo(path, 0o644)
    #expect(try refusal().reason == "not a regular file")
  }

  @Test func `a file beyond the limit is refused before it is read`() throws {
    truncate(path, off_t(PluginFile.bytesLimit))
    _ = try PluginFile(path: path)
    truncate(path, off_t(PluginFile.bytesLimit + 1))
    #expect(try refusal().reason == "268435457 bytes long, at most 268435456 are read")
  }

  @Test func `a link is followed to a file that passes the checks, and named as itself`() throws {
    let plugins = try TemporaryDirectory()
    let link = plugins.path + "/linked.so"
    try #require(symlink(path, link) == 0)
    let plugin = try #require(
      PluginScan.run(directories: [plugins.path], store: store, scanner: InProcessScanner()).found.first)
    #expect(plugin.path == link)
    #expect(plugin.copyPath.hasSuffix("/linked.so"))
    chmod(path, 0o666)
    let refused = PluginScan.run(directories: [plugins.path], store: store, scanner: InProcessScanner()).refused
    #expect(refused.map(\.reason) == ["writable by others than its owner (mode 666)"])
    chmod(path, 0o755)
    chmod(directory.path, 0o777)
    let unsafe = PluginScan.run(directories: [plugins.path], store: store, scanner: InProcessScanner()).refused
    #expect(unsafe.map(\.reason) == ["its directory \(directory.path) is writable by everyone"])
  }

  @Test func `a link that leads nowhere is refused`() throws {
    unlink(path)
    try #require(symlink(directory.path + "/nothing", path) == 0)
    #expect(
      try refusal()
        == PluginFault("a symbolic link that leads nowhere: No such file or directory", remedy: "repair or remove it"))
  }

  @Test func `the copy is the host's alone, one path per content`() throws {
    let first = try copy()
    #expect(first.path == "\(state.path)/plugins/\(first.sha256)/x.so")
    #expect(first.sha256.utf8.count == 64)
    var status = stat()
    #expect(stat(state.path + "/plugins", &status) == 0 && status.st_mode & 0o777 == 0o700)
    #expect(stat(first.path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    try PluginFixture.compile("refusals", ["-DPLUGIN_ID=\"org.example.new\""], to: "x.so", in: directory)
    let second = try copy()
    #expect(second.path != first.path)
    #expect(stat(first.path, &status) == 0)
  }

  @Test func `an unchanged file is not hashed again, a changed one is`() throws {
    try settle()
    #expect(try !copy().wasKnown)
    #expect(try copy().wasKnown)
    // The same size and the same time of modification: only the kernel's own stamp tells.
    var before = stat()
    try #require(stat(path, &before) == 0)
    let stream = try #require(fopen(path, "r+"))
    fseek(stream, -1, SEEK_END)
    fputc(0x55, stream)
    fclose(stream)
    var times = [before.st_atim, before.st_mtim]
    utimensat(AT_FDCWD, path, &times, 0)
    #expect(try !copy().wasKnown)
  }

  @Test func `a file that was written a moment ago is not taken as known`() throws {
    chmod(path, 0o755)
    #expect(try !copy().wasKnown)
    #expect(try !copy().wasKnown)
  }

  @Test func `a damaged copy is made again`() throws {
    try settle()
    let made = try copy()
    let sound = try directory.read("x.so")
    let stream = try #require(fopen(made.path, "r+"))
    fputc(0, stream)
    fclose(stream)
    let again = try copy()
    #expect(!again.wasKnown)
    #expect(again.path == made.path)
    #expect(try state.read("plugins/\(made.sha256)/x.so") == sound)
  }

  @Test func `writing over a loaded plugin's file harms nobody`() throws {
    let plugin = try LoadedPlugin(PluginScan.look(at: path, store: store, scanner: InProcessScanner()))
    truncate(path, 0)
    #expect(plugin.description.id == "org.example.refused")
    #expect(try DescriptorReader.read(plugin.table).id == "org.example.refused")
  }

  @Test(arguments: ["state", "./state", "../state"])
  func `copies have absolute paths, as a worker stands elsewhere`(directory: String) {
    let store = PluginStore(stateDirectory: directory)
    #expect(store.directory.hasPrefix("/") && store.directory.hasSuffix("/\(directory)/plugins"))
    #expect(PluginStore(stateDirectory: "/var/state").directory == "/var/state/plugins")
  }
}
