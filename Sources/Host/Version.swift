/// The version of the host, of its command line and of the plugins it ships.
package enum Version {
  package static let current = "\(HostName.version)"
}
