internal import Bytes
internal import Glibc
internal import JSON

/// `patchbay plugin-worker --scan FILE`: maps one plugin in this process, which is thrown away afterwards, and says what
/// it is.
package enum ScanWorker {
  private static let answerDescriptor: Int32 = 3

  /// Prints the answer on standard output, one JSON object, and never returns. What the plugin prints is dropped.
  ///
  /// - Parameters:
  ///   - library: the copy that is to be mapped.
  ///   - parent: the process that asks.
  package static func run(library: String, parent: Int32) -> Never {
    // Also when its number is free: what stands there must not be the host's.
    dup2(1, answerDescriptor)
    let nowhere = open("/dev/null", O_RDWR)
    for descriptor in 0...2 { dup2(nowhere, Int32(descriptor)) }
    var sandbox = WorkerSandbox()
    sandbox.leaveHost(parent: parent, firstForeignDescriptor: answerDescriptor + 1)
    sandbox.close(library: library)
    var answer = ByteBuffer()
    do throws(PluginFault) {
      let copy = PluginStore.Copy(path: library, sha256: "", wasKnown: true)
      try LoadedPlugin(path: library, copy: copy, flags: PluginHandshake.scan).description.write(to: &answer)
    } catch {
      ScanAnswer.write(error, to: &answer)
    }
    while !answer.isEmpty {
      let written = write(answerDescriptor, answer.readable.baseAddress, answer.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { break }
      answer.consume(written)
    }
    // Destructors of the plugin are not run.
    _exit(WorkerExit.stopped)
  }
}
