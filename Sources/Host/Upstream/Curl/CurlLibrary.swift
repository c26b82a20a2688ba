import CLinux
import Glibc
package import SystemLibraries

/// libcurl, opened at run time, with the functions that the host uses.
///
/// Thread: any; the functions as curl's manual says. It is never closed: its own threads and handlers stay valid.
package final class CurlLibrary: @unchecked Sendable {  // Immutable after `init`.
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

  private static let loaded = LoadedOnce<CurlLibrary>()

  /// Opens and initializes libcurl; from the second time on returns the same.
  package static func load() throws(SharedLibrary.LoadError) -> CurlLibrary {
    try loaded.get { () throws(SharedLibrary.LoadError) in try CurlLibrary("libcurl.so.4") }
  }

  init(_ name: String) throws(SharedLibrary.LoadError) {
    let library = try SharedLibrary(
      name, remedy: "install the Debian package libcurl4, \(Self.lowestVersion) or later")
    func setter(_ symbol: String) throws(SharedLibrary.LoadError) -> clinux_curl_setter {
      clinux_curl_setter_from(try library.address(of: symbol))
    }
    let versionInformation: @convention(c) (Int32) -> UnsafePointer<clinux_curl_version>? =
      try library.function("curl_version_info")
    let globalInit: @convention(c) (Int) -> Int32 = try library.function("curl_global_init")
    guard let information = versionInformation(0), let text = information.pointee.version else {
      throw library.unfit("does not say its version")
    }
    version = String(cString: text)
    guard information.pointee.number >= Self.lowestNumber else {
      throw library.unfit(
        "is \(version), the host needs \(Self.lowestVersion) or later", remedy: "update the package libcurl4")
    }

    easyInit = try library.function("curl_easy_init")
    easySet = try setter("curl_easy_setopt")
    easyGet = try setter("curl_easy_getinfo")
    easyReset = try library.function("curl_easy_reset")
    easyCleanup = try library.function("curl_easy_cleanup")
    easyPause = try library.function("curl_easy_pause")
    easyError = try library.function("curl_easy_strerror")
    listAppend = try library.function("curl_slist_append")
    listFree = try library.function("curl_slist_free_all")
    multiInit = try library.function("curl_multi_init")
    multiSet = try setter("curl_multi_setopt")
    multiCleanup = try library.function("curl_multi_cleanup")
    multiAdd = try library.function("curl_multi_add_handle")
    multiRemove = try library.function("curl_multi_remove_handle")
    multiSocketAction = try library.function("curl_multi_socket_action")
    multiNextMessage = try library.function("curl_multi_info_read")
    multiTimeout = try library.function("curl_multi_timeout")
    multiError = try library.function("curl_multi_strerror")

    let code = globalInit(Int(CLINUX_CURL_GLOBAL_DEFAULT))
    guard code == 0 else {
      throw library.unfit(
        "cannot be initialized: curl_global_init answered \(code)", remedy: "report it with the version \(version)")
    }
  }
}
