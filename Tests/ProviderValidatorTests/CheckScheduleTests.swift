import Testing

@testable import ProviderValidator

struct CheckScheduleTests {
  private static func check(_ id: String, needs: Check.Stage = .file) -> Check {
    Check(id, rule: "HOST", category: .file, needs: needs, proves: "nothing") { _ throws(CheckStop) in .pass() }
  }

  /// The gates of two stages, and checks on both sides of them.
  private static let catalogue = [
    check("file-name"), check("elf-arch"), check("elf-relro", needs: .library),
    check("elf-exports-entry", needs: .library), check("load-rtld-now", needs: .plugin),
    check("load-time", needs: .loaded),
  ]

  private static func finding(_ id: String, _ status: Status) -> Finding {
    Finding(
      catalogue.first { $0.id == id }!, Verdict(status: status, expected: "", found: "as \(status.rawValue)"))
  }

  /// Runs the whole schedule, one check at a time; `statuses` of those that do not pass.
  private static func run(_ selection: CheckSelection = CheckSelection(), _ statuses: [String: Status] = [:]) -> (
    order: [String], told: [String]
  ) {
    var schedule = CheckSchedule(catalogue, selection)
    var order: [String] = []
    var told: [String] = []
    while let next = schedule.next() {
      order.append(next.id)
      told += schedule.record(finding(next.id, statuses[next.id] ?? .pass)).map { "\($0.check) \($0.status.rawValue)" }
    }
    #expect(schedule.isDone)
    return (order, told)
  }

  @Test func `gates run first, and every check is told`() {
    let result = Self.run()
    #expect(
      result.order == ["elf-arch", "elf-exports-entry", "load-rtld-now", "file-name", "elf-relro", "load-time"])
    #expect(Set(result.told) == Set(Self.catalogue.map { "\($0.id) pass" }))
  }

  @Test(arguments: [Status.fail, .crash, .timeout, .skip])
  func `what needs a gate that did not pass is skipped`(status: Status) {
    let result = Self.run(CheckSelection(), ["elf-exports-entry": status])
    #expect(!result.order.contains("load-rtld-now"))
    #expect(result.told.contains("load-rtld-now skip") && result.told.contains("load-time skip"))
    #expect(result.told.contains("elf-relro pass"))
  }

  @Test func `a warning opens a gate`() {
    #expect(Self.run(CheckSelection(), ["elf-arch": .warn]).told.contains("load-time pass"))
  }

  @Test func `a check that was asked for brings its gates, which are not told`() {
    let result = Self.run(CheckSelection(include: ["load-time"]))
    #expect(result.order == ["elf-arch", "elf-exports-entry", "load-rtld-now", "load-time"])
    #expect(result.told == ["load-time pass"])
  }

  @Test func `a gate that nobody asked for is told when it closes`() {
    let result = Self.run(CheckSelection(include: ["load-time"]), ["elf-exports-entry": .fail])
    #expect(result.told == ["elf-exports-entry fail", "load-time skip"])
  }

  @Test func `nothing begins before its gates have passed`() {
    var schedule = CheckSchedule(Self.catalogue, CheckSelection(include: ["load-time"]))
    #expect(schedule.next()?.id == "elf-arch")
    #expect(schedule.next() == nil)
    #expect(!schedule.isDone)
    #expect(schedule.record(Self.finding("elf-arch", .pass)) == [])
    #expect(schedule.next()?.id == "elf-exports-entry")
  }

  @Test func `several checks of a stage run at once`() {
    var schedule = CheckSchedule(Self.catalogue, CheckSelection(include: ["file-name", "elf-relro"]))
    #expect(schedule.next()?.id == "elf-arch")
    #expect(schedule.next()?.id == "file-name")
    #expect(schedule.next() == nil)
  }
}
