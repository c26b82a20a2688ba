import CLinux
import Decisions
import Glibc

/// The usual figures of the process, by the names that Prometheus' client libraries use.
struct ProcessMetrics: MetricSource {
  /// Since 1970; nil: /proc does not say.
  private let startSeconds = ProcessFigures.startSeconds

  func collect(into snapshot: inout MetricSnapshot) {
    typealias Declared = DeclaredMetrics
    if let bytes = ProcessFigures.residentBytes { snapshot.add(Declared.processResident, Double(bytes)) }
    if let count = ProcessFigures.descriptors { snapshot.add(Declared.processDescriptors, Double(count)) }
    snapshot.add(Declared.processDescriptorsLimit, Double(ProcessFigures.descriptorsLimit))
    snapshot.add(Declared.processCPU, ProcessFigures.cpuSeconds)
    if let startSeconds { snapshot.add(Declared.processStart, startSeconds) }
    if let threads = ProcessFigures.threads { snapshot.add(Declared.processThreads, Double(threads)) }
  }
}
