import Glibc
import Testing

@testable import ProviderValidator

/// Each check about calls, held against a provider that keeps every rule and against one for each that breaks it.
@Suite(.serialized) struct ChatCheckTests {
  private func makeDirectory() throws -> String {
    var template = Array("/tmp/patchbay-chat-sample-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil, "mkdtemp: errno \(errno)")
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// These look at the whole process, in which other tests run as well; they are tested through the command.
  private static let ofTheProcess = ["stdout-stderr-silent", "soak"]

  /// The checks that did not pass, each with what it found.
  private func findings(_ file: String) -> [(id: String, verdict: Verdict)] {
    ChatCheck.all.compactMap { check in
      if Self.ofTheProcess.contains(check.id) { return nil }
      let context = CheckContext(
        file: file, copy: file, seed: 1, settings: "", companions: [], crumbs: Breadcrumbs(descriptor: -1))
      let verdict: Verdict
      do throws(CheckStop) { verdict = try check.run(context) } catch { verdict = error.verdict }
      // On a busy machine a function may be slow three times; a warning says nothing of the plugin then.
      if check.id == "no-blocking" && verdict.status == .warn { return nil }
      return verdict.status == .pass ? nil : (check.id, verdict)
    }
  }

  @Test(arguments: ChatSample.all)
  func `a sample makes the check of its fault fire, and no other`(sample: ChatSample) throws {
    let directory = try makeDirectory()
    defer { rmdir(directory) }
    let file = try sample.compile(in: directory)
    defer { unlink(file) }
    let found = ChatEffort.$share.withValue(0.05) { findings(file) }
    let expected = [sample.check].compactMap { $0 }.filter { !Self.ofTheProcess.contains($0) }
    #expect(found.map(\.id) == expected, "\(found)")
    #expect(found.allSatisfy { $0.verdict.status == .fail }, "\(found)")
  }

  @Test func `every check has a sample`() {
    let covered = Set(ChatSample.all.compactMap(\.check))
    #expect(covered == Set(ChatCheck.all.map(\.id)))
  }
}
