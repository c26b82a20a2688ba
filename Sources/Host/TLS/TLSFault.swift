internal import SystemLibraries

/// Why the files of a listener cannot be served with, in the words of the configuration's faults.
enum TLSFault: Error, Equatable {
  /// Which setting names the file that is at fault.
  enum Place: String { case certificate, key, clientCA = "client_ca" }

  case library(SharedLibrary.LoadError)
  case absent(Place, path: String)
  case unreadable(Place, path: String, reason: String)
  /// The file has no block of the kind that belongs there.
  case notPEM(Place, path: String)
  case malformed(Place, path: String, reason: String)
  case encrypted(path: String)
  case mismatch(key: String, certificate: String, subject: String)
  /// OpenSSL refuses what it could read: a key that is too short, a signature that is too old.
  case refused(Place, path: String, reason: String)

  var place: Place {
    switch self {
    case .library: .certificate
    case .absent(let place, _), .unreadable(let place, _, _), .notPEM(let place, _), .malformed(let place, _, _),
      .refused(let place, _, _):
      place
    case .encrypted, .mismatch: .key
    }
  }

  var found: String {
    func quoted(_ path: String) -> String { ConfigurationReader.quoted(path) }
    return switch self {
    case .library(let error): "\(error)"
    case .absent(_, let path): "no file \(quoted(path))"
    case .unreadable(_, let path, let reason): "\(reason) at \(quoted(path))"
    case .notPEM(.key, let path): "no PEM private key in \(quoted(path))"
    case .notPEM(_, let path): "no PEM certificate in \(quoted(path))"
    case .malformed(_, let path, let reason), .refused(_, let path, let reason): "\(reason) in \(quoted(path))"
    case .encrypted(let path): "an encrypted private key in \(quoted(path))"
    case .mismatch(let key, let certificate, let subject):
      "a key in \(quoted(key)) that does not fit the certificate \(subject) in \(quoted(certificate))"
    }
  }

  var expected: String {
    switch self {
    case .library: "OpenSSL 3"
    case .absent(let place, _), .unreadable(let place, _, _), .notPEM(let place, _), .malformed(let place, _, _):
      switch place {
      case .certificate: "a readable PEM file: the host's certificate first, then those between it and its authority"
      case .key: "a readable PEM file with the private key of the certificate"
      case .clientCA: "a readable PEM file with the certificates of authorities"
      }
    case .encrypted: "a private key without a passphrase: nobody is there to type it"
    case .mismatch: "the private key from which the first certificate of the file was made"
    case .refused: "RSA of 2,048 bits or more, or an elliptic curve, signed with SHA-256 or better"
    }
  }

  var remedy: String {
    switch self {
    case .encrypted(let path): "write it without: openssl pkey -in \(path) -out NEW.pem, and chmod 600 it"
    case .mismatch: "name the files of one request, and let the host's own certificate stand first"
    case .notPEM: "convert it with openssl x509 or openssl pkey, -inform DER"
    case .library, .absent, .unreadable, .malformed, .refused: ""
    }
  }
}
