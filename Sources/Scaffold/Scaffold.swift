/// A new provider's files: those of `Examples`, under another name. Decides what is to be written; writes nothing.
public struct Scaffold: Sendable {
  public enum Language: String, CaseIterable, Sendable {
    case swift, c
  }

  /// One file. `path` is relative and has its folders before it: `Sources/MyProvider/MyProvider.swift`.
  public struct File: Sendable, Equatable {
    public var path: String
    public var text: String
  }

  public let files: [File]

  /// A provider in C: it needs its header alone, which goes with it.
  public init(inC name: ScaffoldName) {
    let template = [
      ("../../Sources/CProviderABI/include", "."), ("echo.c", "\(name.id).c"), ("echo-c", name.id),
      ("Echo in C", name.title),
    ]
    files =
      ScaffoldTemplates.c.map { Self.rename($0, template) }
      + [File(path: "provider_abi.h", text: ScaffoldTemplates.header)]
  }

  /// A package in Swift.
  ///
  /// - Parameter sdk: the absolute path of a checkout of Patchbay, or of its installed SDK.
  /// - Throws: when no manifest could name the path.
  public init(inSwift name: ScaffoldName, sdk: String) throws(ScaffoldError) {
    guard sdk.utf8.allSatisfy({ $0 >= 0x20 }) else {
      throw ScaffoldError("the path of the SDK has a control character; expected one that a manifest can name")
    }
    guard sdk.split(separator: "/").last?.lowercased() != name.id else {
      throw ScaffoldError(
        "\"\(name.id)\" is also the name of the SDK's folder \(sdk), and a package cannot depend on its namesake; "
          + "choose another name")
    }
    let quoted = Self.replacing("\"", with: "\\\"", in: Self.replacing("\\", with: "\\\\", in: sdk))
    let template = [
      ("EchoSwiftProvider", name.module), ("echo-swift", name.id), ("Echo in Swift", name.title),
      ("path: \"../..\"", "path: \"\(quoted)\""),
    ]
    files = ScaffoldTemplates.swift.map { Self.rename($0, template) }
  }

  private static func rename(_ template: (path: String, text: String), _ names: [(String, String)]) -> File {
    var file = File(path: template.path, text: template.text)
    for (old, new) in names {
      file.path = replacing(old, with: new, in: file.path)
      file.text = replacing(old, with: new, in: file.text)
    }
    return file
  }

  private static func replacing(_ old: String, with new: String, in text: String) -> String {
    let pattern = Array(old.utf8)
    var result: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let first = rest.first {
      if rest.starts(with: pattern) {
        result += new.utf8
        rest = rest.dropFirst(pattern.count)
      } else {
        result.append(first)
        rest = rest.dropFirst()
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
