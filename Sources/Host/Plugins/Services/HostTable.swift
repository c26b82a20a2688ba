internal import CProviderABI
internal import ProviderContract

/// The prv_host that an instance's plugin gets, and the functions behind it.
///
/// Every function is C's: it captures nothing and finds its instance through `ctx`. Instances live as long as the
/// process, so `ctx` is valid even for a plugin that breaks PRV-R014.
enum HostTable {
  static func make(for provider: InProcessProvider) -> UnsafeMutablePointer<prv_host> {
    let table = UnsafeMutablePointer<prv_host>.allocate(capacity: 1)
    table.initialize(to: prv_host())
    table.pointee.size = UInt32(MemoryLayout<prv_host>.size)
    table.pointee.ctx = Unmanaged.passRetained(provider).toOpaque()
    table.pointee.name = prv_str(HostName.name)
    table.pointee.version = prv_str(HostName.version)
    table.pointee.get_service = { context, id in
      guard let context, let id = id.string(limit: 256) else { return nil }
      return InProcessProvider.from(context).service(id)
    }
    table.pointee.emit = { context, call, event in
      guard let context, let event else { return PRV_E_INVALID_ARGUMENT }
      guard let slot = InProcessProvider.from(context).slot(of: call) else {
        InProcessProvider.from(context).reportUnknown(call, at: .emit)
        return PRV_E_STALE
      }
      return slot.emit(call, event)
    }
    table.pointee.done = { context, call, done in
      guard let context, let done else { return PRV_E_INVALID_ARGUMENT }
      guard let slot = InProcessProvider.from(context).slot(of: call) else {
        InProcessProvider.from(context).reportUnknown(call, at: .done)
        return PRV_E_STALE
      }
      return slot.done(call, done)
    }
    return table
  }
}

extension InProcessProvider {
  @inline(__always)
  static func from(_ context: UnsafeMutableRawPointer) -> InProcessProvider {
    Unmanaged<InProcessProvider>.fromOpaque(context).takeUnretainedValue()
  }

  /// The table of the service `id`; nil when it is not offered. Thread: any.
  func service(_ id: String) -> UnsafeRawPointer? {
    switch id {
    case PRV_SERVICE_LOG: ServiceTables.log.pointer
    case PRV_SERVICE_TIME: ServiceTables.time.pointer
    case PRV_SERVICE_HTTP: hasUpstream ? ServiceTables.http.pointer : nil
    case PRV_SERVICE_CONFIG: ServiceTables.config.pointer
    case PRV_SERVICE_EXEC: ServiceTables.exec.pointer
    case PRV_SERVICE_THREAD_CHECK: ServiceTables.threadCheck.pointer
    default: nil
    }
  }
}
