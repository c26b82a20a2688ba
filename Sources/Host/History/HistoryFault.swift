import SystemLibraries

/// Why history cannot be kept or told, and what to do about it.
enum HistoryFault: Error, Equatable {
  case library(SharedLibrary.LoadError)
  case database(DatabaseFault)
  /// The file is a database of another program.
  case foreign(applicationID: Int64)
  /// It was written by a later version of the host.
  case newer(version: Int64, known: Int64)
  /// `quick_check` found damage.
  case damaged(String)
  /// The damaged file cannot be moved out of the way, or it happens over and over.
  case cannotSetAside(String)
  /// The file is not open; why was said when it could not be.
  case notOpen(String)
  /// An answer would be too large; nothing is wrong with the file.
  case tooMany(series: Int, points: Int, limit: Int)

  /// Whether the file is of no use as it is.
  var isCorrupt: Bool {
    switch self {
    case .database(let fault): fault.kind == .corrupt
    case .damaged: true
    default: false
    }
  }

  var message: String {
    switch self {
    case .library(let error): "\(error)"
    case .database(let fault): fault.description
    case .foreign(let id): "it is a database of another program (application id \(id))"
    case .newer(let version, let known): "it has version \(version) of the schema, this host knows \(known)"
    case .damaged(let what): "the database is damaged: \(what)"
    case .cannotSetAside(let why), .notOpen(let why): why
    case .tooMany(let series, let points, let limit):
      "step: found \(series) series of \(points) points, expected at most \(limit) points together"
    }
  }

  func remedy(path: String) -> String {
    switch self {
    case .library: "install it and restart the host"
    case .foreign: "set storage.path to another file"
    case .newer: "set storage.path to another file, or run the later version"
    case .damaged: "look at \(path) and delete it"
    case .notOpen: "see the components of /health"
    case .tooMany: "ask for one provider, or for a larger step"
    case .cannotSetAside: "move \(path) away and check its disk, then restart the host"
    case .database(let fault):
      switch fault.kind {
      case .full: "free space on the disk of \(path), or lower storage.max_bytes"
      case .readOnly: "make \(path) and its directory writable for the user that runs the host"
      case .cannotOpen:
        "make the directory of \(path), writable for the user that runs the host, or change storage.path"
      case .busy: "end what else holds \(path); each host needs its own"
      case .inputOutput: "check the disk of \(path)"
      case .corrupt: "look at \(path) and delete it"
      case .other: "report it"
      }
    }
  }
}
