/// The part of a refusal that is known where only bytes or tables are seen, not the path they came from.
package struct PluginFault: Error, Equatable {
  package var reason: String
  package var remedy: String

  package init(_ reason: String, remedy: String) {
    self.reason = reason
    self.remedy = remedy
  }
}
