import Glibc

/// A library of the system, opened at run time: the program starts without it, and says what it lacks when it is needed.
///
/// It is never closed, since its own threads and handlers, or another library, may still use it. Thread: any.
public struct SharedLibrary: @unchecked Sendable {  // The handle is only ever given to `dlsym`.
  /// Why a library is of no use, and what to do about it.
  public struct LoadError: Error, Equatable, CustomStringConvertible {
    public enum Reason: Equatable, Sendable {
      /// There is none, or it cannot be opened: in the linker's words.
      case missing(String)
      case symbolMissing(String)
      /// It is there and does not fit: "is 7.70.0, 7.80.0 or later is needed".
      case unfit(String)
    }

    /// By which it was looked for: "libz.so.1".
    public var library: String
    public var reason: Reason
    public var remedy: String

    public init(library: String, reason: Reason, remedy: String) {
      self.library = library
      self.reason = reason
      self.remedy = remedy
    }

    public var description: String {
      switch reason {
      case .missing(let why): "cannot load \(library): \(why); \(remedy)"
      case .symbolMissing(let name): "\(library) has no \(name); \(remedy)"
      case .unfit(let why): "\(library) \(why); \(remedy)"
      }
    }
  }

  public let name: String
  private let remedy: String
  private let handle: UnsafeMutableRawPointer

  /// Opens it, or finds it open.
  ///
  /// - Parameters:
  ///   - name: as the linker looks for it, with the version of its binary interface: "libz.so.1".
  ///   - remedy: what to do when it, or something of it, is missing; the end of each error.
  public init(_ name: String, remedy: String) throws(LoadError) {
    guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
      let why = dlerror().map { String(cString: $0) } ?? "no reason given"
      throw LoadError(library: name, reason: .missing(why), remedy: remedy)
    }
    self.name = name
    self.remedy = remedy
    self.handle = handle
  }

  /// Where the symbol lies; it stays valid for ever.
  public func address(of symbol: String) throws(LoadError) -> UnsafeMutableRawPointer {
    guard let address = dlsym(handle, symbol) else {
      throw LoadError(library: name, reason: .symbolMissing(symbol), remedy: remedy)
    }
    return address
  }

  /// A function of the library. The caller names its type, `@convention(c)`, as the library's manual has it: nobody
  /// checks it, and the wrong one is undefined behaviour.
  public func function<Function>(_ symbol: String) throws(LoadError) -> Function {
    precondition(
      MemoryLayout<Function>.size == MemoryLayout<UnsafeMutableRawPointer>.size, "\(symbol) is taken as a C function")
    return unsafeBitCast(try address(of: symbol), to: Function.self)
  }

  /// What stands for this library when it does not fit.
  public func unfit(_ why: String, remedy: String? = nil) -> LoadError {
    LoadError(library: name, reason: .unfit(why), remedy: remedy ?? self.remedy)
  }
}
