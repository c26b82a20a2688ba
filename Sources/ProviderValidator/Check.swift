/// One thing the validator finds out about a plugin, in a process of its own.
package struct Check: Sendable {
  /// What a check is about; reports group by it, in this order.
  package enum Category: String, Sendable, CaseIterable {
    case file, elf, load, entry, descriptor, create, services, models, chat, cancel, flow, robustness
  }

  /// How far the host gets with a plugin. A check that needs a stage is skipped when the stage's gate did not pass, so
  /// one fault is told once.
  package enum Stage: Int, Sendable, CaseIterable {
    /// The bytes of a file.
    case file
    /// An ELF shared library of this machine.
    case library
    /// One that exports the entry: the host would map it.
    case plugin
    /// It is mapped.
    case loaded
    /// The entry answers with a descriptor.
    case entry
    /// The descriptor can be read.
    case descriptor
    /// `create` makes an instance of each provider.
    case instance
  }

  /// Lower case, digits and '-': `entry-idempotent`. Released ids keep their meaning.
  package let id: String
  /// What it holds the plugin to: `PRV-R002`, a convention of the header (`PRV-C1`), or `HOST`: what this host demands
  /// of any file it loads.
  package let rule: String
  package let category: Category
  package let needs: Stage
  /// What a pass proves, in one sentence.
  package let proves: String
  /// Runs in the child, on its main thread.
  package let run: @Sendable (CheckContext) throws(CheckStop) -> Verdict

  package init(
    _ id: String, rule: String, category: Category, needs: Stage, proves: String,
    run: @escaping @Sendable (CheckContext) throws(CheckStop) -> Verdict
  ) {
    self.id = id
    self.rule = rule
    self.category = category
    self.needs = needs
    self.proves = proves
    self.run = run
  }
}

extension Check.Stage: Comparable {
  package static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }

  /// The check that says whether a plugin reaches this stage; nil: every file does.
  package var gate: String? {
    switch self {
    case .file: nil
    case .library: "elf-arch"
    case .plugin: "elf-exports-entry"
    case .loaded: "load-rtld-now"
    case .entry: "entry-answers"
    case .descriptor: "descriptor-structure"
    case .instance: "create-basic"
    }
  }

  /// The gates that must have passed, the first stage's first.
  package var gates: [String] { Self.allCases.filter { $0 <= self }.compactMap(\.gate) }
}
