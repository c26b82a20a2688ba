import SystemLibraries
import Testing

struct SharedLibraryTests {
  private typealias Cosine = @convention(c) (Double) -> Double

  @Test func `a function of a library is called`() throws {
    let library = try SharedLibrary("libm.so.6", remedy: "install libc6")
    let cosine: Cosine = try library.function("cos")
    #expect(cosine(0) == 1)
  }

  @Test func `a library that is missing is named, with the linker's reason and what to do`() throws {
    let error = try #require(throws: SharedLibrary.LoadError.self) {
      try SharedLibrary("libnothere.so.7", remedy: "install the Debian package libnothere7")
    }
    #expect(error.library == "libnothere.so.7")
    #expect("\(error)".hasPrefix("cannot load libnothere.so.7: "))
    #expect("\(error)".contains("No such file"))
    #expect("\(error)".hasSuffix("; install the Debian package libnothere7"))
  }

  @Test func `a symbol that is missing is named, and the library`() throws {
    let library = try SharedLibrary("libm.so.6", remedy: "install libc6")
    let error = try #require(throws: SharedLibrary.LoadError.self) {
      let _: Cosine = try library.function("cosine_of_nothing")
    }
    #expect("\(error)" == "libm.so.6 has no cosine_of_nothing; install libc6")
    #expect(
      "\(library.unfit("is 1, the host needs 2", remedy: "update it"))" == "libm.so.6 is 1, the host needs 2; update it"
    )
  }

  @Test func `what was loaded is shared, and a failure is tried again`() throws {
    let once = LoadedOnce<Int>()
    var loads = 0
    func load(_ fails: Bool) throws(SharedLibrary.LoadError) -> Int {
      loads += 1
      if fails { throw SharedLibrary.LoadError(library: "x", reason: .missing("no"), remedy: "y") }
      return loads
    }
    #expect(throws: SharedLibrary.LoadError.self) {
      try once.get { () throws(SharedLibrary.LoadError) in try load(true) }
    }
    #expect(try once.get { () throws(SharedLibrary.LoadError) in try load(false) } == 2)
    #expect(try once.get { () throws(SharedLibrary.LoadError) in try load(false) } == 2)
    #expect(loads == 2)
  }
}
