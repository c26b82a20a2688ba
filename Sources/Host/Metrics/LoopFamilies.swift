/// What the loops count beside requests, merged: stages, connections, bytes, turns.
struct LoopFamilies {
  private typealias Declared = DeclaredMetrics
  private typealias Place = LoopMeter.Place

  private let meters: [LoopMeter]
  private var sums = Array(repeating: UInt64(0), count: Place.words)

  init(_ meters: [LoopMeter]) {
    self.meters = meters
    for meter in meters { meter.loopCells.merge(into: &sums) }
  }

  func collect(into snapshot: inout MetricSnapshot) {
    guard !meters.isEmpty else { return }
    addStages(&snapshot)
    addTurns(&snapshot)
    snapshot.add(Declared.connectionsTotal, Double(sums[Place.accepted]))
    for farewell in LoopMeter.Farewell.allCases {
      snapshot.add(
        Declared.connectionsClosed, Double(sums[Place.closed + farewell.rawValue]), labels: [farewell.name])
    }
    snapshot.add(Declared.connectionsCongested, Double(Int64(bitPattern: sums[Place.congested])))
    snapshot.add(Declared.receivedBytes, Double(sums[Place.received]))
    snapshot.add(Declared.sentBytes, Double(sums[Place.sent]))
  }

  private func addStages(_ snapshot: inout MetricSnapshot) {
    var family = MetricSnapshot.Family(Declared.stage)
    for stage in LoopMeter.Stage.allCases {
      guard let seen = MetricSnapshot.Distribution(sums[...], at: Place.stage(stage), .stage) else { continue }
      family.series.append(.init(labels: [.init(name: "stage", value: stage.name)], value: .distribution(seen)))
    }
    snapshot.families.append(family)
  }

  private func addTurns(_ snapshot: inout MetricSnapshot) {
    var family = MetricSnapshot.Family(Declared.loopLag)
    for (index, meter) in meters.enumerated() {
      var sums = Array(repeating: UInt64(0), count: BucketBounds.turn.words)
      meter.turns.cells.merge(into: &sums)
      guard let seen = MetricSnapshot.Distribution(sums[...], at: 0, .turn) else { continue }
      family.series.append(.init(labels: [.init(name: "loop", value: "\(index)")], value: .distribution(seen)))
    }
    snapshot.families.append(family)
  }
}

extension MetricSnapshot.Distribution {
  /// Of a histogram's words; nil: nothing was observed.
  ///
  /// - Parameters:
  ///   - shown: of the bounds, those to be shown; nil: all. Each is one of them.
  init?(_ words: ArraySlice<UInt64>, at first: Int, _ bounds: BucketBounds, shown: [Double]? = nil) {
    let start = words.startIndex + first
    var running: UInt64 = 0
    var counts: [UInt64] = []
    let all = bounds.shown
    let wanted = shown ?? all
    counts.reserveCapacity(wanted.count)
    for index in 0..<bounds.count {
      running &+= words[start + index]
      if counts.count < wanted.count, all[index] == wanted[counts.count] { counts.append(running) }
    }
    let count = running &+ words[start + bounds.count]
    guard count > 0 else { return nil }
    self.init(
      bounds: wanted, counts: counts, sum: Double(words[start + bounds.count + 1]) / bounds.perUnit, count: count)
  }
}
