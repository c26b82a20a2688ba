/// What a descriptor is watched for, or what happened on it. Hangup and error are reported always.
package struct DescriptorInterest: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let read = Self(rawValue: 1)
  package static let write = Self(rawValue: 2)
  package static let hangup = Self(rawValue: 4)
  package static let error = Self(rawValue: 8)
}

package protocol DescriptorHandler: AnyObject {
  func descriptorReady(_ ready: DescriptorInterest)
}

/// A watched descriptor; stale ones are ignored.
package struct DescriptorToken: Hashable, Sendable {
  var index: UInt32
  var generation: UInt32
}

/// When a ready descriptor is looked at.
package enum DescriptorPriority: Sendable {
  /// In each turn.
  case normal
  /// Behind all else that a turn does, and only until that has taken its time: however many are ready, those of the
  /// normal priority wait for one such piece of time at most.
  case low
}
