internal import Glibc

/// The validator itself could not do its work; the plugin is not to blame.
package struct ValidationFault: Error, CustomStringConvertible {
  package let description: String

  init(_ action: String, _ code: Int32) {
    description = "cannot \(action): \(String(cString: strerror(code)))"
  }

  package init(_ description: String) { self.description = description }
}
