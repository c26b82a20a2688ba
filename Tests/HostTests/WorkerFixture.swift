import Glibc

/// The program that workers run: `patchbay`, built beside the tests.
enum WorkerFixture {
  static let program: String = {
    guard let own = realpath("/proc/self/exe", nil) else { fatalError("no path of the tests' program") }
    defer { free(own) }
    let path = String(cString: own)
    return path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/patchbay"
  }()
}
