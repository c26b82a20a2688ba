internal import Host

/// The file as the host finds it in a plugin directory; nothing of it is read.
enum FileChecks {
  static let all = [name, permissions]

  static let name = Check(
    "file-name", rule: "HOST", category: .file, needs: .file,
    proves: "The host finds the file: plugin directories are searched for *.so, hidden files left out."
  ) { context in
    let name = context.file.split(separator: "/").last.map(String.init) ?? context.file
    guard name.hasSuffix(".so"), !name.hasPrefix(".") else {
      return .fail(expected: "a name that ends in .so and does not begin with a dot", found: name)
    }
    return .pass()
  }

  static let permissions = Check(
    "file-permissions", rule: "HOST", category: .file, needs: .file,
    proves: "Nobody who could not also replace the host can write the file or its directory."
  ) { context in
    do throws(PluginFault) {
      _ = try PluginFile(path: context.file)
    } catch {
      return .fail(expected: error.remedy, found: error.reason)
    }
    return .pass()
  }
}
