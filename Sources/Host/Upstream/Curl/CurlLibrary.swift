import CLinux
import Glibc
import Synchronization

/// libcurl, opened at run time, with the functions that the host uses.
///
/// Thread: any; the functions as curl's manual says. It is never closed: its own threads and handlers stay valid.
package final class CurlLibrary: @unchecked Sendable {  // Immutable after `init`.
  /// Why there is no libcurl to work with.
  package enum LoadError: Error, Equatable, CustomStringConvertible {
    case missing(String)
    case symbolMissing(String)
    case tooOld(found: String)
    case notInitialized(code: Int32)

    package var description: String {
      switch self {
      case .missing(let reason):
        "cannot load libcurl.so.4: \(reason); install the Debian package libcurl4"
      case .symbolMissing(let name):
        "libcurl.so.4 has no \(name); install the Debian package libcurl4, \(CurlLibrary.lowestVersion) or later"
      case .tooOld(let found):
        "libcurl.so.4 is \(found), the host needs \(CurlLibrary.lowestVersion) or later; update the package libcurl4"
      case .notInitialized(let code):
        "libcurl.so.4 cannot be initialized: curl_global_init answered \(code)"
      }
    }
  }

  /// The first with CURLOPT_PREREQFUNCTION, which says when a connection stands.
  package static let lowestVersion = "7.80.0"
  private static let lowestNumber: UInt32 = 0x07_50_00

  typealias Handle = UnsafeMutableRawPointer

  package let version: String
  let easyInit: @convention(c) () -> Handle?
  let easySet: clinux_curl_setter
  let easyGet: clinux_curl_setter
  let easyReset: @convention(c) (Handle) -> Void
  let easyCleanup: @convention(c) (Handle) -> Void
  let easyPause: @convention(c) (Handle, Int32) -> Int32
  let easyError: @convention(c) (Int32) -> UnsafePointer<CChar>?
  let listAppend: @convention(c) (Handle?, UnsafePointer<CChar>) -> Handle?
  let listFree: @convention(c) (Handle?) -> Void
  let multiInit: @convention(c) () -> Handle?
  let multiSet: clinux_curl_setter
  let multiCleanup: @convention(c) (Handle) -> Int32
  let multiAdd: @convention(c) (Handle, Handle) -> Int32
  let multiRemove: @convention(c) (Handle, Handle) -> Int32
  let multiSocketAction: @convention(c) (Handle, Int32, Int32, UnsafeMutablePointer<Int32>) -> Int32
  let multiNextMessage: @convention(c) (Handle, UnsafeMutablePointer<Int32>) -> UnsafePointer<clinux_curl_message>?
  let multiTimeout: @convention(c) (Handle, UnsafeMutablePointer<Int>) -> Int32
  let multiError: @convention(c) (Int32) -> UnsafePointer<CChar>?

  private static let loaded = Mutex<CurlLibrary?>(nil)

  /// Opens and initializes libcurl; from the second time on returns the same.
  package static func load() throws(LoadError) -> CurlLibrary { try load("libcurl.so.4") }

  static func load(_ name: String) throws(LoadError) -> CurlLibrary {
    let result = loaded.withLock { loaded -> Result<CurlLibrary, LoadError> in
      if let loaded { return .success(loaded) }
      do throws(LoadError) {
        let library = try CurlLibrary(name)
        loaded = library
        return .success(library)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  init(_ name: String) throws(LoadError) {
    guard let library = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
      throw .missing(dlerror().map { String(cString: $0) } ?? "no reason given")
    }
    let symbols = Symbols(library: library)
    let versionInformation: @convention(c) (Int32) -> UnsafePointer<clinux_curl_version>? =
      try symbols.function("curl_version_info")
    let globalInit: @convention(c) (Int) -> Int32 = try symbols.function("curl_global_init")
    guard let information = versionInformation(0), let text = information.pointee.version else {
      throw .symbolMissing("curl_version_info")
    }
    version = String(cString: text)
    guard information.pointee.number >= Self.lowestNumber else { throw .tooOld(found: version) }

    easyInit = try symbols.function("curl_easy_init")
    easySet = try symbols.setter("curl_easy_setopt")
    easyGet = try symbols.setter("curl_easy_getinfo")
    easyReset = try symbols.function("curl_easy_reset")
    easyCleanup = try symbols.function("curl_easy_cleanup")
    easyPause = try symbols.function("curl_easy_pause")
    easyError = try symbols.function("curl_easy_strerror")
    listAppend = try symbols.function("curl_slist_append")
    listFree = try symbols.function("curl_slist_free_all")
    multiInit = try symbols.function("curl_multi_init")
    multiSet = try symbols.setter("curl_multi_setopt")
    multiCleanup = try symbols.function("curl_multi_cleanup")
    multiAdd = try symbols.function("curl_multi_add_handle")
    multiRemove = try symbols.function("curl_multi_remove_handle")
    multiSocketAction = try symbols.function("curl_multi_socket_action")
    multiNextMessage = try symbols.function("curl_multi_info_read")
    multiTimeout = try symbols.function("curl_multi_timeout")
    multiError = try symbols.function("curl_multi_strerror")

    let code = globalInit(Int(CLINUX_CURL_GLOBAL_DEFAULT))
    guard code == 0 else { throw .notInitialized(code: code) }
  }

  private struct Symbols {
    let library: UnsafeMutableRawPointer

    func address(_ name: String) throws(LoadError) -> UnsafeMutableRawPointer {
      guard let symbol = dlsym(library, name) else { throw .symbolMissing(name) }
      return symbol
    }

    /// The caller names the C type, as curl's manual has it.
    func function<Function>(_ name: String) throws(LoadError) -> Function {
      unsafeBitCast(try address(name), to: Function.self)
    }

    func setter(_ name: String) throws(LoadError) -> clinux_curl_setter {
      clinux_curl_setter_from(try address(name))
    }
  }
}
