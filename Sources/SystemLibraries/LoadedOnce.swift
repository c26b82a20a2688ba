import Synchronization

/// The functions of a library, looked up when they are first needed and then shared by all of the process. A failure is
/// not kept: whoever comes next tries again.
///
/// Thread: any.
public final class LoadedOnce<Functions: Sendable>: Sendable {
  private let functions = Mutex<Functions?>(nil)

  public init() {}

  public func get(_ load: () throws(SharedLibrary.LoadError) -> Functions) throws(SharedLibrary.LoadError) -> Functions
  {
    let result = functions.withLock { functions -> Result<Functions, SharedLibrary.LoadError> in
      if let functions { return .success(functions) }
      do throws(SharedLibrary.LoadError) {
        let loaded = try load()
        functions = loaded
        return .success(loaded)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
