package import CProviderABI
internal import Glibc
package import ProviderContract

/// What a check may ask of the plugin that is looked at. Lives in the check's own process.
///
/// Every step notes its calls in `crumbs` first, and stops the check when the step cannot be made: the gates have been
/// passed by then, so that is a surprise and a failure.
package struct CheckContext: Sendable {
  /// Where the operator has the plugin.
  package let file: String
  /// The private copy that is mapped, as the host would map its own.
  package let copy: String
  /// What every random choice is drawn from; a run with the same seed does the same.
  package let seed: UInt64
  /// Settings that the author gave for `create` (`--settings`), a JSON object; empty: what the schema suggests.
  package let settings: String
  /// Other plugins, which must get along with this one.
  package let companions: [String]
  /// A file with a chat that the author recorded (`--recording`); empty: the upstream speaks the OpenAI format.
  package let recording: String
  package let crumbs: Breadcrumbs

  package init(
    file: String, copy: String, seed: UInt64, settings: String, companions: [String], recording: String = "",
    crumbs: Breadcrumbs
  ) {
    self.file = file
    self.copy = copy
    self.seed = seed
    self.settings = settings
    self.companions = companions
    self.recording = recording
    self.crumbs = crumbs
  }

  /// Maps the library as the host does and finds its entry.
  package func library() throws(CheckStop) -> PluginLibrary { try PluginLibrary(copy, crumbs) }

  /// The descriptor, as the entry gives it to this host.
  package func descriptor() throws(CheckStop) -> PluginDescriptor {
    let answer = try library().ask()
    guard answer.status == PRV_OK, let table = answer.plugin else {
      throw CheckStop(.fail(expected: "PRV_OK and a descriptor", found: answer.description, rule: "PRV-R003"))
    }
    return try PluginDescriptor(table, crumbs)
  }
}

/// A plugin's descriptor, read with care. The table is [static] (C5).
package struct PluginDescriptor: @unchecked Sendable {  // the table is immutable
  package let table: UnsafePointer<prv_plugin>
  package let description: PluginDescription

  package init(_ table: UnsafePointer<prv_plugin>, _ crumbs: Breadcrumbs) throws(CheckStop) {
    self.table = table
    let place = crumbs.begins("(reading the descriptor)")
    do throws(PluginFault) {
      description = try DescriptorReader.read(table)
    } catch {
      throw CheckStop(.fail(expected: error.remedy, found: error.reason))
    }
    crumbs.ended("(read the descriptor)", at: place)
  }
}
